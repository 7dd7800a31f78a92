/* SPDX-License-Identifier: MIT */
/* replay.c - a queue with a bound; see replay.h. Invariant: bytes is the sum of the entries' len.
 */
#include "replay.h"

#include <stdlib.h>
#include <string.h>

void replay_init(struct replay *r, size_t max)
{
    *r = (struct replay){.max = max};
    r->last = &r->first;
}

static void drop_first(struct replay *r)
{
    struct replay_entry *e = r->first;

    r->first = e->next;
    if (!r->first) {
        r->last = &r->first;
    }
    r->bytes -= e->len;
    free(e);
}

void replay_free(struct replay *r)
{
    while (r->first) {
        drop_first(r);
    }
}

bool replay_reserve(struct replay *r, uint32_t len)
{
    if ((r->bytes || r->promised) && r->bytes + r->promised + len > r->max) {
        return false;
    }
    r->promised += len;
    return true;
}

void replay_cancel(struct replay *r, uint32_t len)
{
    r->promised -= len;
}

bool replay_keep(struct replay *r, uint64_t offset, const void *data, uint32_t len)
{
    struct replay_entry *e = malloc(sizeof(*e) + len);

    r->promised -= len;
    if (!e) {
        return false;
    }
    e->next = NULL;
    e->number = ++r->numbers;
    e->offset = offset;
    e->len = len;
    memcpy(e->data, data, len);
    *r->last = e;
    r->last = &e->next;
    r->bytes += len;
    return true;
}

uint64_t replay_mark(const struct replay *r)
{
    return r->numbers;
}

void replay_flushed(struct replay *r, uint64_t mark)
{
    while (r->first && r->first->number <= mark) {
        drop_first(r);
    }
}
