/* SPDX-License-Identifier: MIT */
/*
 * Operations that another CPU's come in the middle of: what is checked first and done later must
 * be looked at again, or undone (MM-8, HC-11, LC-10).
 *
 * Sabotage: in mmu_pin() leave out the second look at dying: a_pin_meets_the_end fails. In
 * claimed_validate() return rc without partial_is_wanted(): half_a_validation_meets_the_end fails.
 * In vcpu_map_vcpu_info() store the frame plainly: an_area_is_registered_once fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/mmu.h"
#include "fake/fake.h"

#include <tenue/percpu.h>

static struct guest g;
static uint64_t free_before;

static void begin(void)
{
    free_before = READ_ONCE(heap_free_frames);
    guest_init(&g, fake_domain(5, 3, 200));
    fake_on_cpu(0);
    fake_run(g.d->vcpus[0]);
}

static void end(void)
{
    fake_metal_reset();
    fake_preempt_every = 0;
    CU_ASSERT_EQUAL(fake_audit(), 0);
    fake_run(NULL);
    CU_ASSERT_TRUE(fake_destroy(g.d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), free_before);
}

/* Frames 20 and 21 become an L2 and its L1, mapped nowhere. */
static void spare_tables(void)
{
    for (unsigned i = 20; i < 22; i++)
        CU_ASSERT_EQUAL(mmu_write_at(g.d, g.d, guest_maddr(&g, g.l1) + i * 8, 0, MMU_SET), 0);
    guest_ptr(&g, 20)[0] = guest_maddr(&g, 21) | PTE_P | PTE_RW;
    guest_ptr(&g, 20)[9] = guest_maddr(&g, 21) | PTE_P | PTE_RW;
    for (unsigned i = 0; i < 512; i += 100)
        guest_ptr(&g, 21)[i] = guest_maddr(&g, 30) | PTE_P | PTE_RW;
}

/* The search for pins and half-done validations is over when this is seen. */
static void its_end_begins(void)
{
    g.d->dying = DOMAIN_DYING;
}

static uint64_t type_word(unsigned frame)
{
    return page_of(g.frames[frame])->type;
}

/* Half undone is another thing: that is owed by a vcpu, and found through it. */
static bool is_half_validated(unsigned frame)
{
    return type_word(frame) & T_PARTIAL && type_refs(type_word(frame)) == 0;
}

static void a_pin_meets_the_end(void)
{
    begin();
    spare_tables();
    fake_metal.at_preempt_point = its_end_begins;
    CU_ASSERT_EQUAL(mmu_pin(g.d, g.frames[20], PGT_L2), -XEN_EINVAL);
    CU_ASSERT_EQUAL(type_word(20) & T_PINNED, 0);
    CU_ASSERT_EQUAL(type_refs(type_word(20)), 0);
    end();
}

static void half_a_validation_meets_the_end(void)
{
    for (unsigned every = 1; every < 6; every++) {
        begin();
        spare_tables();
        fake_metal.at_preempt_point = its_end_begins;
        fake_preempt_every = every;
        CU_ASSERT_EQUAL(mmu_pin(g.d, g.frames[20], PGT_L2), -XEN_EINVAL);
        CU_ASSERT_EQUAL(type_word(20) & T_PINNED, 0);
        CU_ASSERT_FALSE(is_half_validated(20));
        CU_ASSERT_FALSE(is_half_validated(21));
        end();
    }
}

static void the_other_registers_it(void)
{
    fake_metal.before_get_and_type = NULL;
    CU_ASSERT_EQUAL(vcpu_map_vcpu_info(g.d->vcpus[2], g.frames[31], 64), 0);
}

static void an_area_is_registered_once(void)
{
    begin();
    fake_metal.before_get_and_type = the_other_registers_it;
    CU_ASSERT_EQUAL(vcpu_map_vcpu_info(g.d->vcpus[2], g.frames[30], 128), -XEN_EINVAL);
    CU_ASSERT_TRUE(mfn_eq(g.d->vcpus[2]->vcpu_info_mfn, g.frames[31]));
    CU_ASSERT_PTR_EQUAL(g.d->vcpus[2]->vcpu_info, (char *)guest_ptr(&g, 31) + 64);
    end();
}

void suite_interleave(void);
void suite_interleave(void)
{
    CU_pSuite s = CU_add_suite("interleave", NULL, NULL);

    CU_add_test(s, "LC-10: a pin meets the domain's end", a_pin_meets_the_end);
    CU_add_test(s, "MM-8, LC-10: so does half a validation", half_a_validation_meets_the_end);
    CU_add_test(s, "HC-11: an area is registered once", an_area_is_registered_once);
}
