/* SPDX-License-Identifier: MIT */
/*
 * The privileged instructions that PV kernels still issue: control and debug registers, MSRs, port
 * I/O, cli/sti, xsetbv and a few more. A whitelist (EMU-2); everything else is the guest's #GP.
 *
 * Works on a private copy of the instruction (EMU-1), in C, without executing anything the guest
 * chose (EMU-7). No locks. Leaves MSRs to msr.c, ports to port.c, page-table stores to ptwr.c.
 */
#include <tenue/account.h>

#include "insn.h"
#include "root.h"

#define STRING_IO_BATCH 64u /* elements of a rep ins/outs per trap: bounds the stretch (HC-6) */

uint64_t pv_cr4_merge(uint64_t cr4)
{
    return PV_CR4_FIXED | (cr4 & PV_CR4_GUEST);
}

static bool read_cr(struct vcpu *v, unsigned cr, uint64_t *value)
{
    switch (cr) {
    case 0:
        *value = CR0_OURS | (v->pv.cr0_guest & CR0_TS);
        return true;
    case 2:
        *value = READ_ONCE(v->vcpu_info->arch.cr2);
        return true;
    case 3:
        *value = mfn_to_maddr(v->pv.root_kernel).a;
        return true;
    case 4:
        *value = v->pv.cr4_guest;
        return true;
    default:
        return false;
    }
}

/* A new kernel root by instruction; validation that is preempted goes on when it runs again. */
static bool write_cr3(struct vcpu *v, uint64_t value, struct insn *in)
{
    int rc = pv_root_set(v, maddr_to_mfn(maddr_make(value)).n, false);

    in->again = rc == -XEN_ERESTART;
    return rc == 0 || in->again;
}

static bool write_cr(struct vcpu *v, unsigned cr, uint64_t value, struct insn *in)
{
    switch (cr) {
    case 0:
        if ((value ^ CR0_OURS) & ~CR0_TS)
            return false; /* only TS is the guest's to change */
        pv_set_ts(v, value & CR0_TS);
        return true;
    case 2:
        WRITE_ONCE(v->vcpu_info->arch.cr2, value);
        return true;
    case 3:
        return write_cr3(v, value, in);
    case 4:
        v->pv.cr4_guest = pv_cr4_merge(value);
        hal_cr4_changed();
        return true;
    default:
        return false;
    }
}

/* mov from and to control and debug registers. */
static bool emulate_mov(struct vcpu *v, struct cpu_user_regs *regs, struct insn *in)
{
    unsigned reg;
    uint64_t *r;

    if (!insn_next(in, &in->modrm)) /* registers, whatever mod says */
        return false;
    reg = insn_reg(in);
    r = insn_gpr(regs, insn_rm(in));
    switch (in->opcode) {
    case 0x20:
        return read_cr(v, reg, r);
    case 0x21:
        return pv_debugreg_get(v, reg, r) == 0;
    case 0x22:
        return write_cr(v, reg, *r, in);
    default:
        return pv_debugreg_set(v, reg, *r) == 0;
    }
}

static uint64_t edx_eax(const struct cpu_user_regs *regs)
{
    return (uint32_t)regs->rax | regs->rdx << 32;
}

static bool emulate_xsetbv(struct vcpu *v, struct cpu_user_regs *regs, struct insn *in)
{
    if (!(v->pv.cr4_guest & CR4_OSXSAVE)) {
        in->again = true;
        pv_inject(regs, VEC_UD, PV_NO_ERROR);
        return true;
    }
    if ((uint32_t)regs->rcx != 0 || !hal_xsetbv(edx_eax(regs)))
        return false;
    v->pv.xcr0 = edx_eax(regs);
    return true;
}

static void put_edx_eax(struct cpu_user_regs *regs, uint64_t value)
{
    regs->rax = (uint32_t)value;
    regs->rdx = value >> 32;
}

/* 0f 01 xx: only the register forms that mean something to a PV guest. */
static bool emulate_group7(struct vcpu *v, struct cpu_user_regs *regs, struct insn *in)
{
    if (!insn_modrm(in))
        return false;
    if (in->modrm == 0xd1)
        return emulate_xsetbv(v, regs, in);
    if (in->modrm != 0xf9) /* rdtscp */
        return false;
    put_edx_eax(regs, hal_rdtsc());
    regs->rcx = (uint32_t)v->pv.tsc_aux;
    return true;
}

static bool emulate_rdmsr(struct vcpu *v, struct cpu_user_regs *regs)
{
    uint64_t value = 0;

    /* A kernel without any #GP handler yet probes MSRs safely: it reads 0 (xen.h, trap_info). */
    if (!pv_rdmsr(v, (uint32_t)regs->rcx, &value) && v->pv.traps[VEC_GP].address != 0)
        return false;
    put_edx_eax(regs, value);
    return true;
}

static bool emulate_two_byte(struct vcpu *v, struct cpu_user_regs *regs, struct insn *in)
{
    switch (in->opcode) {
    case 0x01:
        return emulate_group7(v, regs, in);
    case 0x06: /* clts */
        return write_cr(v, 0, CR0_OURS, in);
    case 0x09: /* wbinvd: caches are of no concern to a guest without devices */
        if (v->domain->is_control)
            hal_wbinvd();
        return true;
    case 0x20 ... 0x23:
        return emulate_mov(v, regs, in);
    case 0x30:
        return pv_wrmsr(v, (uint32_t)regs->rcx, edx_eax(regs));
    case 0x31:
        put_edx_eax(regs, hal_rdtsc());
        return true;
    case 0x32:
        return emulate_rdmsr(v, regs);
    default:
        return false;
    }
}

