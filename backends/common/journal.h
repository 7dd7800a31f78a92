/* SPDX-License-Identifier: MIT */
/*
 * journal.h - memory that outlives a backend process: what its successor has to know (ADR 0050).
 *
 * The host makes one for each device, sealed at its size, and hands it to every process that serves
 * the device, one after the other, as CHANNEL_JOURNAL_FD. The head says which connection the rest
 * is about; the body is the class's. A process may end between any two instructions, so whoever
 * writes here orders its stores (journal_order()) such that one store decides whether a thing has
 * happened.
 *
 * The host reads nothing of it but `progress`, by pread(). A successor believes nothing either:
 * what ended its predecessor may have scribbled here first.
 */
#ifndef BACKENDS_COMMON_JOURNAL_H
#define BACKENDS_COMMON_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "channel.h"

#define JOURNAL_MAGIC 0x544a4e4cu /* "TJNL" */
#define JOURNAL_BYTES (16u << 20) /* sparse: what was never written takes no memory */
#define JOURNAL_HEAD_BYTES 16384u

struct journal {
    uint32_t magic;
    uint32_t format;      /* the class's, of the body */
    uint32_t connected;   /* the rest is about a connection that stands */
    uint32_t front_bytes; /* of `front` */
    uint64_t progress;    /* grows with each piece of work that is done */
    uint32_t takeovers;   /* of this connection */
    uint32_t reserved;
    char front[CHANNEL_MAX_BYTES]; /* the guest's keys of the connection: the encoded message */
};
_Static_assert(sizeof(struct journal) <= JOURNAL_HEAD_BYTES, "the body begins behind the head");

/* NULL with errno set. A journal that nobody has written yet is all zero. */
struct journal *journal_map(int fd);

static inline void *journal_body(struct journal *j)
{
    return (char *)j + JOURNAL_HEAD_BYTES;
}

/* Is it about the connection that these keys describe, in this format? */
bool journal_describes(const struct journal *j, uint32_t format, const struct channel_msg *front);
/* The class has written its body: from now on it is about this connection. */
void journal_connected(struct journal *j, uint32_t format, const struct channel_msg *front);
void journal_forget(struct journal *j);

/* Stores before it are done before those after it, as the next process sees them (x86). */
#define journal_order() __asm__ __volatile__("" ::: "memory")

#endif
