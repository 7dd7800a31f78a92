/* SPDX-License-Identifier: MIT */
/*
 * The frame table: who owns a frame and who refers to it (page.h). Layout of a record: page_priv.h.
 *
 * Invariants. A frame is free, the hypervisor's, or a domain's: one state bit in count (MM-1). A
 * reference can be taken only from a word that shows the right owner and at least one reference
 * already (MM-11), and never past the limit (MM-10). C_ALLOC stands for one reference. Whoever
 * drops the last reference frees the frame; nobody can take one any more, so freeing needs no lock
 * but the lists'. A frame is on its owner's list exactly from birth to death or theft; shared
 * frames are on none. Giving frames to a domain checks "dying" under the lock with which
 * teardown walks the list, so a dying domain gains nothing (LC-10).
 *
 * Lock: domain_pages.lock for lists and totals.
 * The count word changes by compare-and-swap only. Leaves the type word to pv/pagetype.c, blocks of
 * free memory to pagealloc.c.
 */
#include <tenue/page.h>
#include <tenue/assert.h>
#include <tenue/m2p.h>

#include "lib.h"
#include "page_priv.h"

#define RELINQUISH_BATCH 64u
#define DOMAIN_ORDER_MAX 18u

void domain_pages_init(struct domain *d, uint32_t max)
{
    spin_lock_init(&d->pages.lock, RANK_DOMAIN_PAGES);
    d->pages.max = max;
    d->pages.live = count_owner_tag(d->domid) | C_ALLOC;
}

bool mfn_is_ram(mfn_t m)
{
    const struct page *p = page_lookup(m.n);

    return p && READ_ONCE(p->count) & C_STATE_MASK;
}

/* --- lists of frames; pages.lock held --- */

/* p is on the list of frames, or on the one of kept frames. */
static void list_unlink(struct domain_pages *pages, struct page *p)
{
    if (p->next)
        frame_table[p->next].prev = p->prev;
    if (p->prev)
        frame_table[p->prev].next = p->next;
    else if (pages->head == page_mfn(p).n)
        pages->head = p->next;
    else
        pages->kept = p->next;
}

/* Put the chain first .. last (linked both ways) in front of a list. */
static void list_splice(uint32_t *head, struct page *first, struct page *last)
{
    last->next = *head;
    if (*head)
        frame_table[*head].prev = (uint32_t)page_mfn(last).n;
    first->prev = 0;
    *head = (uint32_t)page_mfn(first).n;
}

/* --- birth --- */

/*
 * A frame that never had a type was never writable by anybody, so it still holds the zeros that it
 * was born with (C_CLEAN). Devices write where the control domain says, unseen: its frames are
 * taken to have been written.
 */
static uint64_t type_at_birth(const struct domain *d)
{
    return d->is_control ? type_bits(PGT_WRITABLE) | T_STAMPED | tlb_stamp() : 0;
}

/* Records of a taken block as frames of a domain, chained upwards from first. */
static void frames_bear(struct page *first, unsigned order, uint64_t count, uint64_t type)
{
    struct page *const last = first + (1ull << order) - 1;
    uint32_t mfn = (uint32_t)page_mfn(first).n;

    for (struct page *p = first; p <= last; p++, mfn++) {
        p->type = type;
        p->next = mfn + 1;
        p->prev = mfn - 1;
        __atomic_store_n(&p->count, count, __ATOMIC_RELEASE); /* and all that it stands for */
    }
}

static int frames_assign(struct domain *d, struct page *first, unsigned order)
{
    struct domain_pages *pages = &d->pages;
    const uint32_t frames = 1u << order;
    int rc = 0;

    spin_lock(&pages->lock);
    if (domain_is_dying(d))
        rc = -XEN_EINVAL;
    else if (pages->total > pages->max || frames > pages->max - pages->total)
        rc = -XEN_E2BIG; /* LC-8: decided under the lock that counts */
    if (rc == 0) {
        frames_bear(first, order, pages->live | 1, type_at_birth(d));
        list_splice(&pages->head, first, first + frames - 1);
        pages->total += frames;
    }
    spin_unlock(&pages->lock);
    return rc;
}

/* Give back a block that heap_take gave us; its users ended before it was free. */
static void frames_untake(struct page *first, unsigned order)
{
    for (struct page *p = first; p < first + (1ull << order); p++)
        p->count = C_HV;
    heap_free(first, order);
}

