/* SPDX-License-Identifier: MIT */
/*
 * pv/desc.c: which descriptors exist for a guest, and who holds the frames they are in (MM-24).
 *
 * Sabotage: let desc_sanitise() pass system descriptors: every_descriptor fails. Forget to
 * put the frames before in pv_set_gdt(): gdt_is_all_or_nothing fails the audit. Call
 * hal_descriptors_changed() while pv.ldt_frames still names the old frames:
 * a_new_ldt_forgets_the_old_frames fails. Walk the user root in pv_ldt_fault():
 * ldt_is_found_from_user_mode fails. Drop `offset / 8 >= ldt_entries`: ldt_faults fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/desc.h"
#include "../../hypervisor/pv/mmu.h"
#include "fake/pvcpu.h"

#include <tenue/entrypoints.h>

#define FLAT_CODE64 0x00affb000000ffffull

static void every_descriptor(void)
{
    for (unsigned type = 0; type < 16; type++)
        for (unsigned s = 0; s < 2; s++)
            for (unsigned dpl = 0; dpl < 4; dpl++)
                for (unsigned p = 0; p < 2; p++)
                    for (unsigned high = 0; high < 16; high++) { /* G, D/B, L, AVL */
                        const uint64_t d = 0x1200003400005678ull | (uint64_t)type << 40 |
                                           (uint64_t)s << 44 | (uint64_t)dpl << 45 |
                                           (uint64_t)p << 47 | (uint64_t)high << 52;
                        uint64_t now = d;
                        const bool fine = desc_sanitise(&now);

                        CU_ASSERT_EQUAL(fine, !p || s);
                        CU_ASSERT_EQUAL(now, p && s ? d | 3ull << 45 : d);
                    }
}

static long update(uint64_t maddr, uint64_t desc)
{
    return fake_hypercall(__HYPERVISOR_update_descriptor, maddr, desc, 0, 0);
}

