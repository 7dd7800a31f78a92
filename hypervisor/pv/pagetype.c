/* SPDX-License-Identifier: MIT */
/*
 * Page types: why a guest that writes its own page tables cannot reach anything but its memory.
 *
 * The argument. A CPU only ever uses tables that are reachable from a loaded root, and a root is
 * loaded only with an L4 type reference held. A frame gets a table type by validation: each
 * present entry was checked and holds references for what it points to - tables of exactly the
 * next level, or frames that the domain may map, with a writable type reference where the entry
 * allows writing. A frame has one type at a time, and loses it only when its last type reference
 * goes. So no table in use can be written by a guest (it would have to be writable too), and all
 * changes come through mmu_op.c, which keeps what validation established. Levels go strictly
 * down, so a table cannot contain itself (MM-7) and nothing here nests deeper than four calls.
 *
 * Stale translations. Dropping the last reference leaves a stamp of the TLB clock in the word.
 * Changing the type flushes every CPU that is older than the stamp, after the word has claimed
 * the new type (no new writable reference can appear) and before the contents are read (MM-4).
 * RAM is never mapped other than write-back, so caches need no flush.
 *
 * The word (page_priv.h), by state:
 *   never used    all zero
 *   idle          type | T_STAMPED | stamp
 *   in use        type | refs; tables and descriptors also T_VALID; T_PINNED counts for one ref
 *   locked        + T_LOCKED. With T_VALID: one entry is being changed. Without: contents are
 *                 being validated or devalidated (or flushed for, when becoming writable)
 *   partial       type | T_PARTIAL | cursor | refs 0 or 1. Entries below the cursor hold their
 *                 references, no others do. refs 0: a validation that was preempted; the state
 *                 itself holds one general reference so the frame cannot go. refs 1: a
 *                 devalidation that was preempted; the reference being dropped is still counted
 *                 and belongs to whoever was dropping it, who calls again.
 *
 * Partial states (MM-8): taking the lock bit is what makes one party the owner, for one step.
 * Asking for the same type resumes validation, whoever asks; asking for another is refused.
 * Dropping the remaining reference resumes devalidation. Nobody else can use or retype the frame.
 * If a validation fails and undoing it is preempted, the remainder becomes a reference that the
 * current vcpu owes (pv.old_tables), finished by root.c.
 *
 * Waiting. A CPU waits for a lock bit only when it holds none itself, or holds one of a higher
 * level while the other works downwards from its own: levels order the waits, there is no cycle.
 * While waiting it answers flush requests. Refusals never wait.
 */
#include <tenue/pagetype.h>
#include <tenue/assert.h>

#include "desc.h"
#include "pte.h"
#include "root.h"

#define L1_POLL_MASK 127u /* entries of an L1 between two looks at pending work */

/* --- contents --- */

static inline uint64_t *table_of(struct page *p)
{
    return mfn_to_ptr(page_mfn(p));
}

/* Store an entry's bits that validation changed. The CPU may be setting A and D in a table that
 * some stale structure cache still knows, so nothing but the difference is touched. */
static inline void entry_fix(uint64_t *slot, uint64_t from, uint64_t to)
{
    if (from != to) {
        __atomic_fetch_or(slot, to & ~from, __ATOMIC_SEQ_CST);
        __atomic_fetch_and(slot, ~(from & ~to), __ATOMIC_SEQ_CST);
    }
}

/* Are the eight entries at t all not present? Most of a sparse table is passed over so. */
static inline bool none_present(const uint64_t *t)
{
    return !((t[0] | t[1] | t[2] | t[3] | t[4] | t[5] | t[6] | t[7]) & PTE_P);
}
/* The first entry from i on, and the end of the last one before i, that may be present. */
static inline unsigned skip_up(const uint64_t *t, unsigned i)
{
    while (!(i & 7) && i < TABLE_ENTRIES && none_present(&t[i]))
        i += 8;
    return i;
}
static inline unsigned skip_down(const uint64_t *t, unsigned i)
{
    while (!(i & 7) && i && none_present(&t[i - 8]))
        i -= 8;
    return i;
}

/* Does no entry that is not present name RAM where that leaks (MM-27)? Ours in an L4 are replaced.
 */
static bool absent_are_ok(const uint64_t *t, unsigned level)
{
    if (likely(!(spec_plan.on & SPEC_L1TF_PTE)))
        return true;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        if (!(t[i] & PTE_P) && !(level == 4 && root_slot_is_ours(i)) && !pte_absent_ok(t[i], level))
            return false;
    return true;
}

