/* SPDX-License-Identifier: MIT */
/*
 * What an audit has found: references by frame, beside those that the frames count, and violations.
 *
 * Cost: 8 bytes a frame, from the first run on.
 */
#include "audit.h"

#include <tenue/log.h>

#include "../core/page_priv.h"
#include "lib.h"

#define REPORTS_MAX 16u

struct recount {
    uint32_t refs;
    uint32_t type_refs : 31, listed : 1; /* on its owner's list */
};
STATIC_ASSERT(recount_size, sizeof(struct recount) == 8);

static struct recount *recount;
static unsigned violations;

/* The first audit takes the memory and keeps it, so that later ones disturb neither the allocator
 * nor, through it, any TLB. */
bool tally_begin(void)
{
    const uint64_t bytes = frame_count * sizeof(*recount);
    unsigned order = 0;

    violations = 0;
    if (recount) {
        memset(recount, 0, bytes);
        return true;
    }
    while (PAGE_SIZE << order < bytes)
        order++;
    recount = hv_alloc_pages(order);
    return recount != NULL;
}

uint16_t page_owner(mfn_t m)
{
    const struct page *p = page_lookup(m.n);
    uint64_t x = p ? READ_ONCE(p->count) : 0;

    return x & C_DOM ? count_owner(x) : DOMID_INVALID;
}

void audit_violation(mfn_t m, const char *what)
{
    const struct page *p = page_lookup(m.n);

    if (violations++ < REPORTS_MAX)
        log_err("audit: frame %#lx (count %#lx, type %#lx): %s", m.n, p ? p->count : 0,
                p ? p->type : 0, what);
}

void audit_explain(mfn_t m, enum page_type type)
{
    const struct page *p = page_lookup(m.n);

    if (!p || !(p->count & C_DOM)) {
        audit_violation(m, "referenced, but owned by no domain");
        return;
    }
    recount[m.n].refs++;
    if (type == PGT_NONE)
        return;
    recount[m.n].type_refs++;
    if (type_of(p->type) != type || p->type & T_STAMPED)
        audit_violation(m, "used as a type that it does not have");
}

uint32_t tally_list(const struct domain *d, uint32_t first)
{
    uint32_t n = 0;

    for (uint32_t m = first; m; m = frame_table[m].next, n++) {
        const uint64_t c = m < frame_count ? frame_table[m].count : 0;

        if (!(c & C_DOM) || c & C_SHARED || count_owner(c) != d->domid || recount[m].listed) {
            audit_violation(mfn_make(m),
                            "on the list of a domain that it does not belong to, or twice");
            break;
        }
        recount[m].listed = 1;
    }
    return n;
}

static void compare_frame(mfn_t m, const struct page *p)
{
    const uint64_t state = p->count & C_STATE_MASK;

    if (state & (state - 1))
        audit_violation(m, "in two states");
    if (state == C_HV && (p->count != C_HV || p->type))
        audit_violation(m, "the hypervisor's own, and has references or a type");
    if (!(p->count & C_DOM))
        return;
    if (count_refs(p->count) > REFS_MAX || type_refs(p->type) > REFS_MAX)
        audit_violation(m, "more references than can be counted");
    if (count_refs(p->count) != recount[m.n].refs)
        audit_violation(m, "references counted and references found differ");
    if (type_refs(p->type) != recount[m.n].type_refs)
        audit_violation(m, "type references counted and found differ");
    if (!(p->count & C_SHARED) && !recount[m.n].listed)
        audit_violation(m, "owned, and not on its owner's list");
    if (p->type & T_LOCKED)
        audit_violation(m, "locked by nobody");
    if (p->type & T_VALID && type_refs(p->type) == 0)
        audit_violation(m, "validated without references");
}

unsigned tally_compare(void)
{
    for (uint64_t i = 0; i < frame_count; i++)
        compare_frame(mfn_make(i), &frame_table[i]);
    return violations;
}
