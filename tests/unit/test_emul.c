/* SPDX-License-Identifier: MIT */
/*
 * pv/emul.c: the whitelist and nothing else (EMU-2), executed from one private copy (EMU-1), for
 * all widths (EMU-4), with single-step (EMU-10); string I/O and its faults.
 *
 * Sabotage: drop `v->pv.kernel_mode &&` before emulate_two_byte(): only_the_whitelist fails. Add
 * `case 0x08` (invd) beside wbinvd: the same. Ignore the upper half of CR0: control_registers
 * fails. Ignore 67 in emulate_string_io(): string_io_addresses fails. Do not stop at a fault:
 * string_io_faults fails. Write the whole register for `in %al`: port_widths fails. Single-step a
 * rep only at its end: single_step fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/pvcpu.h"

#include <tenue/entrypoints.h>

/* All that an instruction could have touched. */
struct everything {
    struct cpu_user_regs regs;
    struct pv_vcpu pv;
    struct fake_metal metal;
    struct vcpu_info info;
    uint64_t data[512], bases[3];
};

static void take(struct everything *e)
{
    memset(e, 0, sizeof(*e));
    e->regs = *pvr;
    memcpy(&e->pv, &pvv->pv, sizeof(e->pv));
    memcpy(&e->metal, &fake_metal, sizeof(e->metal));
    e->info = *pvv->vcpu_info;
    memcpy(e->data, guest_ptr(&pvg, PV_DATA), sizeof(e->data));
    for (unsigned i = 0; i < 3; i++)
        e->bases[i] = hal_segbase_read((enum hal_segbase)i);
}

static bool kernel_may(const uint8_t *p, unsigned modrm)
{
    switch (p[0]) {
    case 0xe4 ... 0xe7:
    case 0xec ... 0xef:
    case 0x6c ... 0x6f:
    case 0xfa:
    case 0xfb:
        return true;
    case 0x0f:
        break;
    default:
        return false;
    }
    switch (p[1]) {
    case 0x01:
        return modrm == 0xd1 || modrm == 0xf9;
    case 0x06:
    case 0x09:
    case 0x30:
    case 0x31:
    case 0x32:
        return true;
    case 0x20:
    case 0x22:
        return (modrm >> 3 & 7) != 1 && (modrm >> 3 & 7) < 5; /* whatever mod is */
    case 0x21:
    case 0x23:
        return true;
    default:
        return false;
    }
}

static void try_one(const uint8_t *prefix, unsigned prefixes, const uint8_t *op, unsigned modrm,
                    bool allowed)
{
    static struct everything before, after;
    uint8_t code[16] = {0};
    unsigned n = 0;

    for (unsigned i = 0; i < prefixes; i++)
        code[n++] = prefix[i];
    code[n++] = op[0];
    if (op[0] == 0x0f)
        code[n++] = op[1];
    code[n++] = (uint8_t)modrm;
    pv_fresh_regs();
    pv_code(0, code, 16);
    if (allowed) {
        /* What it does is other tests' business: here, that it goes on, or is refused whole. */
        if (pv_emulate_privileged(pvr))
            CU_ASSERT_TRUE(pvr->rip > guest_va_at(PV_CODE) || pvr->rip == PV_HANDLER(14) ||
                           pvr->rip == PV_HANDLER(6)); /* xsetbv that was not switched on */
        return;
    }
    take(&before);
    CU_ASSERT_FALSE(pv_emulate_privileged(pvr));
    take(&after);
    if (memcmp(&before, &after, sizeof(before)) != 0)
        CU_FAIL("a refused instruction had an effect");
}

