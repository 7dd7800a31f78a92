/* SPDX-License-Identifier: MIT */
/*
 * pv/pagetype.c: one type at a time, validation that can stop anywhere, and no stale translation.
 *
 * Sabotage: in claim_idle() leave out heap_flush_stale(): promotion_flushes_stale_writers fails. In
 * claimed_validate() store T_VALID before contents_validate(): bad_entries_leave_no_trace fails.
 * In table_devalidate() set *cursor = i on a preempted drop: preempted_everywhere fails the audit.
 */
#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/mmu.h"
#include "../../hypervisor/pv/root.h"
#include "fake/fake.h"

#include <tenue/percpu.h>
#include <tenue/pv.h>

#define LINK (PTE_P | PTE_RW | PTE_US)

static struct guest g;
static uint64_t free_before;

static void begin(void)
{
    struct domain *d;

    free_before = READ_ONCE(heap_free_frames);
    d = fake_domain(5, 2, 200);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    guest_init(&g, d);
    fake_on_cpu(0);
    fake_run(d->vcpus[0]);
}

static void end(void)
{
    fake_preempt_every = 0;
    fake_on_restart = NULL;
    fake_on_cpu(0);
    fake_run(NULL);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_TRUE(fake_destroy(g.d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), free_before);
}

/* Free of its mapping, frame i can become anything. */
static void unmap(unsigned i)
{
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(i), 0, 0, 0), 0);
}

static long pin(unsigned i, unsigned level)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L1_TABLE + level - 1, .arg1.mfn = g.frames[i].n};

    guest_ptr(&g, 63)[0] = 0;
    *(struct mmuext_op *)guest_ptr(&g, 63) = op;
    return fake_hypercall(__HYPERVISOR_mmuext_op, guest_va_at(63), 1, 0, DOMID_SELF);
}

static long unpin(unsigned i)
{
    *(struct mmuext_op *)guest_ptr(&g, 63) =
        (struct mmuext_op){.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = g.frames[i].n};
    return fake_hypercall(__HYPERVISOR_mmuext_op, guest_va_at(63), 1, 0, DOMID_SELF);
}

static enum page_type in_use_as(unsigned i)
{
    const uint64_t t = page_of(g.frames[i])->type;

    return type_refs(t) ? type_of(t) : PGT_NONE;
}

static void one_type_at_a_time(void)
{
    static const enum page_type types[] = {PGT_WRITABLE, PGT_L1, PGT_L2, PGT_L3, PGT_L4, PGT_DESC};

    begin();
    unmap(20);
    for (unsigned a = 0; a < ARRAY_LEN(types); a++) {
        CU_ASSERT_EQUAL(page_get_and_type(g.frames[20], g.d, types[a]), 0);
        for (unsigned b = 0; b < ARRAY_LEN(types); b++) {
            int rc = page_get_and_type(g.frames[20], g.d, types[b]);

            CU_ASSERT_EQUAL(rc == 0, a == b);
            if (rc == 0)
                CU_ASSERT_EQUAL(page_put_and_type(g.frames[20]), 0);
        }
        CU_ASSERT_EQUAL(page_put_and_type(g.frames[20]), 0);
    }
    end();
}

static void mapped_writable_is_no_table(void)
{
    begin();
    for (unsigned level = 1; level <= 4; level++)
        CU_ASSERT_EQUAL(pin(20, level), -XEN_EINVAL);
    unmap(20);
    CU_ASSERT_EQUAL(pin(20, 1), 0);
    CU_ASSERT_EQUAL(in_use_as(20), PGT_L1);
    /* And the reverse: a table cannot be mapped writable, but can be read-only. */
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(20),
                                   guest_maddr(&g, 20) | PTE_P | PTE_RW, 0, 0),
                    -XEN_EBUSY);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(20),
                                   guest_maddr(&g, 20) | PTE_P, 0, 0),
                    0);
    CU_ASSERT_EQUAL(pin(20, 1), -XEN_EINVAL); /* pinned already */
    CU_ASSERT_EQUAL(unpin(20), 0);
    CU_ASSERT_EQUAL(unpin(20), -XEN_EINVAL);
    CU_ASSERT_EQUAL(in_use_as(20), PGT_NONE);
    end();
}

/* Another CPU wrote the frame and was never flushed: pinning must see to it (MM-4). */
static void promotion_flushes_stale_writers(void)
{
    begin();
    fake_on_cpu(1);
    fake_run(g.d->vcpus[1]);
    CU_ASSERT_TRUE(fake_store(guest_va_at(20), 1));
    fake_on_cpu(0);
    unmap(20);
    fake_on_cpu(1);
    CU_ASSERT_TRUE(fake_store(guest_va_at(20), 0)); /* stale, and harmless so far */
    fake_on_cpu(0);
    CU_ASSERT_EQUAL(pin(20, 1), 0);
    CU_ASSERT_EQUAL(fake_tlb_audit(), 0);
    fake_on_cpu(1);
    CU_ASSERT_FALSE(fake_store(guest_va_at(20), 0));
    fake_run(NULL);
    end();
}