void frames_clear(struct page *first, unsigned order, unsigned left)
{
    for (const struct page *p = first; p < first + (1ull << order); p++) {
        if ((p->count & (C_FREE | C_CLEAN)) == (C_FREE | C_CLEAN))
            continue;
        if (left-- == 0) {
            hal_take_interrupts();
            left = CLEAR_BATCH - 1;
        }
        memset(mfn_to_ptr(page_mfn(p)), 0, PAGE_SIZE);
    }
}

int domain_alloc_frames(struct domain *d, unsigned order, unsigned addr_bits, mfn_t *mfn)
{
    struct page *first;
    uint32_t max;
    int rc;

    if (order > DOMAIN_ORDER_MAX || domain_is_dying(d))
        return -XEN_EINVAL;
    max = READ_ONCE(d->pages.max);
    if ((1u << order) > max - MIN(READ_ONCE(d->pages.total), max))
        return -XEN_E2BIG; /* decided under the lock below; here it spares taking memory in vain */
    first = heap_take(order, addr_bits);
    if (!first)
        return -XEN_ENOMEM;
    *mfn = page_mfn(first);
    frames_clear(first, order, CLEAR_BATCH); /* before anybody can map it (MM-12) */
    rc = frames_assign(d, first, order);
    if (rc)
        frames_untake(first, order);
    return rc;
}

/* --- references --- */

bool page_get_owned(struct page *p, uint16_t domid)
{
    return page_get_if(p, C_DOM | C_OWNER_MASK, count_owner_tag(domid));
}

bool page_get(mfn_t m, const struct domain *d)
{
    struct page *p = page_lookup(m.n);

    return p && page_get_of(p, d);
}

void page_put(mfn_t m)
{
    page_put_ref(page_of(m));
}

/* --- death --- */

/*
 * Count n frames out. pages.lock held: a dead domain that lost its last one is reported under it,
 * as whoever frees the domain takes the lock first and so waits until we are done with it.
 */
static void total_sub(struct domain *d, uint32_t n)
{
    d->pages.total -= n;
    if (d->pages.total == 0)
        domain_pages_gone(d);
}

void page_free_last(struct page *p)
{
    const mfn_t m = page_mfn(p);
    struct domain *d = page_domain(p);

    BUG_ON(p->count & (C_ALLOC | C_SHARED) || !d); /* both stand for a reference of ours */
    m2p_clear(m);
    spin_lock(&d->pages.lock);
    list_unlink(&d->pages, p);
    total_sub(d, 1);
    spin_unlock(&d->pages.lock);
    p->next = 0;
    heap_free_chain((uint32_t)m.n);
}

/* Take C_ALLOC off p. False when it was not there (any more). */
static bool alloc_bit_take(struct page *p)
{
    return __atomic_fetch_and(&p->count, ~C_ALLOC, __ATOMIC_SEQ_CST) & C_ALLOC;
}

int domain_release_frame(struct domain *d, mfn_t mfn)
{
    struct page *p = page_lookup(mfn.n);
    bool taken;

    if (!p || !page_get_owned(p, d->domid))
        return -XEN_EINVAL;
    taken = alloc_bit_take(p);
    if (taken) {
        page_put_ref(p); /* the reservation's; ours keeps the frame from anybody else until below */
        m2p_clear(mfn);
    }
    page_put_ref(p);
    return taken ? 0 : -XEN_EINVAL;
}

/* One frame of a dying domain. True when nobody refers to it any more: caller frees it. */
static bool frame_relinquish(const struct domain_pages *pages, struct page *p)
{
    uint64_t only_ours = pages->live | 1;

    if (likely(word_cas(&p->count, &only_ours, pages->live & ~C_ALLOC)))
        return true;
    if (!alloc_bit_take(p))
        return false;
    return count_refs(__atomic_sub_fetch(&p->count, 1, __ATOMIC_SEQ_CST)) == 0;
}

/*
 * Teardown walks the list once: each frame is freed, or moved to the `kept` list, where the last
 * page_put finds it. Restarting needs no cursor: what is left to visit is what is on the list. The
 * chain of freed frames keeps the list's order, which is that of their numbers block by block.
 */
static uint32_t relinquish_batch(struct domain_pages *pages, uint32_t *freed)
{
    uint32_t chain = 0, mfn = pages->head, *link = &chain;

    *freed = 0;
    for (unsigned n = 0; n < RELINQUISH_BATCH && mfn; n++) {
        struct page *p = &frame_table[mfn];
        const uint32_t next = p->next;

        if (frame_relinquish(pages, p)) {
            m2p_clear(mfn_make(mfn));
            *link = mfn;
            link = &p->next;
            (*freed)++;
        } else {
            list_splice(&pages->kept, p, p);
        }
        mfn = next;
    }
    *link = 0;
    pages->head = mfn;
    if (mfn)
        frame_table[mfn].prev = 0;
    return chain;
}