static void sweep(bool kernel, bool ports)
{
    static const uint8_t prefixes[][2] = {{0, 0},    {0x66, 0}, {0x67, 0},   {0xf0, 0},
                                          {0xf2, 0}, {0xf3, 0}, {0x2e, 0},   {0x64, 0},
                                          {0x48, 0}, {0x41, 0}, {0x66, 0xf2}};

    for (unsigned p = 0; p < ARRAY_LEN(prefixes); p++)
        for (unsigned two = 0; two < 2; two++)
            for (unsigned opcode = 0; opcode < 256; opcode++)
                for (unsigned m = 0; m < 256; m += two && (opcode < 0x40) ? 1 : 51) {
                    const uint8_t op[2] = {two ? 0x0f : (uint8_t)opcode, (uint8_t)opcode};
                    const bool locked = prefixes[p][0] == 0xf0, io = !two && opcode < 0xf0;
                    bool may = kernel_may(op, m) && !locked;

                    if (!two &&
                        (opcode == 0x0f || (opcode & 0xf0) == 0x40 || opcode == 0x66 ||
                         opcode == 0x67 || opcode == 0xf0 || opcode == 0xf2 || opcode == 0xf3 ||
                         opcode == 0x64 || opcode == 0x65 || (opcode & 0xe7) == 0x26))
                        continue; /* prefixes */
                    if (prefixes[p][0] == 0x67 && !two && opcode >= 0x6c && opcode <= 0x6f)
                        may = false;
                    if (!kernel && two)
                        may = false;
                    if (!ports && (io || (!two && (opcode == 0xfa || opcode == 0xfb))))
                        may = false;
                    try_one(prefixes[p], prefixes[p][0] ? prefixes[p][1] ? 2 : 1 : 0, op, m, may);
                }
}

static void only_the_whitelist(void)
{
    for (unsigned how = 0; how < 4; how++) {
        const bool kernel = how & 1, ports = how & 2;

        pv_begin(5);
        pv_mode(kernel);
        pvv->pv.iopl = ports ? 3 : 0;
        sweep(kernel, ports);
        pv_mode(true);
        CU_ASSERT_FALSE(pv_crashed());
        pv_end();
    }
}

static bool run(const void *code, unsigned n)
{
    pv_code(0, code, n);
    return pv_emulate_privileged(pvr);
}
#define RUN(...) run((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void control_registers(void)
{
    pv_begin(5);
    CU_ASSERT_TRUE(RUN(0x0f, 0x20, 0xc3)); /* mov %cr0, %rbx */
    CU_ASSERT_EQUAL(pvr->rbx, 0x80050033);
    CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE) + 3);
    for (unsigned bit = 0; bit < 64; bit++) {
        pvr->rbx = 0x80050033 ^ 1ull << bit;
        CU_ASSERT_EQUAL(RUN(0x0f, 0x22, 0xc3), bit == 3);
        CU_ASSERT_EQUAL(fake_metal.ts, bit >= 3);
    }
    CU_ASSERT_TRUE(RUN(0x44, 0x0f, 0x20, 0xc0) == false); /* cr8 */
    CU_ASSERT_TRUE(RUN(0x41, 0x0f, 0x20, 0xc4));
    CU_ASSERT_EQUAL(pvr->r12, 0x8005003b);
    CU_ASSERT_TRUE(RUN(0x0f, 0x06)); /* clts */
    CU_ASSERT_FALSE(fake_metal.ts);

    pvv->vcpu_info->arch.cr2 = 0x1234567;
    CU_ASSERT_TRUE(RUN(0x0f, 0x20, 0xd0));
    CU_ASSERT_EQUAL(pvr->rax, 0x1234567);
    pvr->rdi = ~5ull;
    CU_ASSERT_TRUE(RUN(0x0f, 0x22, 0xd7));
    CU_ASSERT_EQUAL(pvv->vcpu_info->arch.cr2, ~5ull);

    CU_ASSERT_TRUE(RUN(0x0f, 0x20, 0xd8));
    CU_ASSERT_EQUAL(pvr->rax, guest_maddr(&pvg, pvg.l4));

    for (unsigned bit = 0; bit < 64; bit++) { /* ENT-11: only TSD, DE, FSGSBASE, OSXSAVE */
        const uint64_t fixed = 0x660,
                       mine = 1ull << bit & (1ull << 2 | 1ull << 3 | 1ull << 16 | 1ull << 18);

        pvr->rax = 1ull << bit;
        CU_ASSERT_TRUE(RUN(0x0f, 0x22, 0xe0));
        CU_ASSERT_EQUAL(pvv->pv.cr4_guest, fixed | mine);
        CU_ASSERT_TRUE(RUN(0x0f, 0x20, 0xe0));
        CU_ASSERT_EQUAL(pvr->rax, fixed | mine);
    }
    CU_ASSERT_EQUAL(fake_metal.cr4_changes, 64);
    pv_end();
}