/* A frame that a structure cache still knows as a table must not become plain memory (MM-5). */
static void demotion_flushes_stale_tables(void)
{
    uint64_t value;

    begin();
    unmap(20);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(20), 0, 0, 0), 0);
    guest_ptr(&g, 20)[0] = guest_maddr(&g, 30) | PTE_P;
    /* Hang it into the L2, touch what it maps, take it out again, and make it writable. */
    CU_ASSERT_EQUAL(
        mmu_write_at(g.d, g.d, guest_maddr(&g, g.l2) + 8, guest_maddr(&g, 20) | LINK, MMU_SET), 0);
    CU_ASSERT_TRUE(fake_load(GUEST_BASE + (2ull << 20), &value));
    CU_ASSERT_EQUAL(mmu_write_at(g.d, g.d, guest_maddr(&g, g.l2) + 8, 0, MMU_SET), 0);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(20),
                                   guest_maddr(&g, 20) | PTE_P | PTE_RW, 0, 0),
                    0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    end();
}

static unsigned audits;

static void audit_now(void)
{
    audits += fake_audit();
}

/* A second tree: l4 40 -> l3 41 -> l2 42 -> l1s 43, 44; l2 42 in two slots. */
static void second_tree(void)
{
    for (unsigned i = 40; i < 45; i++)
        unmap(i);
    guest_ptr(&g, 40)[0] = guest_maddr(&g, 41) | LINK;
    guest_ptr(&g, 40)[511] = guest_maddr(&g, 41) | LINK;
    guest_ptr(&g, 41)[0] = guest_maddr(&g, 42) | LINK;
    guest_ptr(&g, 41)[255] = guest_maddr(&g, 42) | LINK;
    guest_ptr(&g, 42)[1] = guest_maddr(&g, 43) | LINK;
    guest_ptr(&g, 42)[511] = guest_maddr(&g, 44) | LINK;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        guest_ptr(&g, 43)[i] = guest_maddr(&g, 50 + i % 10) | PTE_P | PTE_RW;
        guest_ptr(&g, 44)[i] = i % 3 ? guest_maddr(&g, 50 + i % 10) | PTE_P : 0xdead0000u;
    }
}

static void preempted_everywhere(void)
{
    for (unsigned every = 1; every < 12; every++) {
        begin();
        second_tree();
        audits = 0;
        fake_on_restart = audit_now;
        fake_preempt_every = every;
        CU_ASSERT_EQUAL(pin(40, 4), 0);
        if (every == 1)
            CU_ASSERT_TRUE(fake_restarts > 4);
        CU_ASSERT_EQUAL(in_use_as(44), PGT_L1);
        CU_ASSERT_EQUAL(unpin(40), 0);
        CU_ASSERT_EQUAL(in_use_as(40), PGT_NONE);
        CU_ASSERT_EQUAL(in_use_as(43), PGT_NONE);
        CU_ASSERT_EQUAL(audits, 0);
        end();
    }
}

/* The guest never comes back to finish: its frames must still go with it (MM-8, LC-4). */
static void abandoned_half_way(void)
{
    for (unsigned after = 1; after < 24; after++) {
        begin();
        second_tree();
        fake_preempt_every = 1;
        fake_abandon_after = after;
        if (pin(40, 4) == 0)
            (void)unpin(40);
        CU_ASSERT_EQUAL(fake_audit(), 0);
        fake_abandon_after = 0;
        end();
    }
}

/* Others meet a half-validated table: same type joins in, another is refused. */
static void partial_state_is_exclusive(void)
{
    begin();
    second_tree();
    fake_preempt_every = 2;
    fake_abandon_after = 1;
    CU_ASSERT_EQUAL(pin(40, 4), -XEN_ERESTART);
    fake_abandon_after = fake_preempt_every = 0;
    CU_ASSERT_TRUE((page_of(g.frames[40])->type & T_PARTIAL) != 0);
    CU_ASSERT_EQUAL(page_get_and_type(g.frames[40], g.d, PGT_L3), -XEN_EINVAL);
    CU_ASSERT_EQUAL(page_get_and_type(g.frames[40], g.d, PGT_WRITABLE), -XEN_EINVAL);
    CU_ASSERT_EQUAL(unpin(40), -XEN_EINVAL);
    CU_ASSERT_EQUAL(domain_steal_frame(g.d, g.frames[40]), -XEN_EINVAL);
    CU_ASSERT_EQUAL(page_get_and_type(g.frames[40], g.d, PGT_L4), 0);
    CU_ASSERT_EQUAL(fake_tlb_audit(), 0);
    CU_ASSERT_EQUAL(page_put_and_type(g.frames[40]), 0);
    CU_ASSERT_EQUAL(in_use_as(44), PGT_NONE);
    end();
}