int domain_relinquish_pages(struct domain *d)
{
    struct domain_pages *pages = &d->pages;
    bool more = true;

    while (more) {
        uint32_t chain, freed;

        spin_lock(&pages->lock);
        chain = relinquish_batch(pages, &freed);
        total_sub(d, freed);
        more = pages->head != 0;
        spin_unlock(&pages->lock);
        heap_free_chain(chain);
        if (more && hal_preempt_point())
            return -XEN_ERESTART;
    }
    return 0;
}

#define WALK_BATCH 256u

/*
 * Beyond `walk` to the first frame with a bit of mask, or WALK_BATCH frames further. The frame
 * reached gets a reference, so that it stays on the list; the one of the place before is the
 * caller's to drop. Frames whose last reference is going just now are passed by.
 */
static struct page *walk_on(struct domain *d, uint64_t mask, bool *hit)
{
    uint32_t mfn = d->pages.walk ? frame_table[d->pages.walk].next : d->pages.head;

    for (unsigned n = 0; mfn; n++, mfn = frame_table[mfn].next) {
        struct page *p = &frame_table[mfn];

        *hit = READ_ONCE(p->type) & mask;
        if ((*hit || n >= WALK_BATCH) && page_get_owned(p, d->domid))
            return p;
    }
    return NULL;
}

int domain_walk_frames(struct domain *d, uint64_t mask, bool again, struct page **p)
{
    if (again && d->pages.walk) {
        *p = &frame_table[d->pages.walk];
        return 1;
    }
    for (;;) {
        struct page *at;
        uint32_t before;
        bool hit = false;

        spin_lock(&d->pages.lock);
        before = d->pages.walk;
        at = walk_on(d, mask, &hit);
        d->pages.walk = at ? (uint32_t)page_mfn(at).n : 0;
        spin_unlock(&d->pages.lock);
        if (before)
            page_put_ref(&frame_table[before]);
        *p = at;
        if (!at || hit)
            return at != NULL;
        if (hal_preempt_point())
            return -XEN_ERESTART;
    }
}

/* --- exchange --- */

int domain_steal_frame(struct domain *d, mfn_t mfn)
{
    struct page *p = page_lookup(mfn.n);
    uint64_t seen;
    bool taken;

    if (!p)
        return -XEN_EINVAL;
    spin_lock(&d->pages.lock);
    /* One compare-and-swap from exactly this state; type references would be references. */
    seen = d->pages.live | 1;
    taken = word_cas(&p->count, &seen, C_HV);
    if (taken)
        list_unlink(&d->pages, p);
    spin_unlock(&d->pages.lock);
    return taken ? 0 : -XEN_EINVAL;
}

void domain_return_frame(struct domain *d, mfn_t mfn)
{
    struct page *p = page_of(mfn);
    bool dying;

    spin_lock(&d->pages.lock);
    dying = domain_is_dying(d);
    if (dying) {
        total_sub(d, 1);
    } else {
        list_splice(&d->pages.head, p, p);
        if (p->type == 0)
            p->type = type_at_birth(d); /* a new one */
        __atomic_store_n(&p->count, d->pages.live | 1, __ATOMIC_RELEASE);
    }
    spin_unlock(&d->pages.lock);
    if (dying)
        heap_free(p, 0);
}

/* --- hypervisor pages that a domain may map --- */

void page_share(void *hv_page, struct domain *d)
{
    struct page *p = page_of(ptr_to_mfn(hv_page));

    BUG_ON(p->count != C_HV);
    /* A writable reference of ours: it can never become a table or descriptor frame. */
    p->type = type_bits(PGT_WRITABLE) | 1;
    __atomic_store_n(&p->count, count_owner_tag(d->domid) | C_SHARED | 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&d->pages.shared, 1, __ATOMIC_RELAXED);
}

int page_unshare(void *hv_page, struct domain *d)
{
    struct page *p = page_of(ptr_to_mfn(hv_page));
    uint64_t seen = count_owner_tag(d->domid) | C_SHARED | 1;

    if (!word_cas(&p->count, &seen, C_HV))
        return seen == C_HV ? 0 : -XEN_EBUSY;
    p->type = 0;
    __atomic_fetch_sub(&d->pages.shared, 1, __ATOMIC_RELAXED);
    return 0;
}