static bool emulate_port_access(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in,
                                uint16_t port, bool out)
{
    unsigned width = !(in->opcode & 1) ? 1 : in->opsize16 ? 2 : 4;

    if (!pv_port_allowed(v, port, width))
        return false;
    if (out)
        pv_port_out(v->domain, port, width, (uint32_t)insn_gpr_read(in, regs, 0, width));
    else
        insn_gpr_write(in, regs, 0, width, pv_port_in(v->domain, port, width));
    return true;
}

/* Base of the segment that outs reads from; only the flat ones and FS/GS exist here (EMU-3). */
static uint64_t string_source_base(const struct insn *in)
{
    const bool gs = in->segment == 0x65;

    return gs || in->segment == 0x64 ? hal_segbase_read(gs ? HAL_GS_BASE : HAL_FS_BASE) : 0;
}

/*
 * One batch of ins/outs. A fault on the memory side is delivered as the #PF hardware would raise,
 * with the registers as far as the operation got; true either way unless the port is refused, or
 * the address is none, or a 32-bit one, which no PV kernel uses.
 */
static bool emulate_string_io(struct vcpu *v, struct cpu_user_regs *regs, struct insn *in)
{
    unsigned width = !(in->opcode & 1) ? 1 : in->opsize16 ? 2 : 4;
    bool out = in->opcode >= 0x6e;
    uint64_t *ptr = out ? &regs->rsi : &regs->rdi;
    uint64_t step = regs->rflags & EFLAGS_DF ? -(uint64_t)width : width;
    uint16_t port = (uint16_t)regs->rdx;

    if (in->rep && regs->rcx == 0)
        return true;
    if (in->addr32 || !pv_port_allowed(v, port, width))
        return false;
    /* A guest that single-steps is told after each element. */
    for (unsigned i = regs->rflags & EFLAGS_TF ? 1 : STRING_IO_BATCH; i != 0; i--) {
        guest_va at = guest_va_make(*ptr + (out ? string_source_base(in) : 0));
        uint32_t data = 0;

        if (!pv_canonical(at.va))
            return false;
        if (!out)
            data = pv_port_in(v->domain, port, width);
        if ((out ? guest_read(&data, at, width) : guest_write(at, &data, width)) != 0) {
            in->again = true;
            pv_inject_page_fault(regs, at.va, out ? PF_USER : PF_USER | PF_WRITE);
            return true;
        }
        if (out)
            pv_port_out(v->domain, port, width, data);
        *ptr += step;
        if (!in->rep || --regs->rcx == 0)
            return true;
    }
    in->again = true;
    insn_skip(regs, 0);
    return true;
}

/* Port I/O is the one thing guest user mode may be allowed, too. */
static bool emulate_io(struct vcpu *v, struct cpu_user_regs *regs, struct insn *in)
{
    uint8_t imm;

    if (in->two_byte || in->lock)
        return false;
    switch (in->opcode) {
    case 0x6c ... 0x6f:
        return emulate_string_io(v, regs, in);
    case 0xe4 ... 0xe7:
        return insn_next(in, &imm) && emulate_port_access(v, regs, in, imm, in->opcode >= 0xe6);
    case 0xec ... 0xef:
        return emulate_port_access(v, regs, in, (uint16_t)regs->rdx, in->opcode >= 0xee);
    default:
        return false;
    }
}

static unsigned emulated_part(const struct insn *in)
{
    if (!in->two_byte)
        return in->opcode == 0xfa || in->opcode == 0xfb ? TENUE_PART_EMUL_OTHER
                                                        : TENUE_PART_EMUL_PORT;
    if (in->opcode == 0x30 || in->opcode == 0x32)
        return TENUE_PART_EMUL_MSR;
    return in->opcode == 0x31 ? TENUE_PART_EMUL_OTHER : TENUE_PART_EMUL_CONTROL;
}

bool pv_emulate_privileged(struct cpu_user_regs *regs)
{
    struct vcpu *v = current_vcpu();
    struct insn in;
    bool done;

    if (!insn_fetch(&in, regs) || in.lock)
        return false;
    if (in.two_byte)
        done = v->pv.kernel_mode && emulate_two_byte(v, regs, &in);
    else if (in.opcode == 0xfa || in.opcode == 0xfb)
        done = pv_iopl_ok(v); /* no effect, as the popf that undoes cli cannot be trapped */
    else
        done = emulate_io(v, regs, &in);
    if (done && !in.again)
        insn_retire(&in, regs);
    if (unlikely(watch_on) && done)
        account_rename(emulated_part(&in));
    return done;
}

int pv_decode_int_n(const struct cpu_user_regs *regs, unsigned *len)
{
    struct insn in;
    uint8_t n;

    if (!insn_fetch(&in, regs) || in.two_byte || in.opcode != 0xcd || !insn_next(&in, &n))
        return -1;
    *len = in.pos;
    return n;
}
