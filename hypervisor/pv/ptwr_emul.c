/* SPDX-License-Identifier: MIT */
/*
 * Stores to page tables that a guest kernel makes with plain instructions (writable_pagetables):
 * decoded here, applied by the validator that mmu_update uses (EMU-6, ptwr.h).
 *
 * The address is the fault's, so only the operation and its other operand are decoded; they
 * become a function from the old 8-byte entry to the new one, applied by compare-and-swap so that
 * accessed and dirty bits set meanwhile are neither lost nor misreported. Narrower stores merge
 * into the entry. Flags are set as hardware would.
 */

#include "insn.h"
#include "mmu.h"
#include "ptwr.h"

#define RETRIES 8u
/* AF is left undefined by logic operations: there it becomes 0. */
#define FLAGS_RESULT (EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF | EFLAGS_OF)

enum store_kind {
    STORE_MOV,
    STORE_XCHG,
    STORE_CMPXCHG,
    STORE_AND,
    STORE_OR,
    STORE_XOR,
    STORE_BTS,
    STORE_BTR,
    STORE_BTC
};

struct store {
    enum store_kind kind;
    unsigned width; /* bytes: 1, 2, 4, 8 */
    unsigned shift; /* of the operand in the 8-byte entry, bits */
    bool to_reg;    /* xchg: the old value goes to register reg */
    unsigned reg;
    uint64_t operand; /* source value, or bit number */
};

static bool decode_reg_form(struct insn *in, struct cpu_user_regs *regs, struct store *s,
                            enum store_kind kind)
{
    if (!insn_modrm(in))
        return false;
    s->kind = kind;
    s->reg = insn_reg(in);
    s->operand = insn_gpr_read(in, regs, s->reg, s->width);
    return true;
}

static bool decode_imm_form(struct insn *in, struct store *s, enum store_kind kind, unsigned bytes)
{
    int64_t imm;

    if (!insn_imm(in, bytes, &imm))
        return false;
    s->kind = kind;
    s->operand = (uint64_t)imm;
    return true;
}

/* 80, 81, 83: an operation chosen by ModRM.reg on an immediate. */
static bool decode_group1(struct insn *in, struct store *s)
{
    unsigned imm_bytes = in->opcode == 0x81 ? MIN(s->width, 4u) : 1;

    if (!insn_modrm(in))
        return false;
    switch (in->modrm >> 3 & 7) {
    case 1:
        return decode_imm_form(in, s, STORE_OR, imm_bytes);
    case 4:
        return decode_imm_form(in, s, STORE_AND, imm_bytes);
    case 6:
        return decode_imm_form(in, s, STORE_XOR, imm_bytes);
    default:
        return false;
    }
}

static bool decode_one_byte(struct insn *in, struct cpu_user_regs *regs, struct store *s)
{
    switch (in->opcode) {
    case 0x08:
    case 0x09:
        return decode_reg_form(in, regs, s, STORE_OR);
    case 0x20:
    case 0x21:
        return decode_reg_form(in, regs, s, STORE_AND);
    case 0x30:
    case 0x31:
        return decode_reg_form(in, regs, s, STORE_XOR);
    case 0x80:
    case 0x81:
    case 0x83:
        return decode_group1(in, s);
    case 0x86:
    case 0x87:
        s->to_reg = true;
        return decode_reg_form(in, regs, s, STORE_XCHG);
    case 0x88:
    case 0x89:
        return decode_reg_form(in, regs, s, STORE_MOV);
    case 0xc6:
    case 0xc7:
        return insn_modrm(in) && (in->modrm >> 3 & 7) == 0 &&
               decode_imm_form(in, s, STORE_MOV, MIN(s->width, 4u));
    default:
        return false;
    }
}

static bool decode_two_byte(struct insn *in, struct cpu_user_regs *regs, struct store *s)
{
    static const enum store_kind by_reg[] = {STORE_BTS, STORE_BTR, STORE_BTC};
    unsigned which;

    switch (in->opcode) {
    case 0xab:
        return decode_reg_form(in, regs, s, STORE_BTS);
    case 0xb3:
        return decode_reg_form(in, regs, s, STORE_BTR);
    case 0xbb:
        return decode_reg_form(in, regs, s, STORE_BTC);
    case 0xb0:
    case 0xb1:
        return decode_reg_form(in, regs, s, STORE_CMPXCHG);
    case 0xba:
        if (!insn_modrm(in))
            return false;
        which = in->modrm >> 3 & 7;
        return which >= 5 && decode_imm_form(in, s, by_reg[which - 5], 1);
    default:
        return false;
    }
}

static bool is_byte_form(const struct insn *in)
{
    if (in->two_byte)
        return in->opcode == 0xb0;
    return !(in->opcode & 1) && in->opcode != 0x83;
}

static bool decode(struct insn *in, struct cpu_user_regs *regs, uint64_t va, struct store *s)
{
    s->width = is_byte_form(in) ? 1 : insn_opsize(in);
    s->shift = (unsigned)(va % sizeof(uint64_t)) * 8;
    if (s->shift + s->width * 8 > 64)
        return false; /* would touch two entries */
    if (!(in->two_byte ? decode_two_byte(in, regs, s) : decode_one_byte(in, regs, s)))
        return false;
    return in->modrm >> 6 != 3; /* a register form cannot have faulted on a table */
}