static void new_root_by_instruction(void)
{
    pv_begin(5);
    pvr->rax = guest_maddr(&pvg, PV_GDT) | 0x18; /* a frame that maps nothing, cache bits set */
    CU_ASSERT_TRUE(RUN(0x0f, 0x20, 0xdb));
    for (unsigned i = 0; i < 4; i++) {
        static const unsigned bad[] = {PV_CODE, 4, 3, 2};

        pvr->rax = guest_maddr(&pvg, bad[i]);
        CU_ASSERT_FALSE(RUN(0x0f, 0x22, 0xd8));
    }
    pvr->rax = ~0ull;
    CU_ASSERT_FALSE(RUN(0x0f, 0x22, 0xd8));
    CU_ASSERT_TRUE(mfn_eq(pvv->pv.root_kernel, pvg.frames[pvg.l4]));
    /* A copy of the root, validation preempted at each poll: RIP stays until it is done. */
    memcpy(guest_ptr(&pvg, PV_GDT), guest_ptr(&pvg, pvg.l4), PAGE_SIZE);
    fake_preempt_every = 1;
    pvr->rax = guest_maddr(&pvg, PV_GDT);
    for (unsigned i = 0; mfn_eq(pvv->pv.root_kernel, pvg.frames[pvg.l4]); i++) {
        CU_ASSERT_TRUE_FATAL(i < 1000);
        CU_ASSERT_TRUE(RUN(0x0f, 0x22, 0xd8));
    }
    fake_preempt_every = 0;
    CU_ASSERT_TRUE(mfn_eq(this_cpu()->root, pvg.frames[PV_GDT]));
    CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE) + 3);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    pvr->rax = guest_maddr(&pvg, pvg.l4);
    CU_ASSERT_TRUE(RUN(0x0f, 0x22, 0xd8));
    pv_end();
}

static void debug_registers(void)
{
    pv_begin(5);
    for (unsigned reg = 0; reg < 16; reg++) {
        const uint8_t rex = reg > 7 ? 0x44 : 0x40, modrm = (uint8_t)(0xc0 | (reg & 7) << 3);

        pvr->rax = 0x1000 + reg;
        if (reg == 7)
            pvr->rax = 0x402;
        CU_ASSERT_EQUAL(RUN(rex, 0x0f, 0x23, modrm), reg < 8);
        pvr->rax = 99;
        CU_ASSERT_EQUAL(RUN(rex, 0x0f, 0x21, modrm), reg < 8);
        if (reg < 4)
            CU_ASSERT_EQUAL(pvr->rax, 0x1000 + reg);
    }
    CU_ASSERT_EQUAL(fake_metal.debugreg_changes, 8);
    pvr->rax = MACH2PHYS_VIRT_START;
    CU_ASSERT_FALSE(RUN(0x0f, 0x23, 0xc0));
    pv_end();
}

