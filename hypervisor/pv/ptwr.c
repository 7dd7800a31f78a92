/* SPDX-License-Identifier: MIT */
/*
 * Stores to page tables that a guest kernel makes with plain instructions (writable_pagetables):
 * decoded here, applied by the validator that mmu_update uses (EMU-6).
 *
 * The address is the fault's, so only the operation and its other operand are decoded; they
 * become a function from the old 8-byte entry to the new one, applied by compare-and-swap so that
 * accessed and dirty bits set meanwhile are neither lost nor misreported. Narrower stores merge
 * into the entry. Flags are set as hardware would.
 *
 * The walk to the entry reads machine memory, so it sees what the guest's tables say now and not
 * what a TLB remembers (MM-6). Between the walk and the change another vcpu may rearrange things:
 * the change locks the table it found and is refused unless that still is an L1 table of this
 * domain (MM-19); which of its own tables a guest then changes is its own race. No references are
 * kept.
 */

#include "insn.h"
#include "mmu.h"

#define RETRIES 8u
/* AF is left undefined by logic operations: there it becomes 0. */
#define FLAGS_RESULT (EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF | EFLAGS_OF)

maddr_t ptwr_find(struct vcpu *v, uint64_t va, uint64_t *entry)
{
    maddr_t at = pte_find_l1_of(v, va);
    const struct page *p = page_lookup(maddr_to_mfn(at).n);
    uint64_t leaf, type;

    if (unlikely(!at.a || !p || !(READ_ONCE(p->count) & C_STATE_MASK)))
        return maddr_make(0);
    leaf = READ_ONCE(*(uint64_t *)maddr_to_ptr(at));
    at = maddr_make((leaf & PTE_ADDR) | (va & (PAGE_SIZE - sizeof(uint64_t))));
    p = page_lookup(maddr_to_mfn(at).n);
    if (unlikely((leaf & (PTE_P | PTE_RW)) != PTE_P || !p))
        return maddr_make(0);
    type = READ_ONCE(p->type);
    if (type_of(type) != PGT_L1 || !(type & T_VALID) ||
        count_owner(READ_ONCE(p->count)) != v->domain->domid)
        return maddr_make(0);
    *entry = READ_ONCE(*(uint64_t *)maddr_to_ptr(at));
    return at;
}

enum store_kind {
    STORE_NONE, /* not one that we carry out */
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

/* Two families by the number that is ModRM.reg where the operand is an immediate, and bits 3 to 5
 * of the opcode where it is a register. */
static const uint8_t logic[8] = {[1] = STORE_OR, [4] = STORE_AND, [6] = STORE_XOR};
static const uint8_t on_bit[8] = {[5] = STORE_BTS, [6] = STORE_BTR, [7] = STORE_BTC};

struct store {
    enum store_kind kind;
    unsigned width;   /* bytes: 1, 2, 4, 8 */
    unsigned shift;   /* of the operand in the 8-byte entry, bits */
    unsigned reg;     /* of the operand; xchg puts the old value there */
    uint64_t operand; /* source value, or bit number */
};

/* What the instruction does. *imm: bytes of its immediate operand, 0: a register. */
static enum store_kind kind_of(const struct insn *in, unsigned width, unsigned *imm)
{
    const unsigned in_modrm = in->modrm >> 3 & 7, in_opcode = in->opcode >> 3 & 7;

    *imm = 0;
    switch (in->opcode | (in->two_byte ? 0x0f00 : 0)) {
    case 0x08 ... 0x09:
    case 0x20 ... 0x21:
    case 0x30 ... 0x31:
        return logic[in_opcode];
    case 0x80:
    case 0x83:
        *imm = 1;
        return logic[in_modrm];
    case 0x81:
        *imm = MIN(width, 4u);
        return logic[in_modrm];
    case 0x86 ... 0x87:
        return STORE_XCHG;
    case 0x88 ... 0x89:
        return STORE_MOV;
    case 0xc6 ... 0xc7:
        *imm = MIN(width, 4u);
        return in_modrm == 0 ? STORE_MOV : STORE_NONE;
    case 0x0fab:
    case 0x0fb3:
    case 0x0fbb:
        return on_bit[in_opcode];
    case 0x0fb0 ... 0x0fb1:
        return STORE_CMPXCHG;
    case 0x0fba:
        *imm = 1;
        return on_bit[in_modrm];
    default:
        return STORE_NONE;
    }
}

static bool decode(struct insn *in, struct cpu_user_regs *regs, uint64_t va, struct store *s)
{
    const bool on_byte = in->two_byte ? in->opcode == 0xb0 : !(in->opcode & 1);
    unsigned imm;

    s->width = on_byte ? 1 : insn_opsize(in);
    s->shift = (unsigned)(va % sizeof(uint64_t)) * 8;
    if (s->shift + s->width * 8 > 64)
        return false; /* would touch two entries */
    if (!insn_modrm(in) || in->modrm >> 6 == 3)
        return false; /* a register form cannot have faulted on a table */
    s->kind = kind_of(in, s->width, &imm);
    s->reg = insn_reg(in);
    if (imm != 0)
        return s->kind != STORE_NONE && insn_imm(in, imm, (int64_t *)&s->operand);
    s->operand = insn_gpr_read(in, regs, s->reg, s->width);
    return s->kind != STORE_NONE;
}

/* The operand after the store; also what flags become. */
static uint64_t apply(const struct store *s, uint64_t old, uint64_t rax, uint64_t mask,
                      uint64_t *flags)
{
    const uint64_t bit = 1ull << (s->operand & (s->width * 8 - 1));
    const uint64_t sign = mask ^ mask >> 1;
    uint64_t value, set = 0;

    switch (s->kind) {
    case STORE_CMPXCHG:
        value = rax - old;
        set |= (rax & mask) < (old & mask) ? EFLAGS_CF : 0;
        set |= (rax ^ old ^ value) & EFLAGS_AF; /* the borrow from bit 4, where AF itself is */
        set |= (rax ^ old) & (rax ^ value) & sign ? EFLAGS_OF : 0;
        break;
    case STORE_AND:
        value = old & s->operand;
        break;
    case STORE_OR:
        value = old | s->operand;
        break;
    case STORE_XOR:
        value = old ^ s->operand;
        break;
    case STORE_BTS:
    case STORE_BTR:
    case STORE_BTC:
        *flags = (*flags & ~EFLAGS_CF) | (old & bit ? EFLAGS_CF : 0);
        return s->kind == STORE_BTS ? old | bit : s->kind == STORE_BTR ? old & ~bit : old ^ bit;
    default:
        return s->operand;
    }
    set |= (value & mask) == 0 ? EFLAGS_ZF : 0;
    set |= value & sign ? EFLAGS_SF : 0;
    set |= __builtin_parity((unsigned)(value & 0xff)) ? 0 : EFLAGS_PF;
    *flags = (*flags & ~FLAGS_RESULT) | set;
    return s->kind == STORE_CMPXCHG ? s->operand : value;
}

static void retire(const struct insn *in, struct cpu_user_regs *regs, const struct store *s,
                   uint64_t old, uint64_t flags)
{
    if (s->kind == STORE_XCHG)
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
    struct store s;
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
