/* SPDX-License-Identifier: MIT */
/*
 * pv/insn.c: fetching once, at page ends too, prefixes, lengths, registers (EMU-1, EMU-3, EMU-5).
 *
 * Sabotage: skip 4 bytes for a SIB without base only when mod is 1: lengths fails. Return avail 15
 * whatever was read: fetch_stops_at_an_unmapped_page fails. Do not clear the upper half for a
 * 32-bit result: registers_by_width fails. Let desc_is_64bit_code() ignore the L bit:
 * only_64_bit_code fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/desc.h"
#include "../../hypervisor/pv/insn.h"
#include "fake/pvcpu.h"

#include <tenue/entrypoints.h>

static void lengths(void)
{
    /* Bytes of `mov %eax, modrm...` behind ModRM, for each mod and rm, without SIB. */
    pv_begin(5);
    for (unsigned modrm = 0; modrm < 256; modrm++)
        for (unsigned sib = 0; sib < 256; sib += modrm % 8 == 4 && modrm < 0xc0 ? 1 : 256) {
            const uint8_t code[] = {0x89, (uint8_t)modrm, (uint8_t)sib};
            const unsigned mod = modrm >> 6, rm = modrm & 7;
            unsigned want = 2;
            struct insn in;

            if (mod != 3 && rm == 4)
                want += 1 + (mod == 0 && (sib & 7) == 5 ? 4 : 0);
            if (mod == 0 && rm == 5)
                want += 4;
            want += mod == 1 ? 1 : mod == 2 ? 4 : 0;
            pv_code(0, code, 3);
            CU_ASSERT_TRUE(insn_fetch(&in, pvr) && insn_modrm(&in));
            CU_ASSERT_EQUAL(in.opcode, 0x89);
            CU_ASSERT_EQUAL(in.pos, want);
        }
    pv_end();
}

static void prefixes(void)
{
    static const uint8_t legacy[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26,
                                     0x2e, 0x36, 0x3e, 0x64, 0x65};
    struct insn in;
    uint8_t code[16];

    pv_begin(5);
    for (unsigned i = 0; i < ARRAY_LEN(legacy); i++)
        for (unsigned rex = 0; rex < 17; rex++) {
            const uint8_t p = legacy[i];
            unsigned n = 0;

            code[n++] = p;
            if (rex)
                code[n++] = (uint8_t)(0x40 + rex - 1);
            code[n++] = 0x0f;
            code[n++] = 0x22;
            pv_code(0, code, n);
            CU_ASSERT_TRUE(insn_fetch(&in, pvr));
            CU_ASSERT_TRUE(in.two_byte);
            CU_ASSERT_EQUAL(in.opcode, 0x22);
            CU_ASSERT_EQUAL(in.rex, rex ? 0x40 + rex - 1 : 0);
            CU_ASSERT_EQUAL(in.opsize16, p == 0x66);
            CU_ASSERT_EQUAL(in.addr32, p == 0x67);
            CU_ASSERT_EQUAL(in.lock, p == 0xf0);
            CU_ASSERT_EQUAL(in.rep, p == 0xf2 || p == 0xf3);
            CU_ASSERT_EQUAL(in.segment, i >= 5 ? p : 0);
            CU_ASSERT_EQUAL(insn_opsize(&in), rex > 8 ? 8 : p == 0x66 ? 2 : 4);
        }
    /* Over-long: fifteen prefixes leave no opcode. */
    memset(code, 0x66, sizeof(code));
    pv_code(0, code, 16);
    CU_ASSERT_FALSE(insn_fetch(&in, pvr));
    code[14] = 0xfa;
    pv_code(0, code, 16);
    CU_ASSERT_TRUE(insn_fetch(&in, pvr));
    CU_ASSERT_EQUAL(in.opcode, 0xfa);
    CU_ASSERT_EQUAL(in.pos, 15);
    pv_end();
}

static void fetch_stops_at_an_unmapped_page(void)
{
    const uint8_t code[] = {0x48, 0x0f, 0x22, 0xc0};
    const uint64_t end = guest_va_at(PV_UNMAPPED);
    uint8_t *last;
    struct insn in;

    pv_begin(5);
    last = (uint8_t *)guest_ptr(&pvg, PV_UNMAPPED - 1);
    for (unsigned room = 1; room < 20; room++) {
        memset(last + PAGE_SIZE - 32, 0x90, 32);
        memcpy(last + PAGE_SIZE - room, code, MIN(room, sizeof(code)));
        pvr->rip = end - room;
        CU_ASSERT_EQUAL(insn_fetch(&in, pvr), room >= 3);
        CU_ASSERT_EQUAL(in.avail, MIN(room, INSN_MAX));
        if (room >= 3)
            CU_ASSERT_EQUAL(insn_modrm(&in), room >= 4);
    }
    pvr->rip = end;
    CU_ASSERT_FALSE(insn_fetch(&in, pvr));
    CU_ASSERT_EQUAL(in.avail, 0);
    pv_end();
}

/* EMU-5: nothing is read in our half of the address space, nor past an end of the guest's. */
static void fetch_at_the_ends_of_guest_space(void)
{
    static const uint64_t at[] = {0x7fffffffffffull,
                                  0x800000000000ull,
                                  MACH2PHYS_VIRT_START,
                                  0xffff87fffffffff8ull,
                                  0xffff880000000000ull,
                                  ~0ull,
                                  ~0ull - 14};
    struct insn in;

    pv_begin(5);
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        pvr->rip = at[i];
        CU_ASSERT_FALSE(insn_fetch(&in, pvr));
    }
    pv_end();
}

static unsigned reads;
static void count_reads(uint64_t va, uint64_t bytes)
{
    (void)va, (void)bytes;
    reads++;
}

