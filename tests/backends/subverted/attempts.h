/* SPDX-License-Identifier: MIT */
/*
 * attempts.h - what a process that was taken over would try, one system call each.
 */
#ifndef TESTS_SUBVERTED_ATTEMPTS_H
#define TESTS_SUBVERTED_ATTEMPTS_H

#include <stddef.h>
#include <sys/types.h>

/* What the test has put up for the attempts, before anything is confined. */
struct prey {
    pid_t victim;       /* a process of root that sleeps */
    char socket[108];   /* a UNIX socket that accepts */
    char file[64];      /* a file of root's with a line in it */
    int directory;      /* descriptor of a directory, as if one had been passed in by mistake */
    int image;          /* descriptor of a file that was passed in on purpose */
    int pair;           /* one end of a connected socket, passed in on purpose */
    int epoll;          /* descriptor that waits on pair */
    int host_namespace; /* descriptor of a mount namespace */
};

extern struct prey prey;

struct attempt {
    const char *what;
    long (*run)(void); /* >= 0 when it worked, else -1 and errno */
    int unconfined; /* what root gets for it outside: 0, or the errno of a harmless wrong argument
                     */
};

extern const struct attempt attempts[];
extern const size_t nr_attempts;

#endif
