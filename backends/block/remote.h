/* SPDX-License-Identifier: MIT */
/*
 * remote.h - an image that a server holds: the operations that image.c passes on to nbd.c.
 *
 * The program with NBD sets image_remote before it starts; the plain one has none and no libnbd.
 * The server may vanish. What is under way then waits; the host is asked for another connection
 * (ask_link) and gives it (link), as often as it takes; without an answer for `timeout` seconds
 * everything fails until the server is back. No operation is lost on the way, and none that was
 * answered.
 */
#ifndef BACKENDS_BLOCK_REMOTE_H
#define BACKENDS_BLOCK_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#define REMOTE_MAX_TIMEOUT 86400u /* seconds */

struct image;
struct remote;

enum remote_op { REMOTE_READ, REMOTE_WRITE, REMOTE_FLUSH, REMOTE_TRIM };

struct remote_options {
    const char *export; /* name of it, may be empty; copied */
    unsigned timeout;   /* seconds */
    bool readonly;
    void (*ask_link)(void *arg); /* at most once until link() */
    void *arg;
};

struct image_remote {
    /* While privileged. Sets img->poll_fd, which is readable when turn() has something to do. The
     * socket is the remote's from here on. 0 or -errno. */
    int (*open)(struct image *img, int socket, const struct remote_options *opt);
    void (*close)(struct image *img);
    /* Confined: until the server told the geometry. 0 or -errno, after logging why. */
    int (*wait)(struct image *img);
    /* Queue one; `len` of a trim may be any. */
    void (*submit)(struct image *img, enum remote_op op, void *tag, void *buf, uint64_t len,
                   uint64_t offset);
    /* Another connection. */
    void (*link)(struct image *img, int socket);
    /* Ask the server for its size, which it says to a new connection only: that may come late. */
    void (*refresh)(struct image *img);
    void (*turn)(struct image *img);
    /* The next completion, if there is one. */
    bool (*completed)(struct image *img, void **tag, int *res);
};

extern const struct image_remote *image_remote; /* image.c's */
extern const struct image_remote nbd_remote;

#endif
