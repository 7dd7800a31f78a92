/* SPDX-License-Identifier: MIT */
/*
 * pv/mmu.c, mmu_op.c, mmuext_op.c, root.c: changing validated tables through the hypercalls, and
 * the same through emulated stores (ptwr.c) and grant mappings (grant_pte.c).
 *
 * Sabotage: in l1_classify() return L1_OPEN_UP whoever owns the frame: readonly_foreign_frames
 * fails. Add PTE_RW to PTE_L1_HARMLESS: every_bit_of_live_entries fails the audit. Drop the
 * is_mapping() test in mapping_replace(): grant_entries fails. Do not raise SOFTIRQ_TABLES in
 * pv_defer(): refused_pins_leave_plain_memory fails. In mmu_l1_set() drop nothing of the entry
 * before: the audit fails, in test_audit.c already. Let pte_l1_refusal() say -XEN_EINVAL:
 * foreign_frames and others fail.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/mmu.h"
#include "../../hypervisor/pv/root.h"
#include "fake/fake.h"

#include <tenue/entrypoints.h>
#include <tenue/m2p.h>
#include <tenue/percpu.h>
#include <tenue/pv.h>

#define ARGS 62u /* frame that carries hypercall arguments */
#define DONE (guest_va_at(ARGS) + 4088)

static struct guest g;
static uint64_t free_before;

static void begin(uint16_t domid)
{
    struct domain *d;

    free_before = READ_ONCE(heap_free_frames);
    d = domid ? fake_domain(domid, 2, 200) : control_domain;
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    guest_init(&g, d);
    fake_on_cpu(0);
    fake_run(d->vcpus[0]);
}

static void end(void)
{
    fake_preempt_every = 0;
    fake_on_cpu(0);
    fake_run(NULL);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_TRUE(fake_destroy(g.d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), free_before);
}

static uint32_t done(void)
{
    return (uint32_t)guest_ptr(&g, ARGS)[511];
}

static long update_many(const struct mmu_update *reqs, unsigned n, uint32_t domid)
{
    memcpy(guest_ptr(&g, ARGS), reqs, n * sizeof(*reqs));
    guest_ptr(&g, ARGS)[511] = 0xffffffff;
    return fake_hypercall(__HYPERVISOR_mmu_update, guest_va_at(ARGS), n, DONE, domid);
}

static long update(uint64_t ptr, uint64_t val, uint32_t domid)
{
    const struct mmu_update req = {ptr, val};

    return update_many(&req, 1, domid);
}

static long ext(unsigned cmd, uint64_t arg1, uint64_t arg2, uint32_t domid)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = arg1, .arg2.src_mfn = arg2};

    memcpy(guest_ptr(&g, ARGS), &op, sizeof(op));
    return fake_hypercall(__HYPERVISOR_mmuext_op, guest_va_at(ARGS), 1, DONE, domid);
}

static uint64_t l1_slot(unsigned frame)
{
    return guest_maddr(&g, g.l1) + frame * 8;
}

static long map(unsigned frame, uint64_t pte, uint64_t flags)
{
    return fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(frame), pte, flags, 0);
}

/* MM-3: flip each bit and then each neighbouring pair in a live entry of each level. */
static void every_bit_of_live_entries(void)
{
    const unsigned tables[] = {0, 4, 3, 2, 1};

    begin(5);
    for (unsigned level = 1; level <= 4; level++) {
        const unsigned index = level == 1 ? 20 : pte_index(GUEST_BASE, level);
        const uint64_t slot = guest_maddr(&g, tables[level]) + index * 8;
        const uint64_t live = guest_ptr(&g, tables[level])[index];

        for (unsigned bit = 0; bit < 64; bit++)
            for (unsigned pair = 0; pair < 2; pair++) {
                const uint64_t val = live ^ (1ull << bit) ^ (pair ? 1ull << (bit + 7) % 64 : 0);
                long rc = mmu_write_at(g.d, g.d, slot, val, MMU_SET);

                CU_ASSERT_EQUAL(fake_audit(), 0);
                if (rc)
                    CU_ASSERT_EQUAL(guest_ptr(&g, tables[level])[index] | PTE_A | PTE_D,
                                    live | PTE_A | PTE_D);
                CU_ASSERT_EQUAL(mmu_write_at(g.d, g.d, slot, live, MMU_SET), 0);
            }
    }
    end();
}