static void the_rest_of_the_list(void)
{
    pv_begin(5);
    pvr->rcx = 0, pvr->rax = 7, pvr->rdx = 0;
    CU_ASSERT_TRUE(RUN(0x0f, 0x01, 0xd1)); /* xsetbv */
    CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(6));
    CU_ASSERT_EQUAL(pvv->pv.xcr0, 3);
    pv_fresh_regs();
    pvv->pv.cr4_guest |= CR4_OSXSAVE;
    pvr->rcx = 0, pvr->rax = 7, pvr->rdx = 0;
    CU_ASSERT_TRUE(RUN(0x0f, 0x01, 0xd1));
    CU_ASSERT_EQUAL(pvv->pv.xcr0, 7);
    pvr->rdx = 1;
    CU_ASSERT_FALSE(RUN(0x0f, 0x01, 0xd1));
    pvr->rdx = 0, pvr->rcx = 1;
    CU_ASSERT_FALSE(RUN(0x0f, 0x01, 0xd1));
    CU_ASSERT_EQUAL(pvv->pv.xcr0, 7);

    fake_time = 0x123456789abcull;
    CU_ASSERT_TRUE(RUN(0x0f, 0x31));
    CU_ASSERT_EQUAL(pvr->rax, 0x56789abc);
    CU_ASSERT_EQUAL(pvr->rdx, 0x1234);
    pvv->pv.tsc_aux = 0x77;
    CU_ASSERT_TRUE(RUN(0x0f, 0x01, 0xf9));
    CU_ASSERT_EQUAL(pvr->rcx, 0x77);

    CU_ASSERT_TRUE(RUN(0x0f, 0x09));
    CU_ASSERT_EQUAL(fake_metal.wbinvds, 0);
    pvr->rcx = 0xc0000102;
    CU_ASSERT_TRUE(RUN(0x0f, 0x32));
    CU_ASSERT_EQUAL(pvr->rax, 0x65000);
    pvr->rax = 0x89abcdef, pvr->rdx = 0x1234;
    CU_ASSERT_TRUE(RUN(0x0f, 0x30));
    CU_ASSERT_EQUAL(hal_segbase_read(HAL_GS_BASE_INACTIVE), 0x123489abcdefull);

    /* An unknown MSR is #GP, unless nobody could handle that yet. */
    pvr->rcx = 0x1234;
    CU_ASSERT_FALSE(RUN(0x0f, 0x32));
    pvv->pv.traps[13].address = 0;
    CU_ASSERT_TRUE(RUN(0x0f, 0x32));
    CU_ASSERT_EQUAL(pvr->rax | pvr->rdx, 0);
    CU_ASSERT_FALSE(RUN(0x0f, 0x30));
    pvv->pv.traps[13].address = PV_HANDLER(13);
    /* cli and sti: allowed, and without effect on the mask. */
    for (unsigned i = 0; i < 8; i++) {
        const bool kernel = i & 1, iopl = i & 2;

        pv_mode(kernel);
        pvv->pv.iopl = iopl ? 3 : 0;
        pvv->vcpu_info->evtchn_upcall_mask = 0;
        CU_ASSERT_EQUAL(RUN((uint8_t)(i & 4 ? 0xfa : 0xfb)), iopl);
        CU_ASSERT_EQUAL(pvv->vcpu_info->evtchn_upcall_mask, 0);
    }
    pv_mode(true);
    pv_end();

    pv_begin(0);
    CU_ASSERT_TRUE(RUN(0x0f, 0x09));
    CU_ASSERT_EQUAL(fake_metal.wbinvds, 1);
    pv_end();
}

/* EMU-4: what each width writes, and what it leaves. */
static void port_widths(void)
{
    static const struct {
        uint8_t code[3], n, width;
        bool imm;
    } in[] = {
        {{0xec}, 1, 1, false},      {{0x66, 0xed}, 2, 2, false},      {{0xed}, 1, 4, false},
        {{0xe4, 0x70}, 2, 1, true}, {{0x66, 0xe5, 0x70}, 3, 2, true}, {{0xe5, 0x70}, 2, 4, true},
        {{0x48, 0xed}, 2, 4, false}};

    pv_begin(0);
    pvv->pv.iopl = 1;
    for (unsigned i = 0; i < ARRAY_LEN(in); i++)
        for (unsigned out = 0; out < 2; out++) {
            const uint64_t was = 0xfedcba9876543210ull;
            const uint64_t mask = in[i].width == 4 ? 0xffffffff : (1ull << in[i].width * 8) - 1;
            uint8_t code[3];

            pv_fresh_regs();
            memcpy(code, in[i].code, 3);
            code[in[i].n - (in[i].imm ? 2 : 1)] |= out ? 2 : 0;
            pvr->rax = was;
            pvr->rdx = 0xabc00000170ull;
            fake_metal.port_value = 0xa1b2c3d4;
            fake_metal.port_count = 0;
            CU_ASSERT_TRUE(run(code, in[i].n));
            CU_ASSERT_EQUAL(fake_metal.port_count, 1);
            CU_ASSERT_EQUAL(fake_metal.ports[0].port, in[i].imm ? 0x70 : 0x170);
            CU_ASSERT_EQUAL(fake_metal.ports[0].bytes, in[i].width);
            CU_ASSERT_EQUAL(fake_metal.ports[0].out, out);
            CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE) + in[i].n);
            if (out) {
                CU_ASSERT_EQUAL(fake_metal.ports[0].value, (was & mask));
                CU_ASSERT_EQUAL(pvr->rax, was);
            } else {
                CU_ASSERT_EQUAL(pvr->rax,
                                (0xa1b2c3d4 & mask) | (in[i].width == 4 ? 0 : was & ~mask));
            }
        }
    pv_end();
}

