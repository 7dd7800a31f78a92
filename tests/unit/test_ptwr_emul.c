/* SPDX-License-Identifier: MIT */
/*
 * pv/ptwr.c: plain stores to read-only page tables (contract 3.5), each supported encoding at
 * each width and offset against a model of the instruction, and against mmu_update (EMU-6).
 *
 * The model is the host CPU where it can be: flags of compare and logic operations come from it.
 *
 * Sabotage: merge without the shift: every_encoding fails. Give xchg the new value: the same. Use
 * the bit number unmasked: the same. Drop CF of bts: the same. Use MMU_SET with ptwr_store(): the
 * same (the register of xchg). Write the entry without the validator: same_as_the_hypercall fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/mmu.h"
#include "fake/pvcpu.h"

#include <tenue/entrypoints.h>

#define SLOT 20u             /* entry of the L1 that the stores go to */
#define FLAGS_LOGIC 0x8c5ull /* CF PF ZF SF OF: AF is undefined after and, or, xor */
#define FLAGS_ALL 0x8d5ull

enum op { MOV, XCHG, CMPXCHG, AND, OR, XOR, BTS, BTR, BTC };

static const struct encoding {
    enum op op;
    uint8_t code[2]; /* byte form, full form; 0f before for two: */
    bool two, byte, full, imm, imm8;
    uint8_t group; /* ModRM.reg of immediate forms */
} encodings[] = {
    {MOV, {0x88, 0x89}, .byte = true, .full = true},
    {XCHG, {0x86, 0x87}, .byte = true, .full = true},
    {OR, {0x08, 0x09}, .byte = true, .full = true},
    {AND, {0x20, 0x21}, .byte = true, .full = true},
    {XOR, {0x30, 0x31}, .byte = true, .full = true},
    {MOV, {0xc6, 0xc7}, .byte = true, .full = true, .imm = true, .group = 0},
    {OR, {0x80, 0x81}, .byte = true, .full = true, .imm = true, .group = 1},
    {AND, {0x80, 0x81}, .byte = true, .full = true, .imm = true, .group = 4},
    {XOR, {0x80, 0x81}, .byte = true, .full = true, .imm = true, .group = 6},
    {OR, {0, 0x83}, .full = true, .imm = true, .imm8 = true, .group = 1},
    {AND, {0, 0x83}, .full = true, .imm = true, .imm8 = true, .group = 4},
    {XOR, {0, 0x83}, .full = true, .imm = true, .imm8 = true, .group = 6},
    {CMPXCHG, {0xb0, 0xb1}, .two = true, .byte = true, .full = true},
    {BTS, {0, 0xab}, .two = true, .full = true},
    {BTR, {0, 0xb3}, .two = true, .full = true},
    {BTC, {0, 0xbb}, .two = true, .full = true},
    {BTS, {0, 0xba}, .two = true, .full = true, .imm = true, .imm8 = true, .group = 5},
    {BTR, {0, 0xba}, .two = true, .full = true, .imm = true, .imm8 = true, .group = 6},
    {BTC, {0, 0xba}, .two = true, .full = true, .imm = true, .imm8 = true, .group = 7},
};

/* --- the model --- */

#define HOST_FLAGS(insn, type)                                                                     \
    ({                                                                                             \
        type a_ = (type)a, b_ = (type)b;                                                           \
        uint64_t f_;                                                                               \
        __asm__ volatile(insn " %2, %1; pushfq; popq %0" : "=r"(f_), "+q"(a_) : "q"(b_) : "cc");   \
        f_;                                                                                        \
    })

static uint64_t host_flags_cmp(uint64_t a, uint64_t b, unsigned width)
{
    return width == 1   ? HOST_FLAGS("cmpb", uint8_t)
           : width == 2 ? HOST_FLAGS("cmpw", uint16_t)
           : width == 4 ? HOST_FLAGS("cmpl", uint32_t)
                        : HOST_FLAGS("cmpq", uint64_t);
}
static uint64_t host_flags_or(uint64_t a, uint64_t b, unsigned width)
{
    return width == 1   ? HOST_FLAGS("orb", uint8_t)
           : width == 2 ? HOST_FLAGS("orw", uint16_t)
           : width == 4 ? HOST_FLAGS("orl", uint32_t)
                        : HOST_FLAGS("orq", uint64_t);
}

