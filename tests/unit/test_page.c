/* SPDX-License-Identifier: MIT */
/*
 * core/page.c: who owns a frame, how many refer to it, and what is left of a dead domain.
 *
 * Sabotage: leave out frames_clear() where a domain gets frames, or in heap_free_chain() say
 * C_CLEAN whatever the type is, or in type_at_birth() forget the control domain: the fake machine
 * ends the program (a frame reaches a domain uncleared) or tests fail all over. In page_get_owned()
 * drop refs_may_grow(): counts_refuse_to_wrap fails. In page_free_last() skip list_unlink(): the
 * audit in guest_released_frames_go fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/core/page_priv.h"
#include "fake/fake.h"

static uint64_t free_before;

static struct domain *begin(uint32_t max)
{
    struct domain *d;

    free_before = READ_ONCE(heap_free_frames);
    d = fake_domain(9, 1, max);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    return d;
}

static void end(struct domain *d)
{
    CU_ASSERT_TRUE(fake_destroy(d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), free_before); /* LC-4 */
}

static void frames_come_zeroed(void)
{
    struct domain *d = begin(64);
    mfn_t m;
    uint64_t *p;

    CU_ASSERT_EQUAL(domain_alloc_frames(d, 2, 64, &m), 0);
    p = mfn_to_ptr(m);
    for (unsigned i = 0; i < 4 * 512; i++)
        if (p[i]) {
            CU_FAIL("not zeroed");
            break;
        }
    for (unsigned i = 0; i < 4; i++)
        memset(fake_written(mfn_add(m, i)), 0x77, PAGE_SIZE);
    CU_ASSERT_EQUAL(domain_release_frame(d, m), 0);
    CU_ASSERT_EQUAL(domain_alloc_frames(d, 0, 64, &m), 0);
    CU_ASSERT_EQUAL(*(uint64_t *)mfn_to_ptr(m), 0);
    end(d);
}

static struct domain *taker;

static void the_other_takes_some(void)
{
    mfn_t m;

    CU_ASSERT_EQUAL(domain_alloc_frames(taker, 3, 64, &m), 0);
}

/* LC-8: what fitted when the domain asked need not when it is given. */
static void the_maximum_holds_in_a_race(void)
{
    mfn_t m;

    taker = begin(20);
    fake_metal.after_heap_take = the_other_takes_some;
    CU_ASSERT_EQUAL(domain_alloc_frames(taker, 4, 64, &m), -XEN_E2BIG);
    CU_ASSERT_EQUAL(taker->pages.total, 8);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    end(taker);
}

static bool known_zero_after(struct domain *d, bool was_writable)
{
    mfn_t m;

    CU_ASSERT_EQUAL(domain_alloc_frames(d, 0, 64, &m), 0);
    if (was_writable) {
        CU_ASSERT_EQUAL(page_get_and_type(m, d, PGT_WRITABLE), 0);
        CU_ASSERT_EQUAL(page_put_and_type(m), 0);
    }
    CU_ASSERT_EQUAL(domain_release_frame(d, m), 0);
    return page_of(m)->count & C_CLEAN;
}

/* Clearing is spared exactly for what nobody, and no device of the control domain's, could write.
 */
static void untouched_frames_stay_zero(void)
{
    struct domain *d = begin(64);

    CU_ASSERT_TRUE(known_zero_after(d, false));
    CU_ASSERT_FALSE(known_zero_after(d, true));
    CU_ASSERT_FALSE(known_zero_after(control_domain, false));
    end(d);
}

static void the_maximum_holds(void)
{
    struct domain *d = begin(10);
    mfn_t m;

    CU_ASSERT_EQUAL(domain_alloc_frames(d, 3, 64, &m), 0);
    CU_ASSERT_EQUAL(domain_alloc_frames(d, 2, 64, &m), -XEN_E2BIG);
    CU_ASSERT_EQUAL(domain_alloc_frames(d, 1, 64, &m), 0);
    CU_ASSERT_EQUAL(domain_alloc_frames(d, 0, 64, &m), -XEN_E2BIG);
    d->pages.max = 5; /* lowered below what it has */
    CU_ASSERT_EQUAL(domain_alloc_frames(d, 0, 64, &m), -XEN_E2BIG);
    CU_ASSERT_EQUAL(domain_alloc_frames(d, 19, 64, &m), -XEN_EINVAL);
    d->pages.max = ~0u;
    CU_ASSERT_EQUAL(domain_alloc_frames(d, 18, 64, &m), -XEN_ENOMEM);
    CU_ASSERT_EQUAL(d->pages.total, 10);
    end(d);
}