static void update_descriptor(void)
{
    pv_begin(5);
    for (unsigned low = 1; low < 8; low++)
        CU_ASSERT_EQUAL(update(guest_maddr(&pvg, PV_DATA) + low, 0), -XEN_EINVAL);
    /* Plain memory, and a frame in use as descriptors; nothing else. */
    CU_ASSERT_EQUAL(update(guest_maddr(&pvg, PV_DATA) + 8, FLAT_CODE64 & ~(3ull << 45)), 0);
    CU_ASSERT_EQUAL(guest_ptr(&pvg, PV_DATA)[1], FLAT_CODE64);
    CU_ASSERT_EQUAL(pv_set_gdt(pvv, &pvg.frames[PV_GDT], 1, 512), 0);
    CU_ASSERT_EQUAL(update(guest_maddr(&pvg, PV_GDT) + 4088, FLAT_CODE64), 0);
    CU_ASSERT_EQUAL(guest_ptr(&pvg, PV_GDT)[511], FLAT_CODE64);
    CU_ASSERT_EQUAL(update(guest_maddr(&pvg, PV_GDT), 0x00008c0000000000ull),
                    -XEN_EINVAL); /* gate */
    CU_ASSERT_EQUAL(update(guest_maddr(&pvg, pvg.l1), 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(update(guest_maddr(&pvg, pvg.l4) + 256 * 8, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(update(mfn_to_maddr(ptr_to_mfn(pvv->pv.traps)).a, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(update((uint64_t)FAKE_FRAMES << 12, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(update(~7ull, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    pv_end();
}

static long set_gdt(const uint64_t *frames, uint64_t entries)
{
    if (frames)
        memcpy(guest_ptr(&pvg, PV_ARGS), frames, 14 * 8);
    return fake_hypercall(__HYPERVISOR_set_gdt, guest_va_at(PV_ARGS), entries, 0, 0);
}

static void gdt_frames_are_held(void)
{
    uint64_t frames[14] = {0};
    pv_begin(5);
    frames[0] = pvg.frames[PV_GDT].n;
    frames[1] = pvg.frames[PV_GDT + 1].n;
    guest_ptr(&pvg, PV_GDT)[3] = FLAT_CODE64 & ~(3ull << 45);
    CU_ASSERT_EQUAL(set_gdt(frames, 1024), 0);
    CU_ASSERT_EQUAL(guest_ptr(&pvg, PV_GDT)[3], FLAT_CODE64);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    /* A frame in use cannot be mapped writable; read-only it can. */
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(PV_GDT),
                                   guest_maddr(&pvg, PV_GDT) | 3, 0, 0),
                    -XEN_EBUSY);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(PV_GDT),
                                   guest_maddr(&pvg, PV_GDT) | 1, 0, 0),
                    0);
    /* Once replaced it is plain memory again: Linux insists. */
    frames[0] = frames[1];
    CU_ASSERT_EQUAL(set_gdt(frames, 16), 0);
    CU_ASSERT_EQUAL(pvv->pv.gdt_entries, 16);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(PV_GDT),
                                   guest_maddr(&pvg, PV_GDT) | 3, 0, 0),
                    0);
    /* The same frame in all fourteen places, and none at all. */
    for (unsigned i = 0; i < 14; i++)
        frames[i] = frames[0];
    CU_ASSERT_EQUAL(set_gdt(frames, FIRST_RESERVED_GDT_ENTRY), 0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(set_gdt(frames, FIRST_RESERVED_GDT_ENTRY + 1), -XEN_EINVAL);
    CU_ASSERT_EQUAL(set_gdt(frames, ~0ull), -XEN_EINVAL);
    CU_ASSERT_EQUAL(set_gdt(NULL, 0), 0);
    CU_ASSERT_EQUAL(pvv->pv.gdt_entries, 0);
    pv_end();
}

static void gdt_is_all_or_nothing(void)
{
    pv_begin(5);
    for (unsigned bad = 0; bad < 3; bad++)
        for (unsigned at = 0; at < 14; at++) {
            uint64_t frames[14];

            for (unsigned i = 0; i < 14; i++)
                frames[i] = pvg.frames[PV_GDT].n;
            guest_ptr(&pvg, PV_GDT + 1)[511] = 0x00008c0000000000ull;
            frames[at] = bad == 0   ? pvg.frames[PV_DATA].n /* mapped writable */
                         : bad == 1 ? pvg.frames[PV_GDT + 1].n
                                    : ~0ull;
            CU_ASSERT_EQUAL(set_gdt(frames, FIRST_RESERVED_GDT_ENTRY), -XEN_EINVAL);
            CU_ASSERT_EQUAL(pvv->pv.gdt_entries, 0);
            CU_ASSERT_EQUAL(fake_audit(), 0);
        }
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_set_gdt, guest_va_at(PV_UNMAPPED) - 8, 513, 0, 0),
                    -XEN_EFAULT);
    pv_end();
}

static long set_ldt(uint64_t base, uint32_t entries)
{
    const struct mmuext_op op = {
        .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = base, .arg2.nr_ents = entries};

    memcpy(guest_ptr(&pvg, PV_ARGS), &op, sizeof(op));
    return fake_hypercall(__HYPERVISOR_mmuext_op, guest_va_at(PV_ARGS), 1, 0, DOMID_SELF);
}

static void ldt_bounds(void)
{
    static const struct {
        uint64_t base;
        uint32_t entries;
        bool fine;
    } cases[] = {
        {0, 0, true},
        {0, 8192, true},
        {0, 8193, false},
        {0, ~0u, false},
        {8, 1, false},
        {GUEST_BASE + 4, 16, false},
        {0x7ffffffff000ull, 512, true},
        {0x7ffffffff000ull, 513, false},
        {0x800000000000ull, 1, false},
        {MACH2PHYS_VIRT_START, 1, false},
        {0xffff87fffffff000ull, 513, false},
        {0xffff880000000000ull, 8192, true},
        {0xfffffffffffff000ull, 512, true},
        {0xfffffffffffff000ull, 513, false},
    };

    pv_begin(5);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
        CU_ASSERT_EQUAL(set_ldt(cases[i].base, cases[i].entries), cases[i].fine ? 0 : -XEN_EINVAL);
    pv_end();
}

static void ldt_faults(void)
{
    pv_begin(5);
    CU_ASSERT_FALSE(pv_ldt_fault(0)); /* none set */
    guest_ptr(&pvg, PV_LDT)[0] = FLAT_CODE64 & ~(3ull << 45);
    CU_ASSERT_EQUAL(set_ldt(guest_va_at(PV_LDT), 513), 0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_TRUE(mfn_is_none(pvv->pv.ldt_frames[0]));
    CU_ASSERT_FALSE(pv_ldt_fault(513 * 8));
    CU_ASSERT_FALSE(pv_ldt_fault(16 * PAGE_SIZE));
    CU_ASSERT_FALSE(pv_ldt_fault(~7ull));
    CU_ASSERT_TRUE(pv_ldt_fault(0x123));
    CU_ASSERT_TRUE(mfn_eq(pvv->pv.ldt_frames[0], pvg.frames[PV_LDT]));
    CU_ASSERT_EQUAL(guest_ptr(&pvg, PV_LDT)[0], FLAT_CODE64);
    CU_ASSERT_FALSE(pv_ldt_fault(0x123)); /* shown already: then it was another fault */
    CU_ASSERT_TRUE(pv_ldt_fault(512 * 8));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    /* Frames that cannot be: not mapped, mapped writable, a table, holding a gate. */
    CU_ASSERT_EQUAL(set_ldt(guest_va_at(PV_UNMAPPED), 16), 0);
    CU_ASSERT_FALSE(pv_ldt_fault(0));
    CU_ASSERT_EQUAL(set_ldt(guest_va_at(PV_DATA), 16), 0);
    CU_ASSERT_FALSE(pv_ldt_fault(0));
    CU_ASSERT_EQUAL(set_ldt(guest_va_at(pvg.l1), 16), 0);
    CU_ASSERT_FALSE(pv_ldt_fault(0));
    CU_ASSERT_EQUAL(set_ldt(0x1000, 16), 0);
    CU_ASSERT_FALSE(pv_ldt_fault(0));
    guest_ptr(&pvg, PV_LDT + 1)[511] = 0x0000e90000000000ull;
    CU_ASSERT_EQUAL(set_ldt(guest_va_at(PV_LDT + 1), 1), 0);
    CU_ASSERT_FALSE(pv_ldt_fault(0));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    pv_end();
}

/* A stock kernel maps its LDTs in its own half, which its user roots lack. */
static void ldt_is_found_from_user_mode(void)
{
    pv_begin(5);
    CU_ASSERT_EQUAL(mmu_write_at(pvg.d, pvg.d,
                                 guest_maddr(&pvg, pvg.user_l4) + pte_index(GUEST_BASE, 4) * 8, 0,
                                 MMU_SET),
                    0);
    CU_ASSERT_EQUAL(set_ldt(guest_va_at(PV_LDT), 16), 0);
    pv_mode(false);
    CU_ASSERT_TRUE(pv_ldt_fault(0));
    pv_mode(true);
    pv_end();
}

/* What the CPU can still reach through the window must be held as descriptors (MM-24). */
static void a_new_ldt_forgets_the_old_frames(void)
{
    pv_begin(5);
    CU_ASSERT_EQUAL(set_ldt(guest_va_at(PV_LDT), 512), 0);
    CU_ASSERT_TRUE(pv_ldt_fault(0));
    CU_ASSERT_EQUAL(set_ldt(guest_va_at(PV_LDT + 1), 512), 0);
    CU_ASSERT_TRUE(mfn_is_none(pvv->pv.ldt_frames[0]));
    CU_ASSERT_EQUAL(fake_window_audit(), 0);
    /* The guest writes where the old table was: it is its memory again. */
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(PV_LDT),
                                   guest_maddr(&pvg, PV_LDT) | 3, UVMF_INVLPG, 0),
                    0);
    CU_ASSERT_TRUE(fake_store(guest_va_at(PV_LDT), 0x0000e90000000000ull));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_TRUE(pv_ldt_fault(0));
    CU_ASSERT_EQUAL(set_ldt(0, 0), 0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    pv_end();
}

void suite_desc(void);
void suite_desc(void)
{
    CU_pSuite s = CU_add_suite("desc", NULL, NULL);

    CU_add_test(s, "MM-24: all type, S, DPL and P combinations", every_descriptor);
    CU_add_test(s, "MM-24: update_descriptor", update_descriptor);
    CU_add_test(s, "MM-2: GDT frames are held while in use", gdt_frames_are_held);
    CU_add_test(s, "MM-9: a GDT is set wholly or not at all", gdt_is_all_or_nothing);
    CU_add_test(s, "HC-1: where an LDT may be", ldt_bounds);
    CU_add_test(s, "MM-24: LDT frames are taken when touched", ldt_faults);
    CU_add_test(s, "an LDT is found from user mode", ldt_is_found_from_user_mode);
    CU_add_test(s, "MM-24: a new LDT forgets the old frames", a_new_ldt_forgets_the_old_frames);
}
