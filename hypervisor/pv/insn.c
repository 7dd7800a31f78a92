/* SPDX-License-Identifier: MIT */
/*
 * Instruction fetch and decode for emulation. Pure but for the fetch; no locks, no policy: which
 * instructions may be executed is emul.c's and ptwr.c's business.
 */
#include "insn.h"

#include "desc.h"

#define SLOT(reg) (offsetof(struct cpu_user_regs, reg) / sizeof(uint64_t))
const uint8_t insn_gpr_slot[16] = {SLOT(rax), SLOT(rcx), SLOT(rdx), SLOT(rbx), SLOT(rsp), SLOT(rbp),
                                   SLOT(rsi), SLOT(rdi), SLOT(r8),  SLOT(r9),  SLOT(r10), SLOT(r11),
                                   SLOT(r12), SLOT(r13), SLOT(r14), SLOT(r15)};

/* Up to the longest instruction, or up to the end of the page when the next one cannot be read. */
static void fetch_bytes(struct insn *in, uint64_t rip)
{
    const unsigned to_page_end = (unsigned)(PAGE_SIZE - rip % PAGE_SIZE);

    /* Two whole words where they are on the page: the sixteenth byte is never looked at. */
    in->avail = INSN_MAX;
    if (likely(to_page_end >= sizeof(in->bytes))) {
        if (unlikely(guest_read(in->bytes, guest_va_make(rip), sizeof(in->bytes)) != 0))
            in->avail = 0;
        return;
    }
    if (guest_read(in->bytes, guest_va_make(rip), INSN_MAX) == 0)
        return;
    in->avail = 0;
    if (guest_read(in->bytes, guest_va_make(rip), MIN(to_page_end, INSN_MAX)) == 0)
        in->avail = (uint8_t)MIN(to_page_end, INSN_MAX);
}

static inline bool is_prefix(uint8_t b)
{
    static const uint32_t prefixes[8] = {
        [1] = 1u << 0x06 | 1u << 0x0e | 1u << 0x16 | 1u << 0x1e, /* 26 2e 36 3e */
        [3] = 0xf0,                                              /* 64 .. 67 */
        [7] = 1u << 0x10 | 1u << 0x12 | 1u << 0x13,              /* f0 f2 f3 */
    };

    return prefixes[b / 32] >> b % 32 & 1;
}

static void take_prefix(struct insn *in, uint8_t b)
{
    switch (b) {
    case 0x66:
        in->opsize16 = true;
        break;
    case 0x67:
        in->addr32 = true;
        break;
    case 0xf0:
        in->lock = true;
        break;
    case 0xf2:
    case 0xf3:
        in->rep = true;
        break;
    default:
        in->segment = b;
        break;
    }
}

bool insn_fetch(struct insn *in, const struct cpu_user_regs *regs)
{
    uint8_t b;

    *in = (struct insn){0};
    if (!desc_is_64bit_code(current_vcpu(), regs->cs))
        return false;
    fetch_bytes(in, regs->rip);
    if (!insn_next(in, &b))
        return false;
    while (unlikely(is_prefix(b))) {
        take_prefix(in, b);
        if (!insn_next(in, &b))
            return false;
    }
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
    unsigned mod, rm, skip;
    uint8_t sib;

    if (!insn_next(in, &in->modrm))
        return false;
    mod = in->modrm >> 6;
    rm = in->modrm & 7;
    if (mod == 3)
        return true;
    if (rm == 4) {
        if (!insn_next(in, &sib))
            return false;
        rm = sib & 7;
    }
    skip = mod == 1 ? 1 : mod == 2 || rm == 5 ? 4 : 0;
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

static uint64_t width_mask(unsigned width)
{
    return ~0ull >> (64 - 8 * width);
}

/* Where operand n is; *shift: its lowest bit there. Without REX, bytes 4 to 7 are AH to BH. */
static uint64_t *operand(const struct insn *in, struct cpu_user_regs *regs, unsigned n,
                         unsigned width, unsigned *shift)
{
    const bool high_byte = width == 1 && in->rex == 0 && n >= 4 && n < 8;

    *shift = high_byte ? 8 : 0;
    return insn_gpr(regs, high_byte ? n - 4 : n);
}

uint64_t insn_gpr_read(const struct insn *in, struct cpu_user_regs *regs, unsigned n,
                       unsigned width)
{
    unsigned shift;
    const uint64_t *r = operand(in, regs, n, width, &shift);

    return *r >> shift & width_mask(width);
}

void insn_gpr_write(const struct insn *in, struct cpu_user_regs *regs, unsigned n, unsigned width,
                    uint64_t value)
{
    unsigned shift;
    uint64_t *r = operand(in, regs, n, width, &shift), mask = width_mask(width);

    value &= mask;
    if (width == 4)
        *r = value; /* a 32-bit result clears the upper half */
    else
        *r = (*r & ~(mask << shift)) | value << shift;
}

void insn_single_step(struct cpu_user_regs *regs)
{
    current_vcpu()->pv.debugreg[6] |= DR6_SINGLE_STEP;
    pv_inject(regs, VEC_DB, PV_NO_ERROR);
}