static void string_io(void)
{
    uint8_t *data;

    pv_begin(0);
    data = (uint8_t *)guest_ptr(&pvg, PV_DATA);
    pvv->pv.iopl = 1;
    for (unsigned width = 1; width <= 4; width *= 2)
        for (unsigned how = 0; how < 8; how++) {
            const bool out = how & 1, rep = how & 2, down = how & 4;
            const unsigned n = rep ? 5 : 1;
            const uint8_t code[] = {width == 2 ? 0x66 : 0x2e, rep ? 0xf3 : 0x2e,
                                    (uint8_t)((out ? 0x6e : 0x6c) | (width > 1))};
            const uint64_t step = down ? -(uint64_t)width : width;
            uint64_t *ptr, start;

            pv_fresh_regs();
            start = guest_va_at(PV_DATA) + 0x100;
            for (unsigned i = 0; i < PAGE_SIZE; i++)
                data[i] = (uint8_t)(i * 7);
            ptr = out ? &pvr->rsi : &pvr->rdi;
            *ptr = start;
            pvr->rdx = 0x170;
            pvr->rcx = n;
            if (down)
                pvr->rflags |= 0x400;
            fake_metal.port_value = 0xa1b2c3d4;
            fake_metal.port_count = 0;
            CU_ASSERT_TRUE(run(code, 3));
            CU_ASSERT_EQUAL(fake_metal.port_count, n);
            CU_ASSERT_EQUAL(*ptr, start + n * step);
            CU_ASSERT_EQUAL(pvr->rcx, rep ? 0 : n);
            CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE) + 3);
            for (unsigned i = 0; i < n; i++) {
                const uint8_t *at = data + 0x100 + (int64_t)(i * step);

                CU_ASSERT_EQUAL(memcmp(&fake_metal.ports[i].value, at, width), 0);
                CU_ASSERT_EQUAL(fake_metal.ports[i].bytes, width);
            }
        }
    /* HC-6: a long one comes back to RIP after a bounded batch; a count of nothing does nothing. */
    pv_fresh_regs();
    pvr->rdi = guest_va_at(PV_DATA);
    pvr->rdx = 0x170;
    pvr->rcx = 200;
    fake_metal.port_count = 0;
    CU_ASSERT_TRUE(RUN(0xf3, 0x6c));
    CU_ASSERT_TRUE(fake_metal.port_count > 0 && fake_metal.port_count < 100);
    CU_ASSERT_EQUAL(pvr->rcx, 200 - fake_metal.port_count);
    CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE));
    for (unsigned i = 0; i < 10 && pvr->rcx; i++)
        CU_ASSERT_TRUE(pv_emulate_privileged(pvr));
    CU_ASSERT_EQUAL(fake_metal.port_count, 200);
    CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE) + 2);
    CU_ASSERT_TRUE(RUN(0xf3, 0x6c));
    CU_ASSERT_EQUAL(fake_metal.port_count, 200);
    CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE) + 2);
    pv_end();
}

