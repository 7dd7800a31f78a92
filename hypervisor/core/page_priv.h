/* SPDX-License-Identifier: MIT */
/*
 * The words of a frame record and the hot operations on them, for the owners of the frame table
 * (core/page.c, core/pagealloc.c) and of the page types (pv/). Everybody else uses page.h.
 *
 * count: [31:0] references  [47:32] owner's domid  [52:48] state
 *        A free frame that heads a block keeps the block's order in [7:0] instead.
 * type:  [31:0] type references, or the TLB stamp of the last use when T_STAMPED is set
 *        [41:32] cursor  [60:56] flags  [63:61] enum page_type
 *
 * The layouts never travel: nothing outside the hypervisor sees them.
 */
#ifndef TENUE_PAGE_PRIV_H
#define TENUE_PAGE_PRIV_H

#include <tenue/abi.h>
#include <tenue/frame.h>
#include <tenue/domain.h>
#include <tenue/page.h>
#include <tenue/pagetype.h>

/* --- count word --- */
#ifdef TENUE_NARROW_COUNTS
#define REFS_MAX 63u /* a hosted build drives counts to their limit (MM-10) */
#else
#define REFS_MAX 0xfffffff0u
#endif
#define C_REFS_MASK 0xffffffffull
#define C_OWNER_SHIFT 32
#define C_OWNER_MASK (0xffffull << C_OWNER_SHIFT)
#define C_DOM (1ull << 48)    /* owned by a domain: the owner may take references */
#define C_ALLOC (1ull << 49)  /* the reservation's own reference is still there */
#define C_SHARED (1ull << 50) /* with C_DOM: hypervisor memory that the owner may map */
#define C_HV (1ull << 51)     /* the hypervisor's own */
#define C_FREE (1ull << 52)   /* free; a block's first frame also has C_HEAD and its order */
#define C_HEAD (1ull << 32)   /* only together with C_FREE */
#define C_CLEAN (1ull << 33)  /* only together with C_FREE: the frame holds zeros */
#define C_STATE_MASK (C_DOM | C_HV | C_FREE)

static inline uint32_t count_refs(uint64_t count)
{
    return (uint32_t)count;
}
static inline uint16_t count_owner(uint64_t count)
{
    return (uint16_t)(count >> C_OWNER_SHIFT);
}
static inline uint64_t count_owner_tag(uint16_t domid)
{
    return C_DOM | (uint64_t)domid << C_OWNER_SHIFT;
}
/* May one more reference be taken on a word with refs? False at 0 and at the limit (MM-10). */
static inline bool refs_may_grow(uint32_t refs)
{
    return refs - 1u < REFS_MAX - 1u;
}