static void only_ones_own_frames(void)
{
    begin(5);
    for (uint64_t m = 0; m < FAKE_FRAMES + 8; m++) {
        const bool own = m < FAKE_FRAMES && page_owner(mfn_make(m)) == 5;
        const uint64_t pte = m << PAGE_SHIFT | PTE_P;
        const int rc = page_lookup(m) ? -XEN_EBUSY : -XEN_EPERM;

        if (own)
            continue;
        CU_ASSERT_EQUAL(update(l1_slot(20), pte, DOMID_SELF), rc);
        CU_ASSERT_EQUAL(update(l1_slot(20), pte | PTE_RW, DOMID_SELF), rc);
    }
    CU_ASSERT_EQUAL(update(l1_slot(20), PTE_ADDR | PTE_P, DOMID_SELF), -XEN_EPERM);
    CU_ASSERT_EQUAL(update(l1_slot(20), (uint64_t)FAKE_MMIO_FRAME << 12 | PTE_P, DOMID_SELF),
                    -XEN_EPERM);
    /* The shared page is its to map, writable. */
    CU_ASSERT_EQUAL(update(l1_slot(20),
                           mfn_to_maddr(ptr_to_mfn(g.d->shared_info)).a | PTE_P | PTE_RW,
                           DOMID_SELF),
                    0);
    CU_ASSERT_EQUAL(update(l1_slot(20), 0, DOMID_SELF), 0);
    end();
}

