/* SPDX-License-Identifier: MIT */
/*
 * The frame table: one 24-byte record per machine frame of RAM, who owns the frame, how often it
 * is referenced, and (pagetype.h) as what. Mechanism in core/page.c and core/pagealloc.c.
 *
 * A frame is free, the hypervisor's, or owned by one domain. A "shared" frame is hypervisor
 * memory that one domain may map (shared_info, grant frames): owned by that domain for reference
 * counting, never on its list of frames, never freed by it.
 *
 * References: a domain's frame is born with one reference ("allocated") that belongs to the
 * domain's reservation; page_put() of the last reference frees the frame (MM-11). Counts refuse
 * to grow at their limit instead of wrapping (MM-10).
 */
#ifndef TENUE_PAGE_H
#define TENUE_PAGE_H

#include <tenue/abi.h>
#include <tenue/frame.h>
#include <tenue/lock.h>

struct domain;

struct page {
    peeked uint64_t count; /* [a] references, owner domid, state: see core/page.c */
    peeked uint64_t type;  /* [a] type, type references, flags, cursor: see pv/pagetype.c */
    uint32_t next;         /* [owner's pages lock, or the heap's] list links: frame numbers */
    uint32_t prev;
};
STATIC_ASSERT(page_record_size, sizeof(struct page) == 24);

extern struct page *frame_table; /* [I] indexed by mfn */
extern uint64_t frame_count;     /* [I] frames the table covers: [0, frame_count) */

static inline struct page *page_of(mfn_t m)
{
    return &frame_table[m.n];
}
static inline mfn_t page_mfn(const struct page *p)
{
    return mfn_make((uint64_t)(p - frame_table));
}
/* m is covered by the table and is RAM that we manage. Clamps speculation (MM-14). */
bool mfn_is_ram(mfn_t m);

/* Per-domain accounting, embedded in struct domain. */
struct domain_pages {
    struct spinlock lock;  /* RANK_DOMAIN_PAGES */
    uint32_t head;         /* [lock] list of owned frames, 0 ends (frame 0 is never given out) */
    peeked uint32_t total; /* [lock] frames owned */
    peeked uint32_t max;   /* [lock] may grow up to here */
    uint32_t shared;       /* [a] hypervisor frames shared with it */
    uint64_t live;         /* [I] count word of a frame it holds, less the references */
    uint32_t walk;         /* [lock] teardown: frame reached, with a reference; 0: at the start */
    uint32_t kept;         /* [lock] teardown: list of frames that somebody still refers to */
};

/* --- the frame allocator (core/pagealloc.c) --- */

/* 2^order contiguous, naturally aligned frames below 2^addr_bits (64: anywhere), contents
 * undefined; the caller owns them as hypervisor frames. NULL when there is none. */
struct page *heap_alloc(unsigned order, unsigned addr_bits);
/* Bring-up: RAM frames [start, end) become free memory. What lies below 1 MiB is left alone. */
void heap_seed(mfn_t start, mfn_t end);
void heap_free(struct page *pg, unsigned order);
extern peeked uint64_t heap_free_frames, heap_total_frames;

/* Hypervisor memory, zeroed; NULL when exhausted. */
void *hv_alloc_pages(unsigned order);
void hv_free_pages(void *p, unsigned order);
#define hv_alloc_page() hv_alloc_pages(0)
#define hv_free_page(p) hv_free_pages((p), 0)

/* --- ownership (core/page.c) --- */

/* Of a new domain, whose domid is set. */
void domain_pages_init(struct domain *d, uint32_t max);
/* Give d 2^order zeroed frames, each with its allocation reference. -XEN_ENOMEM, -XEN_EINVAL
 * (d is dying), -XEN_E2BIG (above its maximum). *mfn is the first. */
int domain_alloc_frames(struct domain *d, unsigned order, unsigned addr_bits,
                        mfn_t *mfn) must_check;
/* Drop the allocation reference of a frame that d owns: it is freed when the last user is gone. */
int domain_release_frame(struct domain *d, mfn_t mfn) must_check;
/* Make a hypervisor page mappable by d. Undo with page_unshare once nothing maps it. */
void page_share(void *hv_page, struct domain *d);
/* -XEN_EBUSY while the guest still references it; 0 also of a page that is not shared any more. */
int page_unshare(void *hv_page, struct domain *d) must_check;

/* Take a reference when d owns m (or it is shared with d). False: not RAM, other owner, dying
 * frame, count saturated. */
bool page_get(mfn_t m, const struct domain *d) must_check;
void page_put(mfn_t m);
uint16_t page_owner(mfn_t m); /* for the audit: DOMID_INVALID when no domain owns it */
/* Free every frame of a dying domain that nobody references; preemptible (-XEN_ERESTART). Returns
 * 0 when the reservation is gone; frames with foreign references go with their last page_put. */
int domain_relinquish_pages(struct domain *d) must_check;

/*
 * For XENMEM_exchange: take a frame that d owns and nobody else uses (one reference, no type) away
 * from it, and give one back or a new one in its place. d's total is unchanged in between.
 */
int domain_steal_frame(struct domain *d, mfn_t mfn) must_check;
void domain_return_frame(struct domain *d, mfn_t mfn);

#endif
