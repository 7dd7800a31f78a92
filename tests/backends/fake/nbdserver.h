/* SPDX-License-Identifier: MIT */
/*
 * nbdserver.h - an NBD server in a thread, with a memory that it can lose: what was written is what
 * reads give, and what is left of it after a crash is what was flushed.
 */
#ifndef TESTS_BACKENDS_FAKE_NBDSERVER_H
#define TESTS_BACKENDS_FAKE_NBDSERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define NBDSERVER_MAX (32u << 20)

struct nbdserver {
    /* How it is to behave; set before nbdserver_start(). */
    uint64_t size;
    bool readonly, no_flush, no_trim;
    bool silent;    /* negotiates, then never answers */
    int die_after;  /* answer so many requests, then close; -1: never */
    bool ending;    /* answers ESHUTDOWN to every request */
    unsigned error; /* this to every write, 0: none */
    /* What it holds, over connections and crashes. */
    uint8_t *seen, *durable;
    /* What it was asked for on all connections. */
    unsigned reads, writes, flushes, trims;

    int fd;
    pthread_t thread;
    bool running;
};

void nbdserver_init(struct nbdserver *s, uint64_t size);
/* Starts serving and returns the client's end. */
int nbdserver_start(struct nbdserver *s);
/* Closes the connection; `crash`: and forgets what was not flushed. */
void nbdserver_stop(struct nbdserver *s, bool crash);
void nbdserver_free(struct nbdserver *s);

#endif
