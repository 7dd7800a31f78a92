/* SPDX-License-Identifier: MIT */
/*
 * Entries that are not present on a processor with L1TF (MM-27): refused at each level and on each
 * way into a table when they name RAM; what kernels that know of L1TF store is accepted; elsewhere
 * all is as ever. The processor is made up: NOT RUN ON SILICON.
 *
 * Sabotage: return true from pte_absent_ok(): at_each_level fails. Drop "& width" in
 * pte_absent_leaks(): above_the_width fails. Ignore PTE_PSE there: large_ones fails. Return true
 * from absent_are_ok(): at_promotion fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/mmu.h"
#include "fake/fake.h"

#include <tenue/percpu.h>
#include <tenue/pv.h>
#include <tenue/spec.h>

#define PROT_NONE_BIT (1ull << 8)
#define FREE_INDEX 200u /* absent in every table of the small guest */

static struct guest g;
static const unsigned tables[] = {0, 4, 3, 2, 1}; /* by level: frames of the small guest */

static void begin(bool affected)
{
    spec_plan.on = affected ? SPEC_L1TF_PTE : 0;
    guest_init(&g, fake_domain(5, 1, 200));
    fake_on_cpu(0);
    fake_run(g.d->vcpus[0]);
}

static void end(void)
{
    fake_run(NULL);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_TRUE(fake_destroy(g.d));
    spec_plan.on = 0;
}

static long set(unsigned level, uint64_t val)
{
    struct mmu_update req = {guest_maddr(&g, tables[level]) + FREE_INDEX * 8, val};
    long rc;

    memcpy(guest_ptr(&g, 62), &req, sizeof(req));
    rc = fake_hypercall(__HYPERVISOR_mmu_update, guest_va_at(62), 1, 0, DOMID_SELF);
    CU_ASSERT_EQUAL(guest_ptr(&g, tables[level])[FREE_INDEX], rc ? 0 : val);
    guest_ptr(&g, tables[level])[FREE_INDEX] = 0;
    return rc;
}

static void at_each_level(void)
{
    begin(true);
    for (unsigned level = 1; level <= 4; level++) {
        const uint64_t ram = guest_maddr(&g, 20);

        CU_ASSERT_EQUAL(set(level, ram), -XEN_EINVAL);
        CU_ASSERT_EQUAL(set(level, ram | PROT_NONE_BIT | PTE_RW), -XEN_EINVAL);
        CU_ASSERT_EQUAL(set(level, 1ull << 12), -XEN_EINVAL); /* somebody else's */
        CU_ASSERT_EQUAL(set(level, (uint64_t)(FAKE_FRAMES - 1) << 12), -XEN_EINVAL);
        CU_ASSERT_EQUAL(set(level, (uint64_t)FAKE_FRAMES << 12), 0);
        CU_ASSERT_EQUAL(set(level, PROT_NONE_BIT | PTE_RW), 0);            /* flags alone */
        CU_ASSERT_EQUAL(set(level, (~ram & PTE_ADDR) | PROT_NONE_BIT), 0); /* the complement */
        CU_ASSERT_EQUAL(set(level, 0), 0);
    }
    end();
}

/* The fake machine has 40 bits; an affected processor drops what is above. */
static void above_the_width(void)
{
    begin(true);
    CU_ASSERT_EQUAL(set(1, guest_maddr(&g, 20) | 1ull << 45), -XEN_EINVAL);
    CU_ASSERT_EQUAL(set(1, guest_maddr(&g, 20) | 1ull << 39), 0);
    end();
}

/* Low bits of a large page's address do not count. */
static void large_ones(void)
{
    begin(true);
    CU_ASSERT_EQUAL(set(2, PTE_PSE), -XEN_EINVAL);
    CU_ASSERT_EQUAL(set(3, PTE_PSE | 1ull << 29), -XEN_EINVAL);
    CU_ASSERT_EQUAL(set(2, PTE_PSE | 1ull << 38), 0);
    end();
}

static void at_promotion(void)
{
    begin(true);
    for (unsigned level = 1; level <= 4; level++) {
        const unsigned frame = 30 + level;
        uint64_t *t = guest_ptr(&g, frame);
        int rc;

        CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(frame),
                                       guest_maddr(&g, frame) | PTE_P, 0, 0),
                        0);
        t[FREE_INDEX] = guest_maddr(&g, 20) | PROT_NONE_BIT;
        rc = mmu_pin(g.d, g.frames[frame], (enum page_type)(PGT_L1 + level - 1));
        CU_ASSERT_EQUAL(rc, -XEN_EINVAL);
        t[FREE_INDEX] = (~guest_maddr(&g, 20) & PTE_ADDR) | PROT_NONE_BIT;
        rc = mmu_pin(g.d, g.frames[frame], (enum page_type)(PGT_L1 + level - 1));
        CU_ASSERT_EQUAL(rc, 0);
    }
    end();
}

static void elsewhere(void)
{
    begin(false);
    for (unsigned level = 1; level <= 4; level++)
        CU_ASSERT_EQUAL(set(level, guest_maddr(&g, 20) | PROT_NONE_BIT), 0);
    CU_ASSERT_EQUAL(set(2, PTE_PSE), 0);
    end();
}

void suite_l1tf(void);
void suite_l1tf(void)
{
    CU_pSuite s = CU_add_suite("l1tf", NULL, NULL);

    CU_add_test(s, "at_each_level", at_each_level);
    CU_add_test(s, "above_the_width", above_the_width);
    CU_add_test(s, "large_ones", large_ones);
    CU_add_test(s, "at_promotion", at_promotion);
    CU_add_test(s, "elsewhere", elsewhere);
}