static inline bool word_cas(peeked uint64_t *word, uint64_t *seen, uint64_t value)
{
    return __atomic_compare_exchange_n(word, seen, value, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

/* The record of a frame number that a guest named, or NULL beyond the table (MM-14). */
static inline struct page *page_lookup(uint64_t mfn)
{
    struct page *p;

    if (unlikely(mfn >= frame_count))
        return NULL;
    p = &frame_table[index_nospec(mfn, frame_count)];
    if (!p)
        __builtin_unreachable(); /* spares each caller a second comparison */
    return p;
}

/* Take a reference while the word says `tag` under mask, if there is one already and the limit is
 * not reached (MM-10, MM-11). */
static inline bool page_get_if(struct page *p, uint64_t mask, uint64_t tag)
{
    uint64_t x = READ_ONCE(p->count);

    do {
        if (unlikely((x & mask) != tag || !refs_may_grow(count_refs(x))))
            return false;
    } while (!word_cas(&p->count, &x, x + 1));
    return true;
}

/* Take a reference when the domain domid owns p (MM-11). */
bool page_get_owned(struct page *p, uint16_t domid) must_check;

/* The same for whoever has the domain: an ordinary frame of it is told by one comparison. */
static inline bool page_get_of(struct page *p, const struct domain *d)
{
    uint64_t x = READ_ONCE(p->count);

    if (likely(x - (d->pages.live + 1) < REFS_MAX - 1 && word_cas(&p->count, &x, x + 1)))
        return true;
    return page_get_owned(p, d->domid);
}

/* One more reference for somebody who holds one already: fails only at the limit. */
static inline bool page_get_more(struct page *p)
{
    return page_get_if(p, 0, 0);
}

void page_free_last(struct page *p); /* the last reference went */

static inline void page_put_ref(struct page *p)
{
    /* They are the low half of the word: one instruction drops and tests. */
    if (unlikely(__atomic_sub_fetch((uint32_t *)&p->count, 1, __ATOMIC_SEQ_CST) == 0))
        page_free_last(p);
}

/* The domain that owns a frame, for whoever holds a reference or drops the last one: it is in the
 * table of domains as long as it has frames. */
static inline struct domain *page_domain(const struct page *p)
{
    return domain_of_owner(count_owner(READ_ONCE(p->count)));
}

/* --- type word --- */
#define T_REFS_MASK 0xffffffffull
#define T_CURSOR_SHIFT 32
#define T_CURSOR_MASK (0x3ffull << T_CURSOR_SHIFT)
#define T_PINNED (1ull << 56)  /* MMUEXT_PIN holds one reference of each kind */
#define T_VALID (1ull << 57)   /* tables, descriptors: contents validated */
#define T_PARTIAL (1ull << 58) /* entries below the cursor hold references, no others (MM-8) */
#define T_LOCKED (1ull << 59)  /* one party has the word and the contents to itself */
#define T_STAMPED (1ull << 60) /* no references; low half is when the last one went (MM-5) */
#define T_TYPE_SHIFT 61

static inline uint64_t type_bits(enum page_type type)
{
    return (uint64_t)type << T_TYPE_SHIFT;
}
static inline enum page_type type_of(uint64_t word)
{
    return (enum page_type)(word >> T_TYPE_SHIFT);
}
static inline uint32_t type_refs(uint64_t word)
{
    return word & T_STAMPED ? 0 : (uint32_t)word;
}
/* A validated table of this type, with no flag but perhaps the pin: neither locked nor partial. */
static inline bool type_is_free_table(uint64_t word, enum page_type type)
{
    return word >> 57 == ((uint64_t)type << 4 | T_VALID >> 57);
}
static inline unsigned type_cursor(uint64_t word)
{
    return (unsigned)((word & T_CURSOR_MASK) >> T_CURSOR_SHIFT);
}

/* Writable type reference alone; the caller holds a general one. The slow cases: pagetype.c. */
bool page_get_writable_slow(struct page *p) must_check;
void page_put_type_slow(struct page *p);

static inline bool page_get_writable(struct page *p)
{
    uint64_t x = READ_ONCE(p->type);

    /* In use as writable already: no flag is set, and the type is the top of the word. */
    if (likely(x - (type_bits(PGT_WRITABLE) + 1) < REFS_MAX - 1 && word_cas(&p->type, &x, x + 1)))
        return true;
    return page_get_writable_slow(p);
}
static inline void page_put_writable(struct page *p)
{
    uint64_t x = READ_ONCE(p->type);

    if (likely((uint32_t)x > 1 && word_cas(&p->type, &x, x - 1)))
        return;
    page_put_type_slow(p);
}

/* pagetype.c: give up a validation that was preempted and is not coming back. 0, -XEN_ERESTART. */
int page_undo_partial(struct page *p) must_check;

/*
 * Walk a dying domain's frames, each once: 1 and *p, the next frame whose type word has a bit of
 * mask, or with `again` the one reached last; 0 at the end; -XEN_ERESTART: other work is waiting.
 */
int domain_walk_frames(struct domain *d, uint64_t mask, bool again, struct page **p) must_check;

/* --- allocator's inner interface --- */
#define HEAP_ORDER_MAX 18u
#define HEAP_ZONES 33u /* bit lengths of a 32-bit frame number */
extern uint32_t heap_heads[HEAP_ZONES][HEAP_ORDER_MAX + 1]; /* first block's frame, 0: none */
extern uint32_t heap_zone_orders[HEAP_ZONES];               /* bit per order that has a block */
static inline unsigned heap_zone_of(uint32_t mfn)
{
    return 32u - (unsigned)__builtin_clz(mfn);
}
/* As heap_alloc, but the frames' records are left for the caller to write; until then they say
 * which frames are C_CLEAN. */
struct page *heap_take(unsigned order, unsigned addr_bits);
/* Zero what of a taken block is not known to be zero, before its records are written; after so many
 * frames interrupts are taken, and after each batch more, for which no lock may be held. */
#define CLEAR_BATCH 16u
#define CLEAR_AT_ONCE (~0u)
void frames_clear(struct page *first, unsigned order, unsigned left);
/* Free single frames of a domain's chained through next (0 ends), best in order of their numbers;
 * their last use ended before now. */
void heap_free_chain(uint32_t first);
/* Flush whoever may still cache a translation to a block stamped so; 0 type words need none. */
void heap_flush_stale(uint64_t type_word);

#endif