static uint64_t width_mask(unsigned width)
{
    return width == 8 ? ~0ull : (1ull << 8 * width) - 1;
}

struct model {
    uint64_t memory, flags, reg, rax;
};

static void run_model(struct model *m, enum op op, unsigned width, uint64_t operand)
{
    const uint64_t mask = width_mask(width), old = m->memory;
    const uint64_t bit = 1ull << operand % (width * 8);
    uint64_t affected = 0, flags = 0;

    operand &= mask;
    switch (op) {
    case MOV:
        m->memory = operand;
        break;
    case XCHG:
        m->memory = operand;
        m->reg = width == 4 ? old : (m->reg & ~mask) | old;
        break;
    case CMPXCHG:
        affected = FLAGS_ALL;
        flags = host_flags_cmp(m->rax & mask, old, width);
        if ((m->rax & mask) == old)
            m->memory = operand;
        else
            m->rax = width == 4 ? old : (m->rax & ~mask) | old;
        break;
    case AND:
    case OR:
    case XOR:
        m->memory = op == AND ? old & operand : op == OR ? old | operand : old ^ operand;
        affected = FLAGS_LOGIC;
        flags = host_flags_or(m->memory, 0, width);
        break;
    case BTS:
    case BTR:
    case BTC:
        m->memory = op == BTS ? old | bit : op == BTR ? old & ~bit : old ^ bit;
        affected = 1;
        flags = !!(old & bit);
        break;
    }
    m->flags = (m->flags & ~affected) | (flags & affected);
}

/* --- doing it --- */

static uint64_t slot_va(unsigned offset)
{
    return guest_va_at(pvg.l1) + SLOT * 8 + offset;
}

static uint64_t *slot(void)
{
    return guest_ptr(&pvg, pvg.l1) + SLOT;
}

static void set_slot(uint64_t e)
{
    CU_ASSERT_EQUAL_FATAL(
        mmu_write_at(pvg.d, pvg.d, guest_maddr(&pvg, pvg.l1) + SLOT * 8, e, MMU_SET), 0);
}

/* With a prefix that REX.W overrides: the same instruction, but not by plain_mov(). */
static bool long_way;

/* The instruction on (%rdi), source register %rsi (or %bl, which all byte forms have). */
static unsigned encode(uint8_t *code, const struct encoding *e, unsigned width, uint64_t imm,
                       bool lock)
{
    const unsigned reg = e->imm ? e->group : width == 1 ? 3 : 6;
    unsigned n = 0, bytes = e->imm8 || width == 1 ? 1 : MIN(width, 4u);

    if (lock)
        code[n++] = 0xf0;
    if (width == 2 || long_way)
        code[n++] = 0x66;
    if (width == 8)
        code[n++] = 0x48;
    if (e->two)
        code[n++] = 0x0f;
    code[n++] = e->code[width > 1];
    code[n++] = (uint8_t)(7 | reg << 3);
    for (unsigned i = 0; e->imm && i < bytes; i++)
        code[n++] = (uint8_t)(imm >> 8 * i);
    return n;
}

static uint64_t extend(uint64_t imm, unsigned bytes)
{
    return (uint64_t)((int64_t)(imm << (64 - 8 * bytes)) >> (64 - 8 * bytes));
}

