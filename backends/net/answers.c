/* SPDX-License-Identifier: MIT */
/*
 * answers.c - put a round's answers into a ring such that it can be done again; see answers.h.
 *
 * Order: answers, upto, slots, rsp_prod, done. The guest reuses a slot only after rsp_prod has
 * passed it, so up to there the slots may be written twice with the same.
 */
#include "answers.h"

#include <string.h>

static void write_slots(const struct answers *a, const struct answers_ring *to)
{
    for (uint32_t i = a->done; i != a->upto; i++) {
        memcpy(to->slots + (i % ANSWERS_MAX) * to->stride, &a->slot[i % ANSWERS_MAX], to->bytes);
    }
    xen_wmb();
    WRITE_ONCE(*to->rsp_prod, a->upto);
    xen_wmb();
}

void answers_put(struct answers *a, unsigned n, const struct answers_ring *to)
{
    xen_wmb();
    WRITE_ONCE(a->upto, a->done + n);
    xen_wmb();
    write_slots(a, to);
    WRITE_ONCE(a->done, a->upto);
}

bool answers_resume(struct answers *a, const struct answers_ring *to)
{
    RING_IDX prod = READ_ONCE(*to->rsp_prod);

    if (a->upto - a->done > ANSWERS_MAX || (prod != a->done && prod != a->upto)) {
        return false;
    }
    if (prod != a->upto) {
        write_slots(a, to);
    }
    a->done = a->upto;
    return true;
}
