/* SPDX-License-Identifier: MIT */
/*
 * Exceptions that a guest raised: what is executed for it, what is resolved, what it gets.
 *
 * Runs with the faulting guest's registers, after the metal has ruled out its own business. No
 * guest state reaches a BUG; a guest without a handler is crashed by inject (bounce.c).
 */
#include <tenue/account.h>
#include <tenue/entrypoints.h>
#include <tenue/pv.h>

#include "insn.h"

#define ERROR_IDT 2u /* the selector error code names an IDT vector */
#define FEP_LENGTH 7u
#define FEP_BEGIN 0x65780b0fu /* ud2, "xe" */
#define FEP_END 0xa20f6e65u   /* "en", cpuid */

/* Vectors whose exception frame carries an error code. */
static bool has_error_code(uint8_t vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

/* ud2; "xen"; cpuid: the forced-emulation form, from any mode, even before a trap table exists. */
static noinline_fn void invalid_opcode(struct cpu_user_regs *regs)
{
    const guest_va at = guest_va_make(regs->rip);
    uint32_t begin, end, out[4];

    if (guest_load32(&begin, at) != 0 || begin != FEP_BEGIN ||
        guest_load32(&end, guest_va_add(at, FEP_LENGTH - 4)) != 0 || end != FEP_END) {
        pv_inject(regs, VEC_UD, PV_NO_ERROR);
        return;
    }
    watch_rename(TENUE_PART_EMUL_CPUID);
    pv_cpuid(current_vcpu(), (uint32_t)regs->rax, (uint32_t)regs->rcx, out);
    regs->rax = out[0];
    regs->rbx = out[1];
    regs->rcx = out[2];
    regs->rdx = out[3];
    insn_skip(regs, FEP_LENGTH);
}

/* The gates of int3 and into are everybody's. */
static bool may_raise(const struct vcpu *v, uint8_t vector)
{
    unsigned dpl = TI_GET_DPL(&v->pv.traps[vector]);

    return v->pv.traps[vector].address != 0 &&
           (dpl >= (v->pv.kernel_mode ? 1u : 3u) || vector == VEC_BP || vector == VEC_OF);
}

/* int n, of length len with RIP still on it: enter the handler, or #GP naming the vector. */
static void software_interrupt(struct cpu_user_regs *regs, uint8_t vector, unsigned len)
{
    struct vcpu *v = current_vcpu();

    if (!may_raise(v, vector)) {
        pv_inject(regs, VEC_GP, vector * 8u + ERROR_IDT);
        return;
    }
    regs->rip += len;
    pv_inject(regs, vector, PV_NO_ERROR);
}

/* int3, and into of 32-bit code, are one byte; `int 3` and `int 4` are two. */
static unsigned software_interrupt_length(const struct cpu_user_regs *regs, uint8_t vector)
{
    const uint8_t short_form = vector == VEC_BP ? 0xcc : vector == VEC_OF ? 0xce : 0;
    uint8_t before;

    if (short_form != 0 && guest_read_obj(&before, guest_va_make(regs->rip - 1)) == 0 &&
        before == short_form)
        return 1;
    return 2;
}

/* The CPU let it through one of our DPL 3 gates: RIP is past the instruction. */
void pv_software_interrupt(struct cpu_user_regs *regs, uint8_t vector)
{
    unsigned len = software_interrupt_length(regs, vector);

    regs->rip -= len;
    software_interrupt(regs, vector, len);
}

static noinline_fn void general_protection(struct cpu_user_regs *regs)
{
    uint32_t error = regs->error_code;

    if ((error & 7) == ERROR_IDT) {
        unsigned len;
        int n = pv_decode_int_n(regs, &len);

        /*
         * The instruction says which; emulators are known to put another vector into the error
         * code. A guest that rewrites it meanwhile raises what it wrote: its own affair.
         */
        if (n >= 0) {
            software_interrupt(regs, (uint8_t)n, len);
            return;
        }
    }
    if (error == 0 && pv_emulate_privileged(regs))
        return;
    pv_inject(regs, VEC_GP, error);
}

static noinline_fn void page_fault(struct cpu_user_regs *regs, uint64_t cr2)
{
    struct vcpu *v = current_vcpu();
    uint32_t error = regs->error_code;

    if (error & PF_RESERVED) {
        domain_crash(v->domain, "reserved bits in the page tables for %#lx", cr2);
        return;
    }
    if ((error & (PF_PRESENT | PF_WRITE)) == (PF_PRESENT | PF_WRITE) && v->pv.kernel_mode &&
        v->domain->pv.vm_assist & 1ull << VMASST_TYPE_writable_pagetables &&
        pv_emulate_table_store(regs, cr2)) {
        watch_rename(TENUE_PART_EMUL_TABLE);
        return;
    }
    pv_inject_page_fault(regs, cr2, error);
}

static noinline_fn void device_not_available(struct cpu_user_regs *regs)
{
    struct vcpu *v = current_vcpu();

    pv_set_ts(v, false); /* delivery clears it (xen.h, fpu_taskswitch) */
    pv_inject(regs, VEC_NM, PV_NO_ERROR);
}

void pv_exception(struct cpu_user_regs *regs, uint8_t vector, uint64_t cr2)
{
    if (vector == VEC_PF)
        page_fault(regs, cr2);
    else if (vector == VEC_GP)
        general_protection(regs);
    else if (vector == VEC_UD)
        invalid_opcode(regs);
    else if (vector == VEC_BP || vector == VEC_OF)
        pv_software_interrupt(regs, vector);
    else if (vector == VEC_NM)
        device_not_available(regs);
    else
        pv_inject(regs, vector, has_error_code(vector) ? regs->error_code : PV_NO_ERROR);
}
