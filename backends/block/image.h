/* SPDX-License-Identifier: MIT */
/*
 * image.h - what is behind a disk: geometry, and operations that the event loop completes.
 *
 * An operation is queued with a tag and moves when the loop enters the kernel next; its completion
 * carries the tag and the bytes moved (transfers; a short one is continued by the caller), 0, or
 * -errno. Operations are not ordered among each other. Buffers are pieces of the pool that was
 * registered with the ring.
 *
 * The raw image is a regular file or a block device, given as an open descriptor. Any other is a
 * server's (remote.h), given as a connected socket; its completions come by image_completed().
 */
#ifndef BACKENDS_BLOCK_IMAGE_H
#define BACKENDS_BLOCK_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

struct remote;
struct remote_options;
struct uring;

struct image {
    int fd;
    bool is_block;
    bool direct;                   /* O_DIRECT in effect */
    uint64_t sectors;              /* of 512 bytes */
    uint32_t sector_size;          /* smallest addressable unit, bytes */
    uint32_t physical_sector_size; /* a hint for the guest */
    struct uring *uring;           /* the loop's; its file URING_IMAGE is fd */
    struct remote *remote;         /* NULL: raw */
    bool can_trim;                 /* remote */
    int poll_fd; /* remote: readable when image_turn() has something to do; else -1 */
};

/* 0 or -errno; -EINVAL: neither file nor block device, or smaller than a sector. */
int image_init(struct image *img, int fd);

/* The same of a server at the other end of a socket; sectors are known after image_wait(). */
int image_init_remote(struct image *img, int socket, const struct remote_options *opt);
void image_fini(struct image *img);
/* Confined: until the geometry is known. 0 or -errno. */
int image_wait(struct image *img);
/* Another connection to a server that had gone. */
void image_link(struct image *img, int socket);
/* poll_fd is readable. */
void image_turn(struct image *img);
/* The next completion that came by no ring, if there is one. */
bool image_completed(struct image *img, void **tag, int *res);

/* Operations go by this ring from now on. */
void image_attach(struct image *img, struct uring *uring);

void image_read(struct image *img, void *tag, void *buf, uint32_t len, uint64_t offset);
void image_write(struct image *img, void *tag, const void *buf, uint32_t len, uint64_t offset);
/* What was completed before is durable when this completes. */
void image_flush(struct image *img, void *tag);
/* True if queued. False: done at once, *rc is the result and nothing completes. */
bool image_discard(struct image *img, void *tag, uint64_t offset, uint64_t len, int *rc);

/* A transfer gave res (< 0): true if it is worth queueing it once more. */
bool image_retry(struct image *img, int res);

/* Look at the size again. 1: it has changed (img->sectors), 0: it has not, or -errno. A server's
 * may change later, in image_turn(). */
int image_refresh(struct image *img);

#endif
