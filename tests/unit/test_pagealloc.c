/* SPDX-License-Identifier: MIT */
/*
 * core/pagealloc.c: blocks, their joining, address limits, and the flush that reuse owes (MM-5).
 *
 * Sabotage: in heap_take(), leave out heap_flush_stale(): reuse_flushes_stale_cpus fails. In
 * block_free(), leave out the merge loop: freed_blocks_join fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/core/page_priv.h"
#include "fake/fake.h"

static void counts_come_back(void)
{
    const uint64_t before = READ_ONCE(heap_free_frames);
    struct page *pg[4];

    for (unsigned i = 0; i < 4; i++) {
        pg[i] = heap_alloc(i, 64);
        CU_ASSERT_PTR_NOT_NULL_FATAL(pg[i]);
        CU_ASSERT_EQUAL(page_mfn(pg[i]).n & ((1u << i) - 1), 0);
    }
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), before - 15);
    for (unsigned i = 0; i < 4; i++)
        heap_free(pg[i], i);
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), before);
    CU_ASSERT_TRUE(READ_ONCE(heap_total_frames) <= FAKE_FRAMES);
}

/* Take everything in single frames, give it back, and find large blocks again. */
static void freed_blocks_join(void)
{
    const uint64_t before = READ_ONCE(heap_free_frames);
    unsigned largest = 18;
    uint32_t chain = 0;
    struct page *pg;

    while (largest > 0 && !(pg = heap_alloc(largest, 64)))
        largest--;
    CU_ASSERT_TRUE_FATAL(largest > 8);
    heap_free(pg, largest);
    while ((pg = heap_alloc(0, 64))) {
        pg->type = type_bits(PGT_WRITABLE) | T_STAMPED |
                   tlb_stamp(); /* as if it had been written */
        pg->next = chain;
        chain = (uint32_t)page_mfn(pg).n;
    }
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), 0);
    heap_free_chain(chain);
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), before);
    pg = heap_alloc(largest, 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pg);
    heap_free(pg, largest);
}

static void address_limits_hold(void)
{
    for (unsigned bits = 0; bits < 26; bits++) {
        struct page *pg = heap_alloc(0, bits);

        if (!pg)
            continue;
        CU_ASSERT_TRUE(page_mfn(pg).n < 1ull << (bits - PAGE_SHIFT));
        CU_ASSERT_TRUE(page_mfn(pg).n >= 256);
        heap_free(pg, 0);
    }
    CU_ASSERT_PTR_NULL(heap_alloc(0, 12));
    CU_ASSERT_PTR_NULL(heap_alloc(0, 20)); /* the first MiB is not given out */
    CU_ASSERT_PTR_NULL(heap_alloc(19, 64));
    CU_ASSERT_PTR_NULL(heap_alloc(63, 64));
}

/* Low memory is kept for those who ask for it. */
static void high_memory_goes_first(void)
{
    struct page *pg = heap_alloc(0, 64);

    CU_ASSERT_PTR_NOT_NULL_FATAL(pg);
    CU_ASSERT_TRUE(page_mfn(pg).n >= FAKE_FRAMES / 2);
    heap_free(pg, 0);
}

static void reuse_flushes_stale_cpus(void)
{
    struct page *pg = heap_alloc(0, 64), *again;
    uint32_t stamp;

    CU_ASSERT_PTR_NOT_NULL_FATAL(pg);
    heap_free(pg, 0);
    stamp = tlb_stamp();
    CU_ASSERT_NOT_EQUAL(tlb_stale_cpus(~0ull, stamp), 0);
    again = heap_alloc(0, 64);
    CU_ASSERT_PTR_EQUAL(again, pg);
    CU_ASSERT_EQUAL(tlb_stale_cpus(~0ull, stamp), 0);
    heap_free(again, 0);
}

/* A block takes the latest stamp of what was joined into it. */
static void joined_block_keeps_latest_stamp(void)
{
    struct page *pg = heap_alloc(1, 64), *again;
    uint32_t stamp;

    CU_ASSERT_PTR_NOT_NULL_FATAL(pg);
    heap_free(pg + 1, 0);
    hal_tlb_flush(~0ull);
    heap_free(pg, 0);
    stamp = tlb_stamp();
    again = heap_alloc(1, 64);
    CU_ASSERT_PTR_EQUAL(again, pg);
    CU_ASSERT_EQUAL(tlb_stale_cpus(~0ull, stamp), 0);
    heap_free(again, 1);
}

static void hypervisor_pages_are_zero(void)
{
    uint8_t *p = hv_alloc_pages(1), *q;

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    memset(p, 0x5a, 2 * PAGE_SIZE);
    hv_free_pages(p, 1);
    q = hv_alloc_pages(1);
    CU_ASSERT_PTR_EQUAL(p, q);
    for (unsigned i = 0; i < 2 * PAGE_SIZE; i++)
        if (q[i]) {
            CU_FAIL("not zeroed");
            break;
        }
    hv_free_pages(q, 1);
}

void suite_pagealloc(void);
void suite_pagealloc(void)
{
    CU_pSuite s = CU_add_suite("pagealloc", NULL, NULL);

    CU_add_test(s, "free frames come back to the frame", counts_come_back);
    CU_add_test(s, "freed blocks join", freed_blocks_join);
    CU_add_test(s, "address limits hold", address_limits_hold);
    CU_add_test(s, "high memory goes first", high_memory_goes_first);
    CU_add_test(s, "MM-5: reuse flushes stale CPUs", reuse_flushes_stale_cpus);
    CU_add_test(s, "MM-5: a joined block keeps the latest stamp", joined_block_keeps_latest_stamp);
    CU_add_test(s, "MM-12: hypervisor pages come zeroed", hypervisor_pages_are_zero);
}