static void fetched_once(void)
{
    const uint8_t code[] = {0x0f, 0x22, 0xc0};
    struct insn in;

    pv_begin(5);
    pv_code(PAGE_SIZE - 2, code, 3);
    fake_metal.after_guest_read = count_reads;
    reads = 0;
    CU_ASSERT_TRUE(insn_fetch(&in, pvr) && insn_modrm(&in));
    CU_ASSERT_EQUAL(reads, 1);
    pv_end();
}

static void registers_by_width(void)
{
    for (unsigned rex = 0; rex < 2; rex++)
        for (unsigned n = 0; n < 16; n++)
            for (unsigned width = 1; width <= 8; width *= 2) {
                const struct insn in = {.rex = rex ? 0x40 : 0};
                const bool high = width == 1 && !rex && n >= 4 && n < 8;
                const unsigned reg = high ? n - 4 : n, shift = high ? 8 : 0;
                const uint64_t mask = width == 8 ? ~0ull : (1ull << width * 8) - 1;
                struct cpu_user_regs r;
                uint64_t was, want;

                memset(&r, 0x5a, sizeof(r));
                was = *insn_gpr(&r, reg) = 0xfedcba9876543210ull + n;
                CU_ASSERT_EQUAL(insn_gpr_read(&in, &r, n, width), was >> shift & mask);
                insn_gpr_write(&in, &r, n, width, 0xa1b2c3d4e5f60718ull);
                want = 0xa1b2c3d4e5f60718ull & mask;
                if (width != 4)
                    want = (was & ~(mask << shift)) | want << shift;
                CU_ASSERT_EQUAL(*insn_gpr(&r, reg), want);
                *insn_gpr(&r, reg) = 0x5a5a5a5a5a5a5a5aull;
                for (unsigned i = 0; i < sizeof(r); i++)
                    CU_ASSERT_EQUAL(((uint8_t *)&r)[i], 0x5a);
            }
}

static void register_numbers(void)
{
    struct cpu_user_regs r;
    uint64_t *const order[] = {&r.rax, &r.rcx, &r.rdx, &r.rbx, &r.rsp, &r.rbp, &r.rsi, &r.rdi,
                               &r.r8,  &r.r9,  &r.r10, &r.r11, &r.r12, &r.r13, &r.r14, &r.r15};

    for (unsigned i = 0; i < 16; i++)
        CU_ASSERT_PTR_EQUAL(insn_gpr(&r, i), order[i]);
}

static void immediates(void)
{
    static const int64_t want[9] = {0, -2, [2] = -2, [4] = -2};

    for (unsigned bytes = 1; bytes <= 4; bytes *= 2) {
        struct insn in = {.avail = 8};
        int64_t v;

        memset(in.bytes, 0xff, 8);
        in.bytes[0] = 0xfe;
        CU_ASSERT_TRUE(insn_imm(&in, bytes, &v));
        CU_ASSERT_EQUAL(v, want[bytes]);
        CU_ASSERT_EQUAL(in.pos, bytes);
        in.avail = (uint8_t)(2 * bytes - 1);
        CU_ASSERT_FALSE(insn_imm(&in, bytes, &v));
    }
}

/* EMU-3: only code whose bytes lie at RIP and mean what we decode. */
static void only_64_bit_code(void)
{
    const uint64_t code64 = 0x00affb000000ffffull, code32 = 0x00cffb000000ffffull;
    const uint64_t data = 0x00cff3000000ffffull;
    struct insn in;
    mfn_t gdt;

    pv_begin(5);
    gdt = pvg.frames[PV_GDT];
    guest_ptr(&pvg, PV_GDT)[4] = code32;
    guest_ptr(&pvg, PV_GDT)[5] = data;
    guest_ptr(&pvg, PV_GDT)[6] = code64;
    guest_ptr(&pvg, PV_GDT)[7] = code64 & ~(1ull << 47);
    guest_ptr(&pvg, PV_LDT)[0] = code64;
    guest_ptr(&pvg, PV_LDT)[1] = code32;
    CU_ASSERT_EQUAL(pv_set_gdt(pvv, &gdt, 1, 16), 0);
    CU_ASSERT_EQUAL(pv_set_ldt(pvv, guest_va_at(PV_LDT), 2), 0);
    for (unsigned sel = 0; sel < 0x10000; sel++) {
        const bool flat = (sel | 3) == 0xe033, gdt_entry = (sel & ~3u) == 0x30;

        pvr->cs = (uint16_t)sel;
        CU_ASSERT_EQUAL(insn_fetch(&in, pvr), flat || gdt_entry);
    }
    CU_ASSERT_TRUE(pv_ldt_fault(0));
    for (unsigned sel = 4; sel < 0x10000; sel += 4) {
        pvr->cs = (uint16_t)sel | 3;
        CU_ASSERT_EQUAL(insn_fetch(&in, pvr), sel == 0x30 || sel == 0xe030 || sel == 4);
    }
    pv_end();
}

void suite_insn(void);
void suite_insn(void)
{
    CU_pSuite s = CU_add_suite("insn", NULL, NULL);

    CU_add_test(s, "lengths of all ModRM and SIB", lengths);
    CU_add_test(s, "prefixes", prefixes);
    CU_add_test(s, "fetch stops at an unmapped page", fetch_stops_at_an_unmapped_page);
    CU_add_test(s, "EMU-5: fetch at the ends of guest space", fetch_at_the_ends_of_guest_space);
    CU_add_test(s, "EMU-1: fetched once", fetched_once);
    CU_add_test(s, "EMU-4: registers by width", registers_by_width);
    CU_add_test(s, "register numbers", register_numbers);
    CU_add_test(s, "immediates", immediates);
    CU_add_test(s, "EMU-3: only 64-bit code", only_64_bit_code);
}