/* The slots that are ours hold the guest's something until a root is in use, nothing after. */
static void root_slots_write(uint64_t *t, bool ours)
{
    for (unsigned i = HV_L4_FIRST; i < HV_L4_FIRST + HV_L4_COUNT; i++)
        t[i] = ours ? hal_root_template[i] : 0;
}

/* Take what an entry stands for, and give it the bits that we insist on. */
static inline int entry_take(struct domain *d, unsigned level, uint64_t *slot)
{
    const uint64_t e = *slot;
    uint64_t fixed = e | PTE_US;

    if (level == 1) {
        fixed = pte_l1_take(d, d, e);
        if (unlikely(!fixed))
            return pte_l1_refusal(e);
    } else {
        const int rc = pte_table_take(d, level, e);

        if (unlikely(rc))
            return rc;
    }
    entry_fix(slot, e, fixed);
    return 0;
}

/* Has entry i a reference to take or to drop? */
static inline bool entry_counts(uint64_t e, unsigned level, unsigned i)
{
    return e & PTE_P && !(level == 4 && root_slot_is_ours(i));
}

/*
 * Validate entries from *cursor on. On any return but 0, *cursor is the first that holds nothing.
 * This and the next are made twice, for L1 and for the rest.
 */
static __attribute__((always_inline)) inline int table_validate(struct page *p, struct domain *d,
                                                                unsigned level, unsigned *cursor)
{
    uint64_t *t = table_of(p);

    for (unsigned i = *cursor; (i = skip_up(t, i)) < TABLE_ENTRIES; i++) {
        if (entry_counts(t[i], level, i)) {
            const int rc = entry_take(d, level, &t[i]);

            if (unlikely(rc)) {
                *cursor = i;
                return rc;
            }
        } else if (level > 1) {
            continue;
        }
        if ((level > 1 || unlikely((i & L1_POLL_MASK) == L1_POLL_MASK)) && i != TABLE_ENTRIES - 1 &&
            hal_preempt_point()) {
            *cursor = i + 1;
            return -XEN_ERESTART;
        }
    }
    if (level == 4)
        root_slots_write(t, true); /* whatever the guest had there (MM-17) */
    return 0;
}

/* Drop what entries below *cursor hold, downwards. */
static __attribute__((always_inline)) inline int
table_devalidate(struct page *p, unsigned level, unsigned *cursor, bool may_preempt)
{
    uint64_t *t = table_of(p);

    for (unsigned i = *cursor; (i = skip_down(t, i)) != 0;) {
        const uint64_t e = t[--i];
        int rc = 0;

        if (entry_counts(e, level, i)) {
            if (level == 1)
                pte_l1_drop(e);
            else
                do
                    rc = pte_table_drop(e);
                while (rc && !may_preempt);
            if (unlikely(rc)) {
                *cursor = i + 1; /* this entry's reference is still counted */
                return rc;
            }
        } else if (level > 1) {
            continue;
        }
        if ((level > 1 || unlikely((i & L1_POLL_MASK) == 0)) && i && may_preempt &&
            hal_preempt_point()) {
            *cursor = i;
            return -XEN_ERESTART;
        }
    }
    if (level == 4)
        root_slots_write(t, false); /* the guest may read the frame from now on */
    *cursor = 0;
    return 0;
}

/* Functions of their own, so that the compiler keeps what the loop over an L1 needs in registers.
 */
static noinline_fn int l1_validate(struct page *p, struct domain *d, unsigned *cursor)
{
    return table_validate(p, d, 1, cursor);
}
static noinline_fn int l1_devalidate(struct page *p, unsigned *cursor, bool may_preempt)
{
    return table_devalidate(p, 1, cursor, may_preempt);
}

/* Of a page table; 0 of anything else. */
static inline unsigned level_of(enum page_type type)
{
    return type >= PGT_L1 && type <= PGT_L4 ? (unsigned)(type - PGT_L1) + 1 : 0;
}

static int contents_validate(struct page *p, enum page_type type, unsigned *cursor)
{
    const unsigned level = level_of(type);
    struct domain *d = page_domain(p);

    if (unlikely(!d))
        return -XEN_EINVAL; /* shared hypervisor memory has a writable reference; cannot come here
                             */
    if (type == PGT_DESC)
        return desc_sanitise_frame(table_of(p)) ? 0 : -XEN_EINVAL;
    if (level == 0)
        return 0;
    if (!absent_are_ok(table_of(p), level))
        return -XEN_EINVAL;
    return level == 1 ? l1_validate(p, d, cursor) : table_validate(p, d, level, cursor);
}

static int contents_devalidate(struct page *p, enum page_type type, unsigned *cursor,
                               bool may_preempt)
{
    const unsigned level = level_of(type);

    if (level == 1)
        return l1_devalidate(p, cursor, may_preempt);
    return level == 0 ? 0 : table_devalidate(p, level, cursor, may_preempt);
}

