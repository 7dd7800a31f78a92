/* SPDX-License-Identifier: MIT */
/*
 * backlog.h - the last bytes a console printed: for the terminal that attaches later, and as a
 * cushion for one that reads slowly. When full, the oldest go (BE-7).
 */
#ifndef BACKENDS_CONSOLE_BACKLOG_H
#define BACKENDS_CONSOLE_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

#define BACKLOG_SIZE 16384u

struct backlog {
    size_t len;     /* bytes kept */
    size_t pending; /* of these, the newest ones not yet given to the terminal */
    size_t end;     /* where the next byte goes */
    uint8_t data[BACKLOG_SIZE];
};

void backlog_append(struct backlog *b, const uint8_t *data, size_t len);

/* The next piece to give out, contiguous; its length, 0 if none. */
size_t backlog_next(const struct backlog *b, const uint8_t **data);
void backlog_taken(struct backlog *b, size_t len);

/* Give everything kept once more, to a terminal that was just attached. */
void backlog_rewind(struct backlog *b);

#endif