/* The operand after the store; also what flags become. */
static uint64_t apply(const struct store *s, uint64_t old, uint64_t rax, uint64_t mask,
                      uint64_t *flags)
{
    const uint64_t bit = 1ull << (s->operand & (s->width * 8 - 1));
    const uint64_t sign = mask ^ mask >> 1;
    uint64_t value = s->operand;

    switch (s->kind) {
    case STORE_MOV:
    case STORE_XCHG:
        return s->operand;
    case STORE_CMPXCHG:
        value = rax - old;
        *flags &= ~FLAGS_RESULT;
        if ((rax & mask) < (old & mask))
            *flags |= EFLAGS_CF;
        if ((rax ^ old ^ value) & EFLAGS_AF) /* the borrow from bit 4, where AF itself is */
            *flags |= EFLAGS_AF;
        if ((rax ^ old) & (rax ^ value) & sign)
            *flags |= EFLAGS_OF;
        break;
    case STORE_AND:
        value = old & s->operand;
        *flags &= ~FLAGS_RESULT;
        break;
    case STORE_OR:
        value = old | s->operand;
        *flags &= ~FLAGS_RESULT;
        break;
    case STORE_XOR:
        value = old ^ s->operand;
        *flags &= ~FLAGS_RESULT;
        break;
    case STORE_BTS:
    case STORE_BTR:
    case STORE_BTC:
        *flags = (*flags & ~EFLAGS_CF) | (old & bit ? EFLAGS_CF : 0);
        return s->kind == STORE_BTS ? old | bit : s->kind == STORE_BTR ? old & ~bit : old ^ bit;
    }
    if ((value & mask) == 0)
        *flags |= EFLAGS_ZF;
    if (value & sign)
        *flags |= EFLAGS_SF;
    if (!__builtin_parity((unsigned)(value & 0xff)))
        *flags |= EFLAGS_PF;
    return s->kind == STORE_CMPXCHG ? s->operand : value;
}

static void retire(const struct insn *in, struct cpu_user_regs *regs, const struct store *s,
                   uint64_t old, uint64_t flags)
{
    if (s->to_reg)
        insn_gpr_write(in, regs, s->reg, s->width, old);
    if (s->kind == STORE_CMPXCHG && !(flags & EFLAGS_ZF))
        insn_gpr_write(in, regs, 0, s->width, old);
    regs->rflags = flags;
    insn_retire(in, regs);
}

/*
 * The common store, mov of a 64-bit register without a prefix but REX: nothing of the old entry
 * matters, so it is what mmu_update does. False: another instruction. *done: it was carried out.
 */
static bool plain_mov(struct insn *in, struct cpu_user_regs *regs, struct vcpu *v, maddr_t at,
                      bool *done)
{
    if (in->opcode != 0x89 || in->two_byte || in->opsize16 || !(in->rex & 8))
        return false;
    *done = insn_modrm(in) && in->modrm >> 6 != 3 &&
            mmu_l1_set(v->domain, v->domain, at, *insn_gpr(regs, insn_reg(in))) == 0;
    if (*done)
        insn_retire(in, regs);
    return true;
}

/* Any store. */
static bool store(struct insn *in, struct cpu_user_regs *regs, struct vcpu *v, uint64_t va,
                  maddr_t at, uint64_t entry)
{
    struct store s = {.to_reg = false};
    uint64_t mask;

    if (!decode(in, regs, va, &s))
        return false;
    mask = ~0ull >> (64 - 8 * s.width);
    for (unsigned i = 0; i < RETRIES; i++) {
        uint64_t flags = regs->rflags, old = entry >> s.shift & mask;
        uint64_t value = apply(&s, old, regs->rax, mask, &flags) & mask;
        uint64_t next = (entry & ~(mask << s.shift)) | value << s.shift;

        if (s.kind == STORE_CMPXCHG && !(flags & EFLAGS_ZF)) {
            retire(in, regs, &s, old, flags);
            return true;
        }
        switch (mmu_l1_write(v->domain, v->domain, at, next, MMU_COMPARE, &entry)) {
        case 0:
            retire(in, regs, &s, old, flags);
            return true;
        case -XEN_EAGAIN:
            break; /* entry holds what is there now */
        default:
            return false;
        }
    }
    return true; /* contended: RIP still on the instruction, it runs again */
}

bool pv_emulate_table_store(struct cpu_user_regs *regs, uint64_t va)
{
    struct vcpu *v = current_vcpu();
    uint64_t entry;
    struct insn in;
    maddr_t at;
    bool done;

    /* Is it one of our tables at all? Cheaper to know before fetching the instruction. */
    at = ptwr_find(v, va, &entry);
    if (!at.a || !insn_fetch(&in, regs))
        return false;
    if (va % sizeof(uint64_t) == 0 && plain_mov(&in, regs, v, at, &done))
        return done;
    return store(&in, regs, v, va, at, entry);
}
