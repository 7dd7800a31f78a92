/* SPDX-License-Identifier: MIT */
/*
 * Instruction fetch and decode for emulation. Pure but for the fetch; no locks, no policy: which
 * instructions may be executed is emul.c's and ptwr_emul.c's business.
 */
#include "insn.h"

#include <tenue/guestmem.h>
#include <tenue/vcpu.h>

#include "bounce.h"
#include "desc.h"
#include "state.h"

#define DR6_SINGLE_STEP (1ull << 14)

bool insn_next(struct insn *in, uint8_t *byte)
{
    if (in->pos >= in->avail)
        return false;
    *byte = in->bytes[in->pos++];
    return true;
}

/* All 15 bytes, or up to the end of the page when the next one cannot be read. */
static void fetch_bytes(struct insn *in, uint64_t rip)
{
    unsigned to_page_end = (unsigned)(PAGE_SIZE - rip % PAGE_SIZE);

    in->avail = INSN_MAX;
    if (guest_read(in->bytes, guest_va_make(rip), INSN_MAX) == 0)
        return;
    in->avail = 0;
    if (to_page_end < INSN_MAX && guest_read(in->bytes, guest_va_make(rip), to_page_end) == 0)
        in->avail = (uint8_t)to_page_end;
}

static bool take_prefix(struct insn *in, uint8_t b)
{
    switch (b) {
    case 0x66:
        in->opsize16 = true;
        return true;
    case 0x67:
        in->addr32 = true;
        return true;
    case 0xf0:
        in->lock = true;
        return true;
    case 0xf2:
    case 0xf3:
        in->rep = true;
        return true;
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
        in->segment = b;
        return true;
    default:
        return false;
    }
}

bool insn_fetch(struct insn *in, const struct cpu_user_regs *regs)
{
    uint8_t b;

    *in = (struct insn){0};
    if (!desc_is_64bit_code(current_vcpu(), regs->cs))
        return false;
    fetch_bytes(in, regs->rip);
    do {
        if (!insn_next(in, &b))
            return false;
    } while (take_prefix(in, b));
    if ((b & 0xf0) == 0x40) {
        in->rex = b;
        if (!insn_next(in, &b))
            return false;
    }
    if (b == 0x0f) {
        in->two_byte = true;
        if (!insn_next(in, &b))
            return false;
    }
    in->opcode = b;
    return true;
}

bool insn_modrm(struct insn *in)
{
    unsigned mod, skip = 0;
    uint8_t sib;

    if (!insn_next(in, &in->modrm))
        return false;
    mod = in->modrm >> 6;
    if (mod == 3)
        return true;
    if ((in->modrm & 7) == 4) {
        if (!insn_next(in, &sib))
            return false;
        if (mod == 0 && (sib & 7) == 5)
            skip = 4;
    } else if (mod == 0 && (in->modrm & 7) == 5) {
        skip = 4;
    }
    if (mod == 1)
        skip = 1;
    else if (mod == 2)
        skip = 4;
    if (in->pos + skip > in->avail)
        return false;
    in->pos = (uint8_t)(in->pos + skip);
    return true;
}

bool insn_imm(struct insn *in, unsigned bytes, int64_t *value)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++) {
        uint8_t b;

        if (!insn_next(in, &b))
            return false;
        v |= (uint64_t)b << (8 * i);
    }
    *value = (int64_t)(v << (64 - 8 * bytes)) >> (64 - 8 * bytes);
    return true;
}

uint64_t *insn_gpr(struct cpu_user_regs *regs, unsigned n)
{
    switch (n & 15) {
    case 0:
        return &regs->rax;
    case 1:
        return &regs->rcx;
    case 2:
        return &regs->rdx;
    case 3:
        return &regs->rbx;
    case 4:
        return &regs->rsp;
    case 5:
        return &regs->rbp;
    case 6:
        return &regs->rsi;
    case 7:
        return &regs->rdi;
    case 8:
        return &regs->r8;
    case 9:
        return &regs->r9;
    case 10:
        return &regs->r10;
    case 11:
        return &regs->r11;
    case 12:
        return &regs->r12;
    case 13:
        return &regs->r13;
    case 14:
        return &regs->r14;
    default:
        return &regs->r15;
    }
}

static bool is_high_byte(const struct insn *in, unsigned n, unsigned width)
{
    return width == 1 && in->rex == 0 && n >= 4 && n < 8;
}

static uint64_t width_mask(unsigned width)
{
    return width == 8 ? ~0ull : (1ull << (8 * width)) - 1;
}

uint64_t insn_gpr_read(const struct insn *in, struct cpu_user_regs *regs, unsigned n,
                       unsigned width)
{
    if (is_high_byte(in, n, width))
        return *insn_gpr(regs, n - 4) >> 8 & 0xff;
    return *insn_gpr(regs, n) & width_mask(width);
}

void insn_gpr_write(const struct insn *in, struct cpu_user_regs *regs, unsigned n, unsigned width,
                    uint64_t value)
{
    uint64_t mask = width_mask(width), *r;
    unsigned shift = 0;

    if (is_high_byte(in, n, width)) {
        n -= 4;
        shift = 8;
    }
    r = insn_gpr(regs, n);
    if (width == 4)
        *r = value & mask; /* a 32-bit result clears the upper half */
    else
        *r = (*r & ~(mask << shift)) | (value & mask) << shift;
}

void insn_skip(struct cpu_user_regs *regs, unsigned length)
{
    struct vcpu *v = current_vcpu();

    regs->rip += length;
    regs->rflags &= ~PV_EFLAGS_RF;
    if (regs->rflags & PV_EFLAGS_TF) {
        v->pv.debugreg[6] |= DR6_SINGLE_STEP;
        pv_inject(regs, VECTOR_DB);
    }
}