static void one_way(const struct encoding *e, unsigned width, unsigned offset, uint64_t entry,
                    uint64_t value, bool equal)
{
    const uint64_t mask = width_mask(width);
    uint64_t *reg, operand = value, merged;
    struct cpu_user_regs before;
    struct model m;
    uint8_t code[16];
    unsigned n;
    bool done;

    set_slot(entry);
    entry = *slot();
    pv_fresh_regs();
    pvr->rflags |= 0x8d5 & value; /* something to keep */
    reg = width == 1 ? &pvr->rbx : &pvr->rsi;
    *reg = value;
    pvr->rdi = slot_va(offset);
    if (equal)
        pvr->rax = (pvr->rax & ~mask) | (entry >> 8 * offset & mask);
    if (e->imm)
        operand = e->imm8 || width == 1
                      ? extend(value & 0xff, 1)
                      : extend(value & width_mask(MIN(width, 4u)), MIN(width, 4u));
    m = (struct model){
        .memory = entry >> 8 * offset & mask, .flags = pvr->rflags, .reg = *reg, .rax = pvr->rax};
    run_model(&m, e->op, width, operand);
    merged = (entry & ~(mask << 8 * offset)) | m.memory << 8 * offset;
    n = encode(code, e, width, value, e->op >= CMPXCHG);
    pv_code(0, code, n);
    before = *pvr;
    done = pv_emulate_table_store(pvr, pvr->rdi);
    if (!done) {
        /* Only because the validator said no: then nothing happened at all. */
        CU_ASSERT_EQUAL(memcmp(&before, pvr, sizeof(before)), 0);
        CU_ASSERT_EQUAL(*slot(), entry);
        CU_ASSERT_NOT_EQUAL(
            mmu_write_at(pvg.d, pvg.d, guest_maddr(&pvg, pvg.l1) + SLOT * 8, merged, MMU_SET), 0);
        return;
    }
    CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE) + n);
    CU_ASSERT_EQUAL(*slot(), merged & PTE_P ? (merged | PTE_US) & ~PTE_G : merged);
    CU_ASSERT_EQUAL(pvr->rflags & ~0x10ull, m.flags & ~0x10ull);
    if (e->op == CMPXCHG)
        CU_ASSERT_EQUAL(pvr->rflags & 0x10, m.flags & 0x10);
    CU_ASSERT_EQUAL(*reg, m.reg);
    CU_ASSERT_EQUAL(pvr->rax, m.rax);
    before.rip = pvr->rip, before.rflags = pvr->rflags, before.rax = pvr->rax;
    *(width == 1 ? &before.rbx : &before.rsi) = *reg;
    CU_ASSERT_EQUAL(memcmp(&before, pvr, sizeof(before)), 0);
}

static void one(const struct encoding *e, unsigned width, unsigned offset, uint64_t entry,
                uint64_t value, bool equal)
{
    one_way(e, width, offset, entry, value, equal);
    long_way = width == 8;
    if (long_way)
        one_way(e, width, offset, entry, value, equal);
    long_way = false;
}