static void string_io_faults(void)
{
    pv_begin(0);
    for (unsigned how = 0; how < 8; how++) {
        const bool out = how & 1, user = how & 2, crossing = how & 4;
        const uint64_t end = guest_va_at(PV_UNMAPPED);
        uint64_t *ptr;

        pvv->pv.iopl = 3;
        pv_mode(!user);
        ptr = out ? &pvr->rsi : &pvr->rdi;
        *ptr = end - 12 + (crossing ? 2 : 0);
        pvr->rdx = 0x170;
        pvr->rcx = 10;
        CU_ASSERT_TRUE(RUN(0xf3, (uint8_t)(out ? 0x6f : 0x6d)));
        /* Two or three elements done; the #PF names where the next one lies. */
        CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(14));
        CU_ASSERT_EQUAL(pvr->rcx, crossing ? 8 : 7);
        CU_ASSERT_EQUAL(*ptr, crossing ? end - 2 : end);
        CU_ASSERT_EQUAL(pvv->vcpu_info->arch.cr2, *ptr);
        CU_ASSERT_EQUAL(pv_frame(2), (out ? 0 : 2) | (user ? 4 : 0));
        CU_ASSERT_EQUAL(pv_frame(3), guest_va_at(PV_CODE));
    }
    pv_mode(true);
    pv_end();
}

static void string_io_addresses(void)
{
    static const uint64_t ours[] = {MACH2PHYS_VIRT_START, 0xffff87fffffffffeull};

    pv_begin(0);
    pvv->pv.iopl = 1;
    pvr->rdx = 0x170;
    for (unsigned i = 0; i < 2; i++) {
        pvr->rdi = ours[i];
        CU_ASSERT_TRUE(RUN(0x6d));
        CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(14));
        pv_fresh_regs();
        pvr->rdx = 0x170;
    }
    /* No address at all is #GP, and so is 32-bit addressing, whatever lies there. */
    pvr->rdi = pvr->rsi = 0x800000000000ull;
    CU_ASSERT_FALSE(RUN(0x6d));
    CU_ASSERT_FALSE(RUN(0x6f));
    pvr->rdi = guest_va_at(PV_DATA);
    CU_ASSERT_FALSE(RUN(0x67, 0x6d));
    /* FS and GS move the source of outs; the destination of ins stays where it is. */
    hal_segbase_write(HAL_FS_BASE, guest_va_at(PV_DATA));
    hal_segbase_write(HAL_GS_BASE, guest_va_at(PV_DATA) + 0x100);
    guest_ptr(&pvg, PV_DATA)[1] = 0xf5;
    guest_ptr(&pvg, PV_DATA)[33] = 0x65;
    for (unsigned gs = 0; gs < 2; gs++) {
        pvr->rsi = 8;
        fake_metal.port_count = 0;
        CU_ASSERT_TRUE(RUN((uint8_t)(0x64 + gs), 0x6e));
        CU_ASSERT_EQUAL(fake_metal.ports[0].value, gs ? 0x65 : 0xf5);
    }
    pvr->rdi = guest_va_at(PV_DATA) + 64;
    CU_ASSERT_TRUE(RUN(0x64, 0x6c));
    CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE) + 2);
    pv_end();
}

/* EMU-1: memory that changes after it was fetched makes no difference. */
static void flip_code(uint64_t va, uint64_t bytes)
{
    (void)bytes;
    if (va - guest_va_at(PV_CODE) < PAGE_SIZE)
        memset(guest_ptr(&pvg, PV_CODE), 0x22, 16);
}

static void opcode_flips(void)
{
    pv_begin(5);
    pv_code(0, (const uint8_t[]){0x0f, 0x20, 0xc3}, 3);
    fake_metal.after_guest_read = flip_code;
    CU_ASSERT_TRUE(pv_emulate_privileged(pvr));
    CU_ASSERT_EQUAL(pvr->rbx, 0x80050033);
    CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE) + 3);
    CU_ASSERT_FALSE(fake_metal.ts);
    pv_end();
}

