/* SPDX-License-Identifier: MIT */
/*
 * backlog.c - a byte ring that overwrites its oldest. Pure.
 *
 * Invariants: pending <= len <= BACKLOG_SIZE; end < BACKLOG_SIZE.
 */
#include "backlog.h"

#include <string.h>

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

void backlog_append(struct backlog *b, const uint8_t *data, size_t len)
{
    if (len > BACKLOG_SIZE) {
        data += len - BACKLOG_SIZE;
        len = BACKLOG_SIZE;
    }
    for (size_t done = 0; done < len;) {
        size_t n = min(len - done, BACKLOG_SIZE - b->end);

        memcpy(b->data + b->end, data + done, n);
        b->end = (b->end + n) % BACKLOG_SIZE;
        done += n;
    }
    b->len = min(b->len + len, BACKLOG_SIZE);
    b->pending = min(b->pending + len, BACKLOG_SIZE);
}

size_t backlog_next(const struct backlog *b, const uint8_t **data)
{
    size_t start = (b->end + BACKLOG_SIZE - b->pending) % BACKLOG_SIZE;

    *data = b->data + start;
    return min(b->pending, BACKLOG_SIZE - start);
}

void backlog_taken(struct backlog *b, size_t len)
{
    b->pending -= min(len, b->pending);
}

void backlog_rewind(struct backlog *b)
{
    b->pending = b->len;
}