static void every_encoding(void)
{
    static const uint64_t values[] = {
        0,     1,         2, 5, 0x7f, 0x80, 0xfd, 0xffff, 0x8000, 0x80000000, 0x123456789abcdef0,
        ~0ull, 1ull << 63};
    uint64_t entries[4];

    pv_begin(5);
    entries[0] = 0;
    entries[1] = guest_maddr(&pvg, PV_DATA) | PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D;
    entries[2] = guest_maddr(&pvg, PV_CODE) | PTE_P | PTE_US | PTE_NX | 1ull << 9;
    entries[3] = 0xfedcba9876543210ull; /* not present: the guest's own notes */
    for (unsigned i = 0; i < ARRAY_LEN(encodings); i++)
        for (unsigned width = encodings[i].byte ? 1 : 2; width <= 8; width *= 2)
            for (unsigned offset = 0; offset + width <= 8; offset++)
                for (unsigned k = 0; k < ARRAY_LEN(entries); k++)
                    for (unsigned v = 0; v < ARRAY_LEN(values); v++)
                        for (unsigned equal = 0; equal < (encodings[i].op == CMPXCHG ? 2u : 1u);
                             equal++)
                            one(&encodings[i], width, offset, entries[k], values[v], equal);
    set_slot(0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    pv_end();
}

static bool store(const void *code, unsigned n, uint64_t va)
{
    pv_code(0, code, n);
    return pv_emulate_table_store(pvr, va);
}
#define STORE(va, ...)                                                                             \
    store((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), va)

/* EMU-6: every value of interest, by store and by hypercall: the same answer and the same entry. */
static void same_as_the_hypercall(void)
{
    uint64_t targets[8], want;
    const uint64_t at = (uint64_t)SLOT * 8;

    pv_begin(5);
    targets[0] = guest_maddr(&pvg, PV_DATA);
    targets[1] = guest_maddr(&pvg, pvg.l1);
    targets[2] = guest_maddr(&pvg, pvg.l4);
    targets[3] = mfn_to_maddr(ptr_to_mfn(pvv->pv.traps)).a;
    targets[4] = (uint64_t)FAKE_MMIO_FRAME << 12;
    targets[5] = PTE_ADDR;
    targets[6] = mfn_to_maddr(ptr_to_mfn(pvg.d->shared_info)).a;
    targets[7] = 0;
    for (unsigned t = 0; t < 8; t++)
        for (unsigned bits = 0; bits < 512 * 2; bits++) {
            const uint64_t e = targets[t] | (bits & 511) | (bits & 512 ? PTE_NX : 0);
            bool by_call, by_store;

            set_slot(0);
            by_call = mmu_write_at(pvg.d, pvg.d, guest_maddr(&pvg, pvg.l1) + at, e, MMU_SET) == 0;
            want = *slot();
            set_slot(0);
            pv_fresh_regs();
            pvr->rsi = e;
            by_store = STORE(slot_va(0), 0x48, 0x89, 0x37);
            CU_ASSERT_EQUAL(by_store, by_call);
            CU_ASSERT_EQUAL(*slot(), want);
        }
    set_slot(0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    pv_end();
}

/* Everything that is not a supported store to a read-only L1 is the guest's own fault. */
static void refused(void)
{
    pv_begin(5);
    for (unsigned two = 0; two < 2; two++)
        for (unsigned opcode = 0; opcode < 256; opcode++)
            for (unsigned reg = 0; reg < 8; reg++) {
                const uint8_t code[8] = {two ? 0x0f : (uint8_t)opcode,
                                         two ? (uint8_t)opcode : (uint8_t)(7 | reg << 3),
                                         two ? (uint8_t)(7 | reg << 3) : 0};
                const struct cpu_user_regs was = *pvr;
                bool known = false;

                for (unsigned i = 0; i < ARRAY_LEN(encodings); i++)
                    known = known || (encodings[i].two == two &&
                                      ((encodings[i].byte && encodings[i].code[0] == opcode) ||
                                       encodings[i].code[1] == opcode) &&
                                      (!encodings[i].imm || encodings[i].group == reg));
                if (known ||
                    (!two && (opcode == 0x0f || (opcode & 0xf0) == 0x40 || opcode >= 0xf0 ||
                              (opcode >= 0x64 && opcode <= 0x67) || (opcode & 0xe7) == 0x26)))
                    continue;
                pvr->rip = was.rip;
                if (store(code, 8, slot_va(0)))
                    CU_FAIL("a store that is not on the list");
                CU_ASSERT_EQUAL(memcmp(&was, pvr, sizeof(was)), 0);
            }
    /* Two entries at once, a register operand, other tables, memory, what is not mapped. */
    pvr->rsi = 0;
    CU_ASSERT_FALSE(STORE(slot_va(4), 0x48, 0x89, 0x37));
    CU_ASSERT_FALSE(STORE(slot_va(7), 0x66, 0x89, 0x37));
    CU_ASSERT_FALSE(STORE(slot_va(0), 0x48, 0x89, 0xf7));
    CU_ASSERT_FALSE(STORE(guest_va_at(pvg.l2), 0x48, 0x89, 0x37));
    CU_ASSERT_FALSE(STORE(guest_va_at(pvg.l4), 0x48, 0x89, 0x37));
    CU_ASSERT_FALSE(STORE(guest_va_at(PV_DATA), 0x48, 0x89, 0x37));
    CU_ASSERT_FALSE(STORE(guest_va_at(PV_LDT), 0x48, 0x89, 0x37));
    CU_ASSERT_FALSE(STORE(guest_va_at(PV_UNMAPPED), 0x48, 0x89, 0x37));
    CU_ASSERT_FALSE(STORE(MACH2PHYS_VIRT_START, 0x48, 0x89, 0x37));
    CU_ASSERT_FALSE(STORE(0x800000000000ull, 0x48, 0x89, 0x37));
    pv_end();
}

/* From the fault on: kernel mode, present, write, assist on; else it is an ordinary #PF. */
static void which_faults(void)
{
    static const uint8_t code[] = {0x48, 0x89, 0x37};

    pv_begin(5);
    for (unsigned how = 0; how < 32; how++) {
        const bool kernel = how & 1, present = how & 2, write = how & 4, assist = how & 8;
        const bool fetch = how & 16, want = kernel && present && write && assist && !fetch;

        if (fetch && write)
            continue; /* no CPU says so */
        set_slot(0);
        pv_mode(kernel);
        pvr->rsi = 0x1230;
        pv_code(0, code, 3);
        pvg.d->pv.vm_assist = assist ? 1ull << VMASST_TYPE_writable_pagetables : 0;
        pvr->error_code = 4 | (present ? 1 : 0) | (write ? 2 : 0) | (fetch ? 16 : 0);
        pv_exception(pvr, 14, slot_va(0));
        CU_ASSERT_EQUAL(pvr->rip, want ? guest_va_at(PV_CODE) + 3 : PV_HANDLER(14));
        CU_ASSERT_EQUAL(*slot(), want ? 0x1230 : 0);
    }
    pv_mode(true);
    pv_end();
}

/* The guest's CPU sets A and D while the store is on its way: xchg reports what was there. */
static unsigned flips;
static void set_accessed(uint64_t va, uint64_t bytes)
{
    (void)va, (void)bytes;
    if (flips++ == 0)
        *slot() |= PTE_A | PTE_D;
}

static void accessed_and_dirty_are_not_lost(void)
{
    pv_begin(5);
    set_slot(guest_maddr(&pvg, PV_DATA) | PTE_P | PTE_RW | PTE_US);
    pv_fresh_regs();
    pvr->rsi = 0;
    flips = 0;
    fake_metal.after_guest_read = set_accessed;
    CU_ASSERT_TRUE(STORE(slot_va(0), 0x48, 0x87, 0x37));
    CU_ASSERT_EQUAL(pvr->rsi, guest_maddr(&pvg, PV_DATA) | PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D);
    CU_ASSERT_EQUAL(*slot(), 0);
    /* The byte-wide form of fork keeps them, too. */
    set_slot(guest_maddr(&pvg, PV_DATA) | PTE_P | PTE_RW | PTE_US);
    pv_fresh_regs();
    flips = 0;
    CU_ASSERT_TRUE(STORE(slot_va(0), 0xf0, 0x80, 0x27, 0xfd));
    CU_ASSERT_EQUAL(*slot(), guest_maddr(&pvg, PV_DATA) | PTE_P | PTE_US | PTE_A | PTE_D);
    fake_metal.after_guest_read = NULL;
    set_slot(0);
    pv_end();
}

/* The forms that stock Linux uses, byte for byte. */
static void as_linux_does(void)
{
    pv_begin(5);
    set_slot(0x5000);
    pv_fresh_regs();
    pvr->rbp = 0x7000;
    CU_ASSERT_TRUE(STORE(slot_va(0), 0x48, 0x89, 0x2b));
    CU_ASSERT_EQUAL(*slot(), 0x7000);
    CU_ASSERT_TRUE(STORE(slot_va(0), 0x3e, 0x41, 0x80, 0x24, 0x24, 0xfd));
    CU_ASSERT_TRUE(STORE(slot_va(0), 0xf0, 0x41, 0x80, 0x24, 0x24, 0xfd));
    CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE) + 6);
    set_slot(0x7020);
    CU_ASSERT_TRUE(STORE(slot_va(0), 0xf0, 0x48, 0x0f, 0xba, 0x33, 0x05));
    CU_ASSERT_EQUAL(*slot(), 0x7000);
    CU_ASSERT_TRUE(pvr->rflags & 1);
    set_slot(0);
    pv_end();
}

void suite_ptwr_emul(void);
void suite_ptwr_emul(void)
{
    CU_pSuite s = CU_add_suite("ptwr_emul", NULL, NULL);

    CU_add_test(s, "every encoding, width and offset, against a model", every_encoding);
    CU_add_test(s, "EMU-6: the same answers as mmu_update", same_as_the_hypercall);
    CU_add_test(s, "EMU-2: everything else is refused whole", refused);
    CU_add_test(s, "which faults are stores to tables", which_faults);
    CU_add_test(s, "accessed and dirty bits are not lost", accessed_and_dirty_are_not_lost);
    CU_add_test(s, "the forms of stock Linux", as_linux_does);
}
