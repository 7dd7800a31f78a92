/* SPDX-License-Identifier: MIT */
/*
 * core/tlb.c: the clock that says who may still cache a translation (MM-4, MM-5).
 *
 * Sabotage: in tlb_stale_cpus() change >= into >: a_flush_before_the_stamp_does_not_count fails.
 * Drop the AGE_LIMIT half: a_cpu_that_never_flushes_stays_stale fails. In heap_flush_stale()
 * (pagealloc.c) flush all CPUs: only_the_stale_are_flushed fails.
 */
#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include "../../hypervisor/core/page_priv.h"

#include <tenue/percpu.h>

static void a_flush_after_the_stamp_counts(void)
{
    const uint32_t stamp = tlb_stamp();

    CU_ASSERT_EQUAL(tlb_stale_cpus(3, stamp), 3);
    hal_tlb_flush(1);
    CU_ASSERT_EQUAL(tlb_stale_cpus(3, stamp), 2);
    hal_tlb_flush(2);
    CU_ASSERT_EQUAL(tlb_stale_cpus(3, stamp), 0);
    CU_ASSERT_EQUAL(tlb_stale_cpus(0, stamp), 0);
}

static void a_flush_before_the_stamp_does_not_count(void)
{
    hal_tlb_flush(1);
    CU_ASSERT_EQUAL(tlb_stale_cpus(1, tlb_stamp()), 1);
}

/* A flush that began before the stamp and ends after it may have missed the translation. */
static void a_flush_around_the_stamp_does_not_count(void)
{
    uint32_t taken = tlb_flush_begin(), stamp = tlb_stamp();

    tlb_flush_end(taken);
    CU_ASSERT_EQUAL(tlb_stale_cpus(1, stamp), 1);
}

static void masks_beyond_the_cpus_are_ignored(void)
{
    hal_tlb_flush(~0ull);
    CU_ASSERT_EQUAL(tlb_stale_cpus(~0ull, tlb_stamp()), (1u << FAKE_CPUS) - 1);
}

/* The clock wraps; a CPU left behind for half its range must not look young. */
static void a_cpu_that_never_flushes_stays_stale(void)
{
    const uint32_t kept = cpus[1]->flush_stamp;
    uint32_t stamp = tlb_stamp();

    cpus[1]->flush_stamp = stamp - 0xc0000000u;
    CU_ASSERT_EQUAL(tlb_stale_cpus(2, stamp - 0xe0000000u), 2);
    CU_ASSERT_EQUAL(tlb_stale_cpus(2, stamp), 2);
    cpus[1]->flush_stamp = kept;
}

/* Whoever reuses a frame interrupts those CPUs that may still cache a translation to it. */
static void only_the_stale_are_flushed(void)
{
    const uint64_t frame_type = T_STAMPED | tlb_stamp();
    unsigned flushes;

    hal_tlb_flush(5);
    flushes = fake_counts.full_flushes;
    heap_flush_stale(frame_type);
    CU_ASSERT_EQUAL(fake_counts.full_flushes - flushes, FAKE_CPUS - 2);
    heap_flush_stale(frame_type);
    CU_ASSERT_EQUAL(fake_counts.full_flushes - flushes, FAKE_CPUS - 2);
}

void suite_tlb(void);
void suite_tlb(void)
{
    CU_pSuite s = CU_add_suite("tlb", NULL, NULL);

    CU_add_test(s, "a flush after the stamp counts", a_flush_after_the_stamp_counts);
    CU_add_test(s, "a flush before it does not", a_flush_before_the_stamp_does_not_count);
    CU_add_test(s, "a flush around it does not", a_flush_around_the_stamp_does_not_count);
    CU_add_test(s, "CPUs that do not exist are not stale", masks_beyond_the_cpus_are_ignored);
    CU_add_test(s, "a CPU that never flushes stays stale", a_cpu_that_never_flushes_stays_stale);
    CU_add_test(s, "only the stale are flushed", only_the_stale_are_flushed);
}