static void bad_entries_leave_no_trace(void)
{
    static const unsigned where[] = {0, 1, 255, 511};
    const uint64_t hv_frame = mfn_to_maddr(ptr_to_mfn(control_domain)).a;

    for (unsigned level = 1; level <= 4; level++)
        for (unsigned w = 0; w < ARRAY_LEN(where); w++)
            for (unsigned every = 0; every < 4; every++) {
                const unsigned table = level == 1 ? 44 : 44 - level;
                uint64_t *slot;

                begin();
                second_tree();
                if (level == 4 && root_slot_is_ours(where[w])) {
                    end();
                    continue;
                }
                slot = guest_ptr(&g, table) + where[w];
                *slot = hv_frame | LINK;
                fake_preempt_every = every;
                CU_ASSERT_EQUAL(pin(40, 4), level == 1 ? -XEN_EBUSY : -XEN_EINVAL);
                fake_preempt_every = 0;
                CU_ASSERT_EQUAL(fake_audit(), 0);
                /* With the entry repaired the same frames serve. */
                *slot = 0;
                CU_ASSERT_EQUAL(pin(40, 4), 0);
                CU_ASSERT_EQUAL(unpin(40), 0);
                for (unsigned i = 40; i < 45; i++)
                    CU_ASSERT_EQUAL(in_use_as(i), PGT_NONE);
                end();
            }
}

static void no_level_contains_itself(void)
{
    begin();
    for (unsigned level = 2; level <= 4; level++) {
        const unsigned table = 44 - level;

        second_tree();
        guest_ptr(&g, table)[7] = guest_maddr(&g, table) | PTE_P | PTE_US;
        CU_ASSERT_EQUAL(pin(table, level), -XEN_EINVAL);
        guest_ptr(&g, table)[7] = 0;
        if (level < 4) { /* a chain to its own parent */
            guest_ptr(&g, table)[7] = guest_maddr(&g, table - 1) | LINK;
            CU_ASSERT_EQUAL(pin(table - 1, level + 1), -XEN_EINVAL);
            guest_ptr(&g, table)[7] = 0;
        }
        CU_ASSERT_EQUAL(fake_audit(), 0);
    }
    end();
}

static void roots_hold_the_template(void)
{
    begin();
    second_tree();
    for (unsigned i = HV_L4_FIRST; i < HV_L4_FIRST + HV_L4_COUNT; i++)
        guest_ptr(&g, 40)[i] = guest_maddr(&g, 41) | LINK; /* ignored */
    CU_ASSERT_EQUAL(pin(40, 4), 0);
    for (unsigned i = HV_L4_FIRST; i < HV_L4_FIRST + HV_L4_COUNT; i++)
        CU_ASSERT_EQUAL(guest_ptr(&g, 40)[i], hal_root_template[i]);
    CU_ASSERT_EQUAL(unpin(40), 0);
    for (unsigned i = HV_L4_FIRST; i < HV_L4_FIRST + HV_L4_COUNT; i++)
        CU_ASSERT_EQUAL(guest_ptr(&g, 40)[i], 0);
    end();
}

static void released_but_pinned(void)
{
    begin();
    unmap(20);
    CU_ASSERT_EQUAL(pin(20, 1), 0);
    CU_ASSERT_EQUAL(domain_release_frame(g.d, g.frames[20]), 0);
    CU_ASSERT_EQUAL(in_use_as(20), PGT_L1);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(unpin(20), 0); /* and only now it goes */
    CU_ASSERT_EQUAL(page_owner(g.frames[20]), DOMID_INVALID);
    end();
}

void suite_pagetype(void);
void suite_pagetype(void)
{
    CU_pSuite s = CU_add_suite("pagetype", NULL, NULL);

    CU_add_test(s, "MM-1: one type at a time", one_type_at_a_time);
    CU_add_test(s, "MM-1: what is mapped writable is no table", mapped_writable_is_no_table);
    CU_add_test(s, "MM-4: promotion flushes stale writers", promotion_flushes_stale_writers);
    CU_add_test(s, "MM-5: demotion flushes stale tables", demotion_flushes_stale_tables);
    CU_add_test(s, "MM-8: preempted at every entry", preempted_everywhere);
    CU_add_test(s, "MM-8, LC-4: abandoned half way", abandoned_half_way);
    CU_add_test(s, "MM-8: a partial state is exclusive", partial_state_is_exclusive);
    CU_add_test(s, "MM-9: bad entries leave no trace", bad_entries_leave_no_trace);
    CU_add_test(s, "MM-7: no level contains itself", no_level_contains_itself);
    CU_add_test(s, "MM-17: roots hold the template", roots_hold_the_template);
    CU_add_test(s, "MM-22: a release does not unpin", released_but_pinned);
}
