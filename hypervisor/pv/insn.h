/* SPDX-License-Identifier: MIT */
/*
 * A private copy of the instruction at a guest's RIP, and just enough decoding for the few that we
 * execute for it. Fetched once (EMU-1); 64-bit code only.
 */
#ifndef TENUE_PV_INSN_H
#define TENUE_PV_INSN_H

#include <tenue/abi.h>

#include "state.h"

#define INSN_MAX 15u

struct insn {
    uint8_t bytes[INSN_MAX + 1];
    uint8_t avail;  /* bytes that could be fetched */
    uint8_t pos;    /* next byte to decode; after decoding: the length */
    uint8_t opcode; /* last opcode byte */
    bool two_byte;  /* after 0f */
    bool opsize16, addr32, lock, rep;
    uint8_t rex;     /* 0 or 40..4f */
    uint8_t segment; /* override prefix byte or 0 */
    uint8_t modrm;
    bool again; /* executed in part: RIP stays on it */
};

/* Fetch and decode prefixes and opcode. False: not 64-bit code, nothing (more) to fetch, over-long.
 */
bool insn_fetch(struct insn *in, const struct cpu_user_regs *regs) must_check;
static inline must_check bool insn_next(struct insn *in, uint8_t *byte)
{
    if (unlikely(in->pos >= in->avail))
        return false;
    *byte = in->bytes[in->pos++];
    return true;
}
/* ModRM, and over the SIB and displacement that follow it. */
bool insn_modrm(struct insn *in) must_check;
/* A little-endian immediate of 1, 2 or 4 bytes, sign-extended. */
bool insn_imm(struct insn *in, unsigned bytes, int64_t *value) must_check;

static inline unsigned insn_reg(const struct insn *in) /* ModRM.reg with REX.R */
{
    return (in->modrm >> 3 & 7) | (in->rex & 4) << 1;
}
static inline unsigned insn_rm(const struct insn *in) /* ModRM.rm with REX.B */
{
    return (in->modrm & 7) | (in->rex & 1) << 3;
}
/* Operand width of a full-size (not byte) instruction. */
static inline unsigned insn_opsize(const struct insn *in)
{
    return in->rex & 8 ? 8 : in->opsize16 ? 2 : 4;
}

/* General register n (0..15, hardware numbering). */
extern const uint8_t insn_gpr_slot[16]; /* where it is in the frame, in words */
static inline uint64_t *insn_gpr(struct cpu_user_regs *regs, unsigned n)
{
    return (uint64_t *)(void *)regs + insn_gpr_slot[n & 15];
}
/* Value of register operand n at width 1, 2, 4, 8 (old-style high bytes included). */
uint64_t insn_gpr_read(const struct insn *in, struct cpu_user_regs *regs, unsigned n,
                       unsigned width);
void insn_gpr_write(const struct insn *in, struct cpu_user_regs *regs, unsigned n, unsigned width,
                    uint64_t value);
/* Done: past the instruction of that length, single-step trap included (EMU-10). */
void insn_single_step(struct cpu_user_regs *regs);
static inline void insn_skip(struct cpu_user_regs *regs, unsigned length)
{
    regs->rip += length;
    regs->rflags &= ~EFLAGS_RF;
    if (unlikely(regs->rflags & EFLAGS_TF))
        insn_single_step(regs);
}
static inline void insn_retire(const struct insn *in, struct cpu_user_regs *regs)
{
    insn_skip(regs, in->pos);
}

#endif