/* --- the word; only the holder of T_LOCKED without T_VALID stores to it plainly --- */

static void word_store(struct page *p, uint64_t word)
{
    __atomic_store_n(&p->type, word, __ATOMIC_RELEASE);
}

static uint64_t partial_word(enum page_type type, uint64_t keep, unsigned cursor, unsigned refs)
{
    return type_bits(type) | (keep & T_PINNED) | T_PARTIAL | (uint64_t)cursor << T_CURSOR_SHIFT |
           refs;
}

static inline uint64_t idle_word(enum page_type type)
{
    return type_bits(type) | T_STAMPED | tlb_stamp();
}

/* Devalidate from a claimed (locked) word; `was` is the word before the claim, refs what is counted
 * while this is preempted. */
static int claimed_devalidate(struct page *p, uint64_t was, unsigned cursor, unsigned refs,
                              bool may_preempt)
{
    const enum page_type type = type_of(was);
    const int rc = contents_devalidate(p, type, &cursor, may_preempt);

    if (rc) {
        word_store(p, partial_word(type, was, cursor, refs));
        return rc;
    }
    if (level_of(type) > 1)
        pte_tables_changed(page_domain(p));
    word_store(p, idle_word(type));
    return 0;
}

/*
 * A validation failed with entries below cursor taken, none of them owed to anybody: undo. If that
 * is preempted, the current vcpu owes the rest; it has one place per level, and where that is taken
 * (or no vcpu runs yet) we finish here.
 */
static void validation_undo(struct page *p, enum page_type type, unsigned cursor)
{
    const bool may_defer = pv_may_defer(type) && page_get_more(p);

    if (claimed_devalidate(p, type_bits(type), cursor, 1, may_defer) != 0)
        pv_defer(type, page_mfn(p));
    else if (may_defer)
        page_put_ref(p);
}

/*
 * Of a dying domain nobody asks again, and the search for what it left half done may be over (a
 * foreign table is validated for the control domain, on another CPU): then undo it here.
 */
static bool partial_is_wanted(struct page *p)
{
    __atomic_fetch_or(&p->type, 0, __ATOMIC_SEQ_CST); /* it is visible before dying is looked at */
    if (likely(!domain_is_dying(page_domain(p))))
        return true;
    while (page_undo_partial(p) != 0)
        ; /* each pass drops at least one entry */
    return false;
}

/*
 * Validate from a claimed (locked) word; `was` is the word before the claim. refs that it had
 * (a preempted devalidation's) stay and get company.
 */
static int claimed_validate(struct page *p, enum page_type type, uint64_t was)
{
    const bool partial = was & T_PARTIAL;
    const uint32_t refs = partial ? type_refs(was) : 0;
    unsigned cursor = partial ? type_cursor(was) : 0;
    int rc = contents_validate(p, type, &cursor);

    if (likely(rc == 0)) {
        word_store(p, type_bits(type) | (was & T_PINNED) | T_VALID | (refs + 1));
        if (partial && refs == 0)
            page_put_ref(p); /* the partial state's; the caller has its own */
        return 0;
    }
    if (refs) { /* leave it as it was found: somebody is about to drop the rest */
        word_store(p, partial_word(type, was, cursor, refs));
        return rc;
    }
    if (rc == -XEN_ERESTART) {
        if (!partial && !page_get_more(p)) {
            validation_undo(p, type, cursor);
            return -XEN_EINVAL; /* as many references as can be counted: MM-10 */
        }
        word_store(p, partial_word(type, 0, cursor, 0));
        return partial_is_wanted(p) ? rc : -XEN_EINVAL;
    }
    validation_undo(p, type, cursor);
    if (partial)
        page_put_ref(p);
    return rc;
}

/* Without references, and last writable or never used: becoming writable (again) takes no flush and
 * no look at the contents. */
static inline bool type_was_writable(uint64_t x)
{
    return x >> 60 == ((uint64_t)PGT_WRITABLE << 1 | 1) || x == 0;
}

/* Become a type from idle or never used. */
static int claim_idle(struct page *p, enum page_type type, uint64_t x)
{
    const uint64_t claimed = type_bits(type) | T_LOCKED;

    if (!word_cas(&p->type, &x, claimed))
        return -XEN_EAGAIN;
    if (type_of(x) != type)
        heap_flush_stale(x);
    if (type == PGT_WRITABLE) {
        word_store(p, type_bits(type) | 1);
        return 0;
    }
    return claimed_validate(p, type, 0);
}