static void the_dying_gain_nothing(void)
{
    struct domain *d = begin(10);
    const uint64_t avail = READ_ONCE(heap_free_frames);
    mfn_t m;

    d->dying = DOMAIN_DYING;
    CU_ASSERT_EQUAL(domain_alloc_frames(d, 0, 64, &m), -XEN_EINVAL);
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), avail);
    end(d);
}

static void references_need_the_owner(void)
{
    struct domain *d = begin(10);
    mfn_t m;

    CU_ASSERT_EQUAL(domain_alloc_frames(d, 0, 64, &m), 0);
    CU_ASSERT_FALSE(page_get(m, control_domain));
    CU_ASSERT_TRUE(page_get(m, d));
    CU_ASSERT_TRUE(page_get(m, d));
    CU_ASSERT_EQUAL(page_owner(m), 9);
    page_put(m);
    page_put(m);
    CU_ASSERT_FALSE(page_get(mfn_make(0), d));
    CU_ASSERT_FALSE(page_get(mfn_make(FAKE_FRAMES), d));
    CU_ASSERT_FALSE(page_get(MFN_NONE, d));
    CU_ASSERT_FALSE(page_get(ptr_to_mfn(d), d)); /* the hypervisor's own (MM-13) */
    CU_ASSERT_EQUAL(page_owner(ptr_to_mfn(d)), DOMID_INVALID);
    end(d);
}

static void counts_refuse_to_wrap(void)
{
    struct domain *d = begin(10);
    struct page *p;
    mfn_t m;

    CU_ASSERT_EQUAL(domain_alloc_frames(d, 0, 64, &m), 0);
    p = page_of(m);
    p->count += REFS_MAX - 2;
    CU_ASSERT_TRUE(page_get(m, d));
    CU_ASSERT_FALSE(page_get(m, d));
    CU_ASSERT_FALSE(page_get(m, d));
    p->count -= REFS_MAX - 1;
    CU_ASSERT_TRUE(page_get_writable(p));
    p->type += REFS_MAX - 1;
    CU_ASSERT_FALSE(page_get_writable(p));
    p->type -= REFS_MAX - 1;
    page_put_writable(p);
    end(d);
}

static void a_frame_is_released_once(void)
{
    struct domain *d = begin(10);
    mfn_t m;

    CU_ASSERT_EQUAL(domain_alloc_frames(d, 0, 64, &m), 0);
    CU_ASSERT_TRUE(page_get(m, d));
    CU_ASSERT_EQUAL(domain_release_frame(control_domain, m), -XEN_EINVAL);
    CU_ASSERT_EQUAL(domain_release_frame(d, m), 0);
    CU_ASSERT_EQUAL(domain_release_frame(d, m), -XEN_EINVAL);
    CU_ASSERT_EQUAL(d->pages.total, 1); /* still its frame while referenced */
    page_put(m);
    CU_ASSERT_EQUAL(d->pages.total, 0);
    CU_ASSERT_EQUAL(page_owner(m), DOMID_INVALID);
    end(d);
}

static void foreign_references_keep_a_dead_domain(void)
{
    struct domain *d = begin(10);
    mfn_t m, other;

    CU_ASSERT_EQUAL(domain_alloc_frames(d, 0, 64, &m), 0);
    CU_ASSERT_EQUAL(domain_alloc_frames(d, 1, 64, &other), 0);
    CU_ASSERT_TRUE(page_get(m, d));
    CU_ASSERT_FALSE(fake_destroy(d)); /* a zombie: visible until we let go (GT-16) */
    CU_ASSERT_EQUAL(d->pages.total, 1);
    CU_ASSERT_EQUAL(page_owner(other), DOMID_INVALID);
    page_put(m);
    end(d);
}

