/* SPDX-License-Identifier: MIT */
/*
 * capcheck.h - a capture of either kind (tenue/capture.h), read, and what checking one shares. What
 * is right for a kind of records its own reader says (capfile.c, netcap.c).
 *
 * A file that was accepted holds whole records of a queue and of times that can be, in the order in
 * which they were taken.
 */
#ifndef BACKENDS_REPLAY_CAPCHECK_H
#define BACKENDS_REPLAY_CAPCHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <tenue/capture.h>

struct parse {
    const uint8_t *text;
    char *err;
    size_t err_len;
};

/* A kind of records, and of the items that are made of them: an item begins with its record. */
struct cap_kind {
    uint32_t kind; /* CAPTURE_BLOCK, CAPTURE_NET */
    size_t record, item, depth_at, index_at;
    unsigned rings; /* of a queue; of 2, the byte after the queue's number says which */

    /* What follows a record: so many, at most, which make it so long. */
    size_t nr_at;
    unsigned most;
    uint32_t (*bytes)(unsigned nr);
    const char *parts; /* their name */

    /* The rest of it; the item's record is there. 0 or cap_bad(). */
    int (*check)(const struct parse *p, const uint8_t *at, void *item);
};

struct capfile {
    const struct cap_kind *kind;
    struct capture_head head;
    union {
        struct cap_request *requests;
        struct cap_packet *packets;
        void *items;
    }; /* in the order they were taken */
    size_t nr;
    void *text; /* that items refer to, if it is not somebody else's */
};

/* 0, or -EBADMSG with the offset and the reason in `err`, or -ENOMEM. `text` stays the caller's and
 * may be referred to. */
int cap_parse(const struct cap_kind *k, const void *text, size_t len, struct capfile *out,
              char *err, size_t err_len);
/* The same of a file. */
int cap_load(const struct cap_kind *k, const char *path, struct capfile *out, char *err,
             size_t err_len);
void cap_free(struct capfile *c);

/* A file's text (free() it), its length in *len; or NULL with the reason in `err`. */
void *cap_read(const char *path, size_t *len, char *err, size_t err_len);

/* "byte N: ...", the offset of `at`. -EBADMSG. */
int cap_bad(const struct parse *p, const void *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

const void *cap_item(const struct capfile *c, size_t i);
uint64_t cap_taken(const struct capfile *c, size_t i);
uint64_t cap_latency(const struct capfile *c, size_t i);
/* How many were under way once this was taken, with it. */
unsigned cap_depth(const struct capfile *c, size_t i);
/* How many queues its items are of; at least one. */
unsigned cap_queues(const struct capfile *c);

#endif