/* EMU-10: an emulated instruction traps after itself, with RF gone and the status bit set. */
static void single_step(void)
{
    static const uint8_t forced[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};

    pv_begin(0);
    pvv->pv.iopl = 1;
    pvr->rflags |= EFLAGS_TF | EFLAGS_RF;
    CU_ASSERT_TRUE(RUN(0x0f, 0x20, 0xc3));
    CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(1));
    CU_ASSERT_EQUAL(pv_frame(2), guest_va_at(PV_CODE) + 3);
    CU_ASSERT_TRUE(pv_frame(4) & EFLAGS_TF);
    CU_ASSERT_FALSE(pv_frame(4) & EFLAGS_RF);
    CU_ASSERT_EQUAL(pvv->pv.debugreg[6], 0xffff4ff0);
    /* Forced CPUID likewise. */
    pv_fresh_regs();
    pvr->rflags |= EFLAGS_TF;
    pv_code(0, forced, 7);
    pv_exception(pvr, 6, 0);
    CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(1));
    CU_ASSERT_EQUAL(pv_frame(2), guest_va_at(PV_CODE) + 7);
    /* A rep traps after each element, RIP on it until the last. */
    pv_fresh_regs();
    pvr->rflags |= EFLAGS_TF;
    pvr->rdi = guest_va_at(PV_DATA);
    pvr->rdx = 0x170;
    pvr->rcx = 3;
    for (unsigned left = 3; left--;) {
        CU_ASSERT_TRUE(RUN(0xf3, 0x6c));
        CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(1));
        CU_ASSERT_EQUAL(pvr->rcx, left);
        CU_ASSERT_EQUAL(pv_frame(2), guest_va_at(PV_CODE) + (left ? 0 : 2));
        pvr->rflags |= EFLAGS_TF;
        pvr->rsp = PV_STACK_TOP - 0x100;
    }
    pv_end();
}

/* A forced CPUID at the edges of what can be read, and everything that is nearly one. */
static void forced_cpuid(void)
{
    static const uint8_t form[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};

    pv_begin(5);
    for (unsigned user = 0; user < 2; user++) {
        pv_mode(!user);
        pv_code(PAGE_SIZE - 3, form, 7);
        pvr->rax = 0xffffffff40000000ull;
        pv_exception(pvr, 6, 0);
        CU_ASSERT_EQUAL(pvr->rip, guest_va_at(PV_CODE) + PAGE_SIZE + 4);
        CU_ASSERT_EQUAL(pvr->rbx, 0x566e6558);
        CU_ASSERT_EQUAL(pvr->rax >> 32, 0);
    }
    for (unsigned i = 0; i < 7; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            uint8_t code[7];

            memcpy(code, form, 7);
            code[i] ^= 1u << bit;
            pv_mode(true);
            pv_code(0, code, 7);
            pv_exception(pvr, 6, 0);
            CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(6));
        }
    pv_fresh_regs();
    memcpy((uint8_t *)guest_ptr(&pvg, PV_UNMAPPED - 1) + PAGE_SIZE - 6, form, 6);
    pvr->rip = guest_va_at(PV_UNMAPPED) - 6;
    pv_exception(pvr, 6, 0);
    CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(6));
    pv_end();
}

void suite_emul(void);
void suite_emul(void)
{
    CU_pSuite s = CU_add_suite("emul", NULL, NULL);

    CU_add_test(s, "EMU-2: only the whitelist, all opcodes and prefixes", only_the_whitelist);
    CU_add_test(s, "ENT-11: control registers", control_registers);
    CU_add_test(s, "mov to CR3 validates, preempted or not", new_root_by_instruction);
    CU_add_test(s, "ENT-2: debug registers", debug_registers);
    CU_add_test(s, "xsetbv, rdtsc, wbinvd, MSRs, cli", the_rest_of_the_list);
    CU_add_test(s, "EMU-4: in and out of all widths", port_widths);
    CU_add_test(s, "ins and outs", string_io);
    CU_add_test(s, "ins and outs that fault", string_io_faults);
    CU_add_test(s, "EMU-5: where ins and outs may point", string_io_addresses);
    CU_add_test(s, "EMU-1: opcode flips", opcode_flips);
    CU_add_test(s, "EMU-10: single-step", single_step);
    CU_add_test(s, "forced CPUID", forced_cpuid);
}
