/* SPDX-License-Identifier: MIT */
/*
 * replay.h - writes that a server has answered and not yet been told to make durable. Pure.
 *
 * A server that dies takes with it what it kept in memory, answered or not; a qcow2 image's tables
 * are such. The guest was told of no fault, so its writes must be there all the same: they are kept
 * here until a flush that was asked for after their answer has been answered itself, and written
 * once more, in their order, when the server is back.
 */
#ifndef BACKENDS_BLOCK_REPLAY_H
#define BACKENDS_BLOCK_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay_entry {
    struct replay_entry *next;
    uint64_t number; /* from 1, in the order of the answers */
    uint64_t offset;
    uint32_t len;
    uint8_t data[];
};

struct replay {
    struct replay_entry *first, **last;
    uint64_t numbers; /* of the newest entry so far */
    size_t bytes;     /* data kept */
    size_t promised;  /* room that writes under way will need */
    size_t max;
};

void replay_init(struct replay *r, size_t max);
void replay_free(struct replay *r);

/*
 * Room for a write, before it is sent; false: a flush has to come first. A write larger than all
 * the room is let through when it is alone.
 */
bool replay_reserve(struct replay *r, uint32_t len);
/* It was not sent after all, or failed. */
void replay_cancel(struct replay *r, uint32_t len);
/* It was answered: keep its data. False without memory for it. */
bool replay_keep(struct replay *r, uint64_t offset, const void *data, uint32_t len);

/* A flush sent now covers all entries up to this number... */
uint64_t replay_mark(const struct replay *r);
/* ... which are dropped when it has been answered. */
void replay_flushed(struct replay *r, uint64_t mark);

#endif