static void theft_needs_an_unused_frame(void)
{
    struct domain *d = begin(10);
    mfn_t m;

    CU_ASSERT_EQUAL(domain_alloc_frames(d, 0, 64, &m), 0);
    CU_ASSERT_TRUE(page_get(m, d));
    CU_ASSERT_EQUAL(domain_steal_frame(d, m), -XEN_EINVAL);
    page_put(m);
    CU_ASSERT_EQUAL(domain_steal_frame(control_domain, m), -XEN_EINVAL);
    CU_ASSERT_EQUAL(domain_steal_frame(d, m), 0);
    CU_ASSERT_FALSE(page_get(m, d));
    CU_ASSERT_EQUAL(domain_steal_frame(d, m), -XEN_EINVAL);
    domain_return_frame(d, m);
    CU_ASSERT_TRUE(page_get(m, d));
    page_put(m);
    CU_ASSERT_EQUAL(domain_steal_frame(d, m), 0);
    d->dying = DOMAIN_DYING; /* died meanwhile: the frame goes to the heap instead */
    domain_return_frame(d, m);
    CU_ASSERT_EQUAL(d->pages.total, 0);
    end(d);
}

static void shared_pages_are_never_tables(void)
{
    struct domain *d = begin(10);
    void *p = hv_alloc_page();
    mfn_t m = ptr_to_mfn(p);

    page_share(p, d);
    CU_ASSERT_EQUAL(page_get_and_type(m, d, PGT_WRITABLE), 0);
    CU_ASSERT_EQUAL(page_get_and_type(m, d, PGT_L1), -XEN_EINVAL);
    CU_ASSERT_EQUAL(page_get_and_type(m, control_domain, PGT_WRITABLE), -XEN_EINVAL);
    CU_ASSERT_EQUAL(page_unshare(p, d), -XEN_EBUSY);
    CU_ASSERT_EQUAL(domain_release_frame(d, m), -XEN_EINVAL);
    CU_ASSERT_EQUAL(domain_steal_frame(d, m), -XEN_EINVAL);
    CU_ASSERT_EQUAL(page_put_and_type(m), 0);
    CU_ASSERT_EQUAL(page_get_and_type(m, d, PGT_L1), -XEN_EINVAL);
    CU_ASSERT_EQUAL(page_unshare(p, d), 0);
    hv_free_page(p);
    end(d);
}

static void teardown_can_be_preempted(void)
{
    struct domain *d = begin(1000);
    mfn_t m;

    CU_ASSERT_EQUAL(domain_alloc_frames(d, 9, 64, &m), 0);
    fake_preempt_every = 1;
    end(d);
    fake_preempt_every = 0;
}

void suite_page(void);
void suite_page(void)
{
    CU_pSuite s = CU_add_suite("page", NULL, NULL);

    CU_add_test(s, "MM-12: frames come zeroed", frames_come_zeroed);
    CU_add_test(s, "MM-12: untouched frames stay zero", untouched_frames_stay_zero);
    CU_add_test(s, "LC-8: the maximum holds", the_maximum_holds);
    CU_add_test(s, "LC-8: so it does in a race", the_maximum_holds_in_a_race);
    CU_add_test(s, "LC-10: the dying gain nothing", the_dying_gain_nothing);
    CU_add_test(s, "MM-11, 14: references need the owner", references_need_the_owner);
    CU_add_test(s, "MM-10: counts refuse to wrap", counts_refuse_to_wrap);
    CU_add_test(s, "a frame is released once", a_frame_is_released_once);
    CU_add_test(s, "GT-16: foreign references keep a dead domain",
                foreign_references_keep_a_dead_domain);
    CU_add_test(s, "MM-11: theft needs an unused frame", theft_needs_an_unused_frame);
    CU_add_test(s, "shared pages are never tables", shared_pages_are_never_tables);
    CU_add_test(s, "LC-10: teardown can be preempted", teardown_can_be_preempted);
}
