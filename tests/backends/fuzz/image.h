/* SPDX-License-Identifier: MIT */
/*
 * What the block backend asks of its image, for the fuzzers that serve one of SECTORS sectors:
 * nothing beyond its end. Linked with --wrap for each of these; to be included once a program.
 */
#ifndef TESTS_BACKENDS_FUZZ_IMAGE_H
#define TESTS_BACKENDS_FUZZ_IMAGE_H

#include "../../../backends/block/uring.h"
#include "../../../backends/common/channel.h"
#include "guest.h"

#include <stdlib.h>
#include <unistd.h>

#define SECTORS 2048u

void __real_uring_read(struct uring *u, void *tag, void *buf, uint32_t len, uint64_t offset);
void __wrap_uring_read(struct uring *u, void *tag, void *buf, uint32_t len, uint64_t offset);
void __real_uring_write(struct uring *u, void *tag, const void *buf, uint32_t len, uint64_t offset);
void __wrap_uring_write(struct uring *u, void *tag, const void *buf, uint32_t len, uint64_t offset);
void __real_uring_punch(struct uring *u, void *tag, uint64_t offset, uint64_t len);
void __wrap_uring_punch(struct uring *u, void *tag, uint64_t offset, uint64_t len);

/* An empty one, as the device's. */
static inline void open_image(void)
{
    char name[] = "/tmp/fuzz-image-XXXXXX";
    int fd = mkstemp(name);

    demand(fd >= 0 && !ftruncate(fd, SECTORS * 512l) &&
               dup2(fd, CHANNEL_DEVICE_FD) == CHANNEL_DEVICE_FD,
           "an image");
    close(fd);
    unlink(name);
}

static void inside(uint64_t offset, uint64_t len)
{
    demand(len <= SECTORS * 512u && offset <= SECTORS * 512u - len, "the image's bytes");
}

void __wrap_uring_read(struct uring *u, void *tag, void *buf, uint32_t len, uint64_t offset)
{
    inside(offset, len);
    __real_uring_read(u, tag, buf, len, offset);
}

void __wrap_uring_write(struct uring *u, void *tag, const void *buf, uint32_t len, uint64_t offset)
{
    inside(offset, len);
    __real_uring_write(u, tag, buf, len, offset);
}

void __wrap_uring_punch(struct uring *u, void *tag, uint64_t offset, uint64_t len)
{
    inside(offset, len);
    __real_uring_punch(u, tag, offset, len);
}

#endif