static void alignment_and_commands(void)
{
    begin(5);
    for (unsigned low = 4; low < 8; low++)
        CU_ASSERT_EQUAL(update(l1_slot(20) + low, 0, DOMID_SELF), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(update(~0ull << 3, 0, DOMID_SELF), -XEN_EINVAL);
    /* A frame that is no table: plain memory. */
    CU_ASSERT_EQUAL(update(guest_maddr(&g, 30) + 16, 0x1234567, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(guest_ptr(&g, 30)[2], 0x1234567);
    CU_ASSERT_EQUAL(update(mfn_to_maddr(ptr_to_mfn(g.d)).a, 0, DOMID_SELF), -XEN_EINVAL);
    /* Machine-to-physical: own frames only, any value (MM-16). */
    CU_ASSERT_EQUAL(update(guest_maddr(&g, 30) | MMU_MACHPHYS_UPDATE, ~5ull, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(m2p_get(g.frames[30]), ~5ull);
    CU_ASSERT_EQUAL(update(mfn_to_maddr(ptr_to_mfn(g.d)).a | MMU_MACHPHYS_UPDATE, 1, DOMID_SELF),
                    -XEN_EINVAL);
    end();
}

static void accessed_and_dirty_survive(void)
{
    uint64_t *slot;

    begin(5);
    slot = guest_ptr(&g, g.l1) + 20;
    CU_ASSERT_TRUE(fake_store(guest_va_at(20), 1));
    CU_ASSERT_EQUAL(*slot & (PTE_A | PTE_D), PTE_A | PTE_D);
    CU_ASSERT_EQUAL(
        update(l1_slot(20) | MMU_PT_UPDATE_PRESERVE_AD, guest_maddr(&g, 20) | PTE_P, DOMID_SELF),
        0);
    CU_ASSERT_EQUAL(*slot, guest_maddr(&g, 20) | PTE_P | PTE_US | PTE_A | PTE_D);
    CU_ASSERT_EQUAL(update(l1_slot(20), guest_maddr(&g, 20) | PTE_P, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(*slot & (PTE_A | PTE_D), 0);
    end();
}

/*
 * MM-9: what a refused pin took is given back before its vcpu runs again, however often that is
 * preempted: the frames are plain memory, also for calls that do not work on tables.
 */
static void refused_pins_leave_plain_memory(void)
{
    for (unsigned every = 1; every < 6; every++) {
        begin(5);
        for (unsigned i = 0; i < 8; i++) { /* an L2 of L1s; the last is no table */
            const uint64_t l1 = guest_maddr(&g, 41 + i);

            guest_ptr(&g, 40)[i] = l1 | PTE_P | PTE_RW | PTE_US;
            guest_ptr(&g, 41 + i)[3] = guest_maddr(&g, 30) | PTE_P | PTE_US;
            CU_ASSERT_EQUAL(map(40, guest_maddr(&g, 40) | PTE_P | PTE_US, 0), 0);
            if (i < 7)
                CU_ASSERT_EQUAL(map(41 + i, l1 | PTE_P | PTE_US, 0), 0);
        }
        fake_preempt_every = every;
        CU_ASSERT_EQUAL(ext(MMUEXT_PIN_L2_TABLE, g.frames[40].n, 0, DOMID_SELF), -XEN_EINVAL);
        for (unsigned i = 0; i < 8; i++)
            CU_ASSERT_EQUAL(map(40 + i, guest_maddr(&g, 40 + i) | PTE_P | PTE_RW | PTE_US, 0), 0);
        end();
    }
}

static uint64_t *walked;

static void the_walker_marks_it(void)
{
    *walked |= PTE_A;
}

/* MM-9: a compare-and-store that loses, here to the CPU's walk, has taken nothing. */
static void losing_stores_take_nothing(void)
{
    uint64_t val, old;

    begin(5);
    val = guest_maddr(&g, 40) | PTE_P | PTE_RW | PTE_US;
    walked = &guest_ptr(&g, g.l1)[20];
    /* Frame 40 was a table just now: becoming writable flushes, between the look and the store. */
    CU_ASSERT_EQUAL(map(40, guest_maddr(&g, 40) | PTE_P | PTE_US, 0), 0);
    CU_ASSERT_EQUAL(ext(MMUEXT_PIN_L1_TABLE, g.frames[40].n, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(ext(MMUEXT_UNPIN_TABLE, g.frames[40].n, 0, DOMID_SELF), 0);
    *walked &= ~PTE_A;
    old = *walked;
    fake_metal.after_flush = the_walker_marks_it;
    CU_ASSERT_EQUAL(mmu_l1_write(g.d, g.d, maddr_make(l1_slot(20)), val, MMU_COMPARE, &old),
                    -XEN_EAGAIN);
    CU_ASSERT_PTR_NULL(fake_metal.after_flush);
    CU_ASSERT_EQUAL(old, *walked);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(mmu_l1_write(g.d, g.d, maddr_make(l1_slot(20)), val, MMU_COMPARE, &old), 0);
    end();
}

/* LC-4: the control domain owes a table of another domain only until its vcpu runs again. */
static void foreign_tables_are_not_owed_for_long(void)
{
    unsigned owed = 0;
    struct guest other;
    struct vcpu *v;

    for (unsigned after = 1; after < 100; after += 3) {
        begin(5);
        other = g;
        for (unsigned i = 0; i < 64; i++)
            guest_ptr(&other, 40)[i] = guest_maddr(&other, i < 63 ? 41 : 30) | PTE_P | PTE_US;
        CU_ASSERT_EQUAL(map(40, guest_maddr(&g, 40) | PTE_P | PTE_US, 0), 0);
        CU_ASSERT_EQUAL(map(41, guest_maddr(&g, 41) | PTE_P | PTE_US, 0), 0);
        guest_init(&g, control_domain);
        v = control_domain->vcpus[0];
        fake_run(v);
        fake_preempt_every = 1;
        fake_abandon_after = after; /* its vcpu does not get to run again */
        (void)ext(MMUEXT_PIN_L2_TABLE, other.frames[40].n, 0, 5);
        fake_abandon_after = 0;
        if (pv_owes_tables(v)) {
            owed++;
            CU_ASSERT_TRUE(this_cpu()->softirqs & 1u << SOFTIRQ_TABLES);
            this_cpu()->softirqs = 1u << SOFTIRQ_TABLES; /* no choice of another vcpu here */
            guest_exit_work();
        }
        CU_ASSERT_FALSE(pv_owes_tables(v));
        fake_run(NULL);
        fake_preempt_every = 0;
        CU_ASSERT_EQUAL(fake_audit(), 0);
        CU_ASSERT_TRUE(fake_destroy(other.d));
        CU_ASSERT_EQUAL(fake_audit(), 0);
        fake_control_end();
        CU_ASSERT_PTR_NOT_NULL_FATAL(fake_control_begin(1));
    }
    CU_ASSERT_TRUE(owed > 5);
}

/* HC-7: a batch says exactly how far it came, preempted or not. */
static void batches_count_what_they_did(void)
{
    struct mmu_update reqs[40];

    begin(5);
    for (unsigned every = 0; every < 4; every++) {
        fake_preempt_every = every;
        for (unsigned i = 0; i < 40; i++)
            reqs[i] =
                (struct mmu_update){l1_slot(20 + i % 8), i & 8 ? guest_maddr(&g, 30) | PTE_P : 0};
        CU_ASSERT_EQUAL(update_many(reqs, 40, DOMID_SELF), 0);
        CU_ASSERT_EQUAL(done(), 40);
        CU_ASSERT_EQUAL(update_many(reqs, 0, DOMID_SELF), 0);
        CU_ASSERT_EQUAL(done(), 0);
        reqs[27].ptr = 4;
        CU_ASSERT_EQUAL(update_many(reqs, 40, DOMID_SELF), -XEN_ENOSYS);
        CU_ASSERT_EQUAL(done(), 27);
    }
    fake_preempt_every = 0;
    /* The array ends in the middle of nowhere. */
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_mmu_update, guest_va_at(GUEST_FRAMES) - 32, 5, 0, DOMID_SELF),
        -XEN_EINVAL);
    guest_ptr(&g, 63)[508] = guest_ptr(&g, 63)[510] = l1_slot(20);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_mmu_update, guest_va_at(GUEST_FRAMES) - 32, 5, DONE,
                                   DOMID_SELF),
                    -XEN_EFAULT);
    CU_ASSERT_EQUAL(done(), 2);
    end();
}

static void va_mappings_and_flushes(void)
{
    uint64_t value;

    begin(5);
    CU_ASSERT_TRUE(fake_load(guest_va_at(20), &value));
    CU_ASSERT_EQUAL(map(20, 0, UVMF_NONE), 0);
    CU_ASSERT_TRUE(fake_load(guest_va_at(20), &value)); /* nobody asked for a flush */
    CU_ASSERT_EQUAL(map(20, 0, UVMF_INVLPG), 0);
    CU_ASSERT_FALSE(fake_load(guest_va_at(20), &value));
    CU_ASSERT_EQUAL(map(20, guest_maddr(&g, 20) | PTE_P, UVMF_TLB_FLUSH | UVMF_ALL), 0);
    CU_ASSERT_TRUE(fake_load(guest_va_at(20), &value));
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, 0x1000, 0, 0, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, MACH2PHYS_VIRT_START, 0, 0, 0),
                    -XEN_EINVAL);
    /* A bitmap of vcpus: just one word is read. */
    guest_ptr(&g, 63)[511] = 3;
    CU_ASSERT_EQUAL(map(20, 0, UVMF_INVLPG | (guest_va_at(63) + 4088)), 0);
    CU_ASSERT_EQUAL(map(20, 0, UVMF_INVLPG | guest_va_at(GUEST_FRAMES)), -XEN_EFAULT);
    end();
}

/* MM-6: an upper entry changes without any flush; the very next walk of ours must see it. */
static void upper_levels_are_walked_afresh(void)
{
    begin(5);
    CU_ASSERT_EQUAL(map(40, 0, UVMF_INVLPG), 0);
    CU_ASSERT_EQUAL(map(20, guest_maddr(&g, 20) | PTE_P, 0), 0);
    CU_ASSERT_EQUAL(
        update(guest_maddr(&g, g.l2) + 8, guest_maddr(&g, 40) | PTE_P | PTE_RW, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(map(512 + 3, guest_maddr(&g, 30) | PTE_P, 0), 0);
    CU_ASSERT_EQUAL(guest_ptr(&g, 40)[3], guest_maddr(&g, 30) | PTE_P | PTE_US);
    CU_ASSERT_EQUAL(update(guest_maddr(&g, g.l2) + 8, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(map(512 + 3, guest_maddr(&g, 30) | PTE_P, 0), -XEN_EINVAL);
    end();
}

static void roots_are_switched_and_kept(void)
{
    struct vcpu *v;

    begin(5);
    v = g.d->vcpus[0];
    CU_ASSERT_EQUAL(ext(MMUEXT_NEW_USER_BASEPTR, g.frames[g.user_l4].n, 0, DOMID_SELF), 0);
    CU_ASSERT_TRUE(mfn_eq(v->pv.root_user, g.frames[g.user_l4]));
    CU_ASSERT_TRUE(mfn_eq(this_cpu()->root, g.frames[g.l4]));
    CU_ASSERT_EQUAL(ext(MMUEXT_NEW_USER_BASEPTR, 0, 0, DOMID_SELF), 0);
    CU_ASSERT_TRUE(mfn_is_none(v->pv.root_user));
    CU_ASSERT_EQUAL(ext(MMUEXT_NEW_BASEPTR, g.frames[20].n, 0, DOMID_SELF), -XEN_EINVAL);
    CU_ASSERT_EQUAL(ext(MMUEXT_NEW_BASEPTR, g.frames[g.l3].n, 0, DOMID_SELF), -XEN_EINVAL);
    CU_ASSERT_EQUAL(ext(MMUEXT_NEW_BASEPTR, ~0ull, 0, DOMID_SELF), -XEN_EINVAL);
    CU_ASSERT_EQUAL(ext(MMUEXT_NEW_BASEPTR, g.frames[g.l4].n, 0, 0), -XEN_EPERM);
    /* A copy of the root as another root; unpinned while loaded it stays valid (MM-18). */
    CU_ASSERT_EQUAL(map(40, 0, UVMF_INVLPG), 0);
    memcpy(guest_ptr(&g, 40), guest_ptr(&g, g.l4), PAGE_SIZE);
    CU_ASSERT_EQUAL(ext(MMUEXT_NEW_BASEPTR, g.frames[40].n, 0, DOMID_SELF), 0);
    CU_ASSERT_TRUE(mfn_eq(this_cpu()->root, g.frames[40]));
    CU_ASSERT_EQUAL(ext(MMUEXT_UNPIN_TABLE, g.frames[g.l4].n, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(ext(MMUEXT_PIN_L4_TABLE, g.frames[40].n, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(ext(MMUEXT_UNPIN_TABLE, g.frames[40].n, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_TRUE(fake_store(guest_va_at(30), 1));
    end();
}

/* Base pointers cost one root load each and no other flush. */
static void base_pointers_are_cheap(void)
{
    struct fake_counts before;

    begin(5);
    CU_ASSERT_EQUAL(map(40, 0, UVMF_INVLPG), 0);
    memcpy(guest_ptr(&g, 40), guest_ptr(&g, g.l4), PAGE_SIZE);
    CU_ASSERT_EQUAL(ext(MMUEXT_PIN_L4_TABLE, g.frames[40].n, 0, DOMID_SELF), 0);
    before = fake_counts;
    for (unsigned i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(ext(MMUEXT_NEW_BASEPTR, g.frames[i & 1 ? g.l4 : 40].n, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(fake_counts.full_flushes - before.full_flushes, 10);
    end();
}

static void hypervisor_slots_are_ours(void)
{
    begin(5);
    for (unsigned slot = 250; slot < 276; slot++) {
        const bool ours = slot >= 256 && slot < 272;
        long rc = update(guest_maddr(&g, g.l4) + slot * 8, 0, DOMID_SELF);

        CU_ASSERT_EQUAL(rc, ours ? -XEN_EINVAL : 0);
    }
    CU_ASSERT_EQUAL(
        update(guest_maddr(&g, g.l4) + 257 * 8, guest_maddr(&g, g.l3) | PTE_P, DOMID_SELF),
        -XEN_EINVAL);
    end();
}

static void other_operations(void)
{
    begin(5);
    guest_ptr(&g, 20)[5] = 77;
    CU_ASSERT_EQUAL(ext(MMUEXT_COPY_PAGE, g.frames[21].n, g.frames[20].n, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(guest_ptr(&g, 21)[5], 77);
    CU_ASSERT_EQUAL(ext(MMUEXT_CLEAR_PAGE, g.frames[21].n, 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(guest_ptr(&g, 21)[5], 0);
    CU_ASSERT_EQUAL(ext(MMUEXT_CLEAR_PAGE, g.frames[g.l1].n, 0, DOMID_SELF), -XEN_EINVAL);
    CU_ASSERT_EQUAL(ext(MMUEXT_COPY_PAGE, g.frames[g.l1].n, g.frames[20].n, DOMID_SELF),
                    -XEN_EINVAL);
    CU_ASSERT_EQUAL(ext(MMUEXT_FLUSH_CACHE, 0, 0, DOMID_SELF), -XEN_EACCES);
    CU_ASSERT_EQUAL(ext(MMUEXT_MARK_SUPER, 0, 0, DOMID_SELF), -XEN_EOPNOTSUPP);
    for (unsigned cmd = 21; cmd < 64; cmd++)
        CU_ASSERT_EQUAL(ext(cmd, 0, 0, DOMID_SELF), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(ext(14, 0, 0, DOMID_SELF), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(ext(MMUEXT_PIN_L1_TABLE, g.frames[20].n, 0, 0), -XEN_EPERM);
    end();
}

/* The control domain: devices with rules, other domains' frames with references (MM-14, MM-15). */
static void control_domain_maps(void)
{
    struct domain *d;
    struct guest other;
    const uint64_t dev = (uint64_t)FAKE_MMIO_FRAME << PAGE_SHIFT;

    d = fake_domain(6, 1, 200);
    guest_init(&other, d);
    begin(0);
    CU_ASSERT_EQUAL(update(l1_slot(20), dev | PTE_P | PTE_RW | PTE_PCD | PTE_PWT, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(guest_ptr(&g, g.l1)[20], dev | PTE_P | PTE_RW | PTE_PCD | PTE_PWT | PTE_US);
    CU_ASSERT_EQUAL(update(l1_slot(20), (dev + 0x1000) | PTE_P, DOMID_SELF), -XEN_EPERM);
    CU_ASSERT_EQUAL(update(l1_slot(20), 0x9f000 | PTE_P | PTE_RW, DOMID_SELF), 0); /* EBDA */
    /* RAM of the first MiB is nobody's: Linux looks for firmware's tables there. */
    CU_ASSERT_EQUAL(update(l1_slot(20), 0x80000 | PTE_P | PTE_RW, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(update(l1_slot(20), mfn_to_maddr(ptr_to_mfn(g.d)).a | PTE_P, DOMID_SELF),
                    -XEN_EBUSY);
    CU_ASSERT_EQUAL(update(l1_slot(20), 1ull << 45 | PTE_P, DOMID_SELF), -XEN_EPERM);
    CU_ASSERT_EQUAL(update(l1_slot(21), guest_maddr(&g, 21) | PTE_P | PTE_PCD, DOMID_SELF),
                    -XEN_EBUSY);

    CU_ASSERT_EQUAL(update(l1_slot(20), guest_maddr(&other, 20) | PTE_P | PTE_RW, DOMID_SELF),
                    -XEN_EBUSY);
    CU_ASSERT_EQUAL(update(l1_slot(20), guest_maddr(&other, 20) | PTE_P | PTE_RW, 6), 0);
    CU_ASSERT_EQUAL(update(l1_slot(21), guest_maddr(&other, other.l1) | PTE_P | PTE_RW, 6),
                    -XEN_EBUSY);
    CU_ASSERT_EQUAL(update(l1_slot(21), guest_maddr(&other, other.l1) | PTE_P, 6), 0);
    CU_ASSERT_EQUAL(update(l1_slot(21), guest_maddr(&other, 22) | PTE_P, 77), -XEN_ESRCH);
    CU_ASSERT_EQUAL(update(l1_slot(22), guest_maddr(&other, 22) | PTE_P | PTE_RW, 0x7ff4),
                    -XEN_ESRCH);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    /* The guest dies; what we map of it stays until we let go. */
    CU_ASSERT_FALSE(fake_destroy(d));
    CU_ASSERT_EQUAL(d->pages.total, 2);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(update(l1_slot(20), 0, DOMID_SELF), 0);
    CU_ASSERT_EQUAL(update(l1_slot(21), 0, DOMID_SELF), 0);
    CU_ASSERT_TRUE(fake_destroy(d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    /* The control domain lives on: take its guest apart by hand. */
    CU_ASSERT_EQUAL(ext(MMUEXT_UNPIN_TABLE, g.frames[g.l4].n, 0, DOMID_SELF), 0);
    fake_run(NULL);
    CU_ASSERT_EQUAL(pv_domain_relinquish(control_domain), 0);
    for (unsigned i = 0; i < GUEST_FRAMES; i++)
        CU_ASSERT_EQUAL(domain_release_frame(control_domain, g.frames[i]), 0);
    CU_ASSERT_EQUAL(control_domain->pages.total, 0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

/* What an emulated store comes down to: only if the entry equals *old when compare. */
static int table_store(uint64_t va, uint64_t val, bool compare, uint64_t *old)
{
    uint64_t seen = 0;
    const maddr_t at = ptwr_find(current_vcpu(), va, &seen);

    if (!at.a)
        return -XEN_ENOENT;
    if (!compare)
        *old = seen;
    return mmu_l1_write(g.d, g.d, at, val, MMU_COMPARE, old);
}

/* What a change may depend on or leave behind, stamps aside. */
struct outcome {
    int rc;
    uint64_t entry, counts[64], types[64];
};

static void outcome_take(struct outcome *o, int rc)
{
    *o = (struct outcome){.rc = rc, .entry = guest_ptr(&g, g.l1)[20]};
    for (unsigned i = 0; i < 64; i++) {
        const struct page *p = page_of(g.frames[i]);

        o->counts[i] = p->count;
        o->types[i] = p->type & T_STAMPED ? p->type & ~T_REFS_MASK : p->type;
    }
}

/* From every kind of entry to every kind: mmu_l1_set() does what mmu_l1_write() does. */
static void the_short_way_agrees(void)
{
    uint64_t values[20];
    unsigned n = 0;
    maddr_t at;

    begin(5);
    at = maddr_make(l1_slot(20));
    values[n++] = 0;
    values[n++] = 0xdeadbeef0ull & ~PTE_P;
    for (unsigned rw = 0; rw < 2; rw++) {
        const uint64_t bits = PTE_P | (rw ? PTE_RW : 0);

        values[n++] = guest_maddr(&g, 20) | bits;
        values[n++] = guest_maddr(&g, 20) | bits | PTE_A | PTE_D | PTE_G | PTE_NX;
        values[n++] = guest_maddr(&g, 30) | bits | PTE_US;
        values[n++] = guest_maddr(&g, 30) | bits | PTE_PCD;
        values[n++] = guest_maddr(&g, g.l1) | bits;
        values[n++] = guest_maddr(&g, g.l2) | bits;
        values[n++] = mfn_to_maddr(ptr_to_mfn(g.d)).a | bits;
        values[n++] = (uint64_t)FAKE_MMIO_FRAME << PAGE_SHIFT | bits;
        values[n++] = PTE_ADDR | bits;
    }
    for (unsigned from = 0; from < n; from++)
        for (unsigned to = 0; to < n; to++) {
            struct outcome by_set, by_write;
            uint64_t old;

            if (mmu_l1_write(g.d, g.d, at, values[from], MMU_SET, &old) != 0)
                break;
            outcome_take(&by_set, mmu_l1_set(g.d, g.d, at, values[to]));
            CU_ASSERT_EQUAL_FATAL(mmu_l1_write(g.d, g.d, at, values[from], MMU_SET, &old), 0);
            outcome_take(&by_write, mmu_l1_write(g.d, g.d, at, values[to], MMU_SET, &old));
            CU_ASSERT_EQUAL(memcmp(&by_set, &by_write, sizeof(by_set)), 0);
            CU_ASSERT_EQUAL(fake_audit(), 0);
        }
    end();
}

/* EMU-6: an emulated store and the hypercall agree on every value. */
static void emulated_stores_agree(void)
{
    const uint64_t va = guest_va_at(4) + 20 * 8; /* entry 20 of the L1, mapped read-only */
    uint64_t old, live, values[5];

    begin(5);
    live = guest_ptr(&g, g.l1)[20];
    values[0] = 0;
    values[1] = live & ~PTE_RW;
    values[2] = guest_maddr(&g, g.l2) | PTE_P | PTE_RW;
    values[3] = guest_maddr(&g, 30) | PTE_P | PTE_G | PTE_NX;
    values[4] = mfn_to_maddr(ptr_to_mfn(g.d)).a | PTE_P;
    for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
        uint64_t by_store;
        int rc = table_store(va, values[i], false, &old);

        by_store = guest_ptr(&g, g.l1)[20];
        CU_ASSERT_EQUAL(map(20, live, 0), 0);
        CU_ASSERT_EQUAL(map(20, values[i], 0), rc);
        CU_ASSERT_EQUAL(guest_ptr(&g, g.l1)[20], by_store);
        CU_ASSERT_EQUAL(map(20, live, 0), 0);
        CU_ASSERT_EQUAL(fake_audit(), 0);
    }
    old = 12345;
    CU_ASSERT_EQUAL(table_store(va, 0, true, &old), -XEN_EAGAIN);
    CU_ASSERT_EQUAL(old, live);
    CU_ASSERT_EQUAL(table_store(va, 0, true, &old), 0);
    CU_ASSERT_EQUAL(guest_ptr(&g, g.l1)[20], 0);
    CU_ASSERT_EQUAL(table_store(guest_va_at(g.l2), 0, false, &old), -XEN_ENOENT);
    CU_ASSERT_EQUAL(table_store(guest_va_at(30), 0, false, &old), -XEN_ENOENT);
    CU_ASSERT_EQUAL(table_store(MACH2PHYS_VIRT_START, 0, false, &old), -XEN_ENOENT);
    end();
}

/* GT-6: exactly the mapping that was made can be taken out; a read-only one stays read-only. */
static void grant_entries(void)
{
    const uint32_t ro_entry = GNTMAP_readonly | GNTMAP_contains_pte;
    const uint64_t all_free = READ_ONCE(heap_free_frames);
    struct domain *d = fake_domain(6, 1, 200);
    struct guest granter;

    guest_init(&granter, d);
    begin(5);
    CU_ASSERT_EQUAL(map(20, 0, UVMF_INVLPG), 0);
    CU_ASSERT_TRUE(page_get(granter.frames[30], d));
    CU_ASSERT_EQUAL(pv_grant_map(guest_va_at(20), GNTMAP_readonly, granter.frames[30]), GNTST_okay);
    CU_ASSERT_EQUAL(fake_audit(), 1); /* that no handle stands for it, and nothing else */
    /* Not by itself writable, whoever it says owns the frame. */
    CU_ASSERT_EQUAL(map(20, guest_maddr(&granter, 30) | PTE_P | PTE_RW, 0), -XEN_EBUSY);
    CU_ASSERT_EQUAL(pv_grant_unmap(guest_va_at(20), 0, granter.frames[30], 0), GNTST_general_error);
    CU_ASSERT_EQUAL(pv_grant_unmap(guest_va_at(20), GNTMAP_readonly, granter.frames[31], 0),
                    GNTST_general_error);
    CU_ASSERT_EQUAL(pv_grant_unmap(l1_slot(20) + 4, ro_entry, granter.frames[30], 0),
                    GNTST_general_error);
    CU_ASSERT_EQUAL(pv_grant_unmap(guest_maddr(&g, g.l2), ro_entry, granter.frames[30], 0),
                    GNTST_general_error);
    CU_ASSERT_EQUAL(pv_grant_unmap(l1_slot(20), ro_entry, granter.frames[30], 0), GNTST_okay);
    page_put(granter.frames[30]);
    CU_ASSERT_EQUAL(guest_ptr(&g, g.l1)[20], 0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    /* Writable, by entry address, with a software bit; then replaced by another mapping. */
    CU_ASSERT_EQUAL(page_get_and_type(granter.frames[30], d, PGT_WRITABLE), 0);
    CU_ASSERT_EQUAL(pv_grant_map(l1_slot(20), GNTMAP_contains_pte | 1 << _GNTMAP_guest_avail0,
                                 granter.frames[30]),
                    GNTST_okay);
    CU_ASSERT_EQUAL(guest_ptr(&g, g.l1)[20] & (PTE_RW | 7 << 9), PTE_RW | 1 << 9);
    CU_ASSERT_EQUAL(fake_audit(), 1);
    CU_ASSERT_EQUAL(pv_grant_unmap(guest_va_at(20), 0, granter.frames[30], guest_va_at(21)),
                    GNTST_okay);
    CU_ASSERT_EQUAL(page_put_and_type(granter.frames[30]), 0);
    CU_ASSERT_EQUAL(guest_ptr(&g, g.l1)[20] & PTE_ADDR, guest_maddr(&g, 21));
    CU_ASSERT_EQUAL(guest_ptr(&g, g.l1)[21], 0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_TRUE(fake_destroy(d));
    free_before = all_free;
    end();
}

void suite_mmu_op(void);
void suite_mmu_op(void)
{
    CU_pSuite s = CU_add_suite("mmu_op", NULL, NULL);

    CU_add_test(s, "MM-3: every bit of live entries", every_bit_of_live_entries);
    CU_add_test(s, "MM-13, 14: only one's own frames", only_ones_own_frames);
    CU_add_test(s, "MM-19, 16: alignment and commands", alignment_and_commands);
    CU_add_test(s, "accessed and dirty survive when asked", accessed_and_dirty_survive);
    CU_add_test(s, "HC-7: batches count what they did", batches_count_what_they_did);
    CU_add_test(s, "MM-9: losing stores take nothing", losing_stores_take_nothing);
    CU_add_test(s, "MM-9: refused pins leave plain memory", refused_pins_leave_plain_memory);
    CU_add_test(s, "LC-4: foreign tables are not owed for long",
                foreign_tables_are_not_owed_for_long);
    CU_add_test(s, "update_va_mapping and its flushes", va_mappings_and_flushes);
    CU_add_test(s, "MM-6: upper levels are walked afresh", upper_levels_are_walked_afresh);
    CU_add_test(s, "MM-18: roots are switched and kept", roots_are_switched_and_kept);
    CU_add_test(s, "base pointers cost one root load", base_pointers_are_cheap);
    CU_add_test(s, "MM-17: hypervisor slots are ours", hypervisor_slots_are_ours);
    CU_add_test(s, "HC-8: other operations and unknown ones", other_operations);
    CU_add_test(s, "MM-14, 15: what the control domain may map", control_domain_maps);
    CU_add_test(s, "the short way agrees with the general one", the_short_way_agrees);
    CU_add_test(s, "EMU-6: emulated stores agree", emulated_stores_agree);
    CU_add_test(s, "GT-6: grant entries", grant_entries);
}
