/* SPDX-License-Identifier: MIT */
/*
 * journal.c - the head of a device's journal.
 *
 * Invariant: `connected` is set after, and cleared before, anything else of the head changes.
 */
#include "journal.h"

#include <string.h>
#include <sys/mman.h>

struct journal *journal_map(int fd)
{
    void *at = mmap(NULL, JOURNAL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

/* The same keys with the same values; "state" goes on changing. */
static bool same_keys(const struct channel_msg *a, const struct channel_msg *b)
{
    for (unsigned i = 0; i < a->count; i++) {
        const char *key = channel_key(a, i);
        const char *other = channel_get(b, key);

        if (strcmp(key, "state") && (!other || strcmp(other, channel_value(a, i)))) {
            return false;
        }
    }
    return a->count == b->count;
}

bool journal_describes(const struct journal *j, uint32_t format, const struct channel_msg *front)
{
    struct channel_msg was;

    return j->magic == JOURNAL_MAGIC && j->connected && j->format == format &&
           j->front_bytes <= sizeof(j->front) && !channel_decode(&was, j->front, j->front_bytes) &&
           same_keys(&was, front);
}

void journal_connected(struct journal *j, uint32_t format, const struct channel_msg *front)
{
    journal_forget(j);
    j->magic = JOURNAL_MAGIC;
    j->format = format;
    j->takeovers = 0;
    j->front_bytes = (uint32_t)channel_encode(front, j->front);
    journal_order();
    j->connected = 1;
}

void journal_forget(struct journal *j)
{
    j->connected = 0;
    journal_order();
}