/* One attempt on the word as read; -XEN_EAGAIN: it changed, or is worth waiting for. */
static int get_type_once(struct page *p, enum page_type type, uint64_t x)
{
    const bool busy = (x & (T_LOCKED | T_VALID)) == T_LOCKED;

    if (!(x & (T_LOCKED | T_PARTIAL)) && type_refs(x) == 0) {
        if (type == PGT_WRITABLE && type_was_writable(x))
            return word_cas(&p->type, &x, type_bits(type) | 1) ? 0 : -XEN_EAGAIN;
        return claim_idle(p, type, x);
    }
    if (type_of(x) != type)
        return -XEN_EINVAL; /* in use, or about to be, as something else (MM-1) */
    if (busy) {
        hal_spin_wait();
        return -XEN_EAGAIN;
    }
    if (x & T_PARTIAL)
        return word_cas(&p->type, &x, (x & ~T_PARTIAL) | T_LOCKED) ? claimed_validate(p, type, x)
                                                                   : -XEN_EAGAIN;
    if (!refs_may_grow(type_refs(x)))
        return -XEN_EINVAL; /* MM-10 */
    return word_cas(&p->type, &x, x + 1) ? 0 : -XEN_EAGAIN;
}

static int page_take_type(struct page *p, enum page_type type)
{
    int rc;

    do
        rc = get_type_once(p, type, READ_ONCE(p->type));
    while (rc == -XEN_EAGAIN);
    return rc;
}

/* The last reference of a table or descriptor frame, from word x. */
static int put_last(struct page *p, uint64_t x)
{
    if (x & T_LOCKED) { /* an entry is being changed, or a validation resumes (MM-23) */
        hal_spin_wait();
        return -XEN_EAGAIN;
    }
    if (!word_cas(&p->type, &x, (x & ~(T_VALID | T_PARTIAL)) | T_LOCKED))
        return -XEN_EAGAIN;
    return claimed_devalidate(p, x, x & T_PARTIAL ? type_cursor(x) : TABLE_ENTRIES, 1, true);
}

static int put_type_once(struct page *p, uint64_t x)
{
    ASSERT(type_refs(x) != 0);
    if (type_refs(x) > 1)
        return word_cas(&p->type, &x, x - 1) ? 0 : -XEN_EAGAIN;
    if (type_of(x) == PGT_WRITABLE)
        return word_cas(&p->type, &x, idle_word(PGT_WRITABLE)) ? 0 : -XEN_EAGAIN;
    return put_last(p, x);
}

static int page_drop_type(struct page *p)
{
    int rc;

    do
        rc = put_type_once(p, READ_ONCE(p->type));
    while (rc == -XEN_EAGAIN);
    return rc;
}

int page_undo_partial(struct page *p)
{
    uint64_t x = READ_ONCE(p->type);
    int rc;

    /* With a reference counted, whoever is dropping that does this. */
    if (!(x & T_PARTIAL) || type_refs(x))
        return 0;
    if (!word_cas(&p->type, &x, (x & ~T_PARTIAL) | T_LOCKED))
        return -XEN_ERESTART;
    rc = claimed_devalidate(p, x, type_cursor(x), 0, true);
    if (rc == 0)
        page_put_ref(p); /* the partial state's own */
    return rc;
}

/* --- public --- */

bool page_get_writable_slow(struct page *p)
{
    uint64_t x = READ_ONCE(p->type);

    if (likely(type_was_writable(x) && word_cas(&p->type, &x, type_bits(PGT_WRITABLE) | 1)))
        return true;
    return page_take_type(p, PGT_WRITABLE) == 0;
}

void page_put_type_slow(struct page *p)
{
    uint64_t x = READ_ONCE(p->type);

    if (likely(x == (type_bits(PGT_WRITABLE) | 1) &&
               word_cas(&p->type, &x, idle_word(PGT_WRITABLE))))
        return;
    BUG_ON(page_drop_type(p) != 0); /* writable: nothing to devalidate, nothing to preempt */
}

int page_get_and_type(mfn_t m, struct domain *d, enum page_type type)
{
    struct page *p = page_lookup(m.n);
    int rc;

    if (unlikely(!p || !page_get_of(p, d)))
        return -XEN_EINVAL;
    if (likely(type == PGT_WRITABLE))
        rc = page_get_writable(p) ? 0 : -XEN_EINVAL;
    else
        rc = page_take_type(p, type);
    if (unlikely(rc))
        page_put_ref(p);
    return rc;
}

int page_put_and_type(mfn_t m)
{
    struct page *p = page_of(m);
    int rc = 0;

    if (likely(type_of(READ_ONCE(p->type)) == PGT_WRITABLE))
        page_put_writable(p);
    else
        rc = page_drop_type(p);
    if (likely(rc == 0))
        page_put_ref(p);
    return rc;
}
