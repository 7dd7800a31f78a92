/* SPDX-License-Identifier: MIT */
/*
 * image.h - the raw image behind a disk: a regular file or a block device, given as an open
 * descriptor.
 */
#ifndef BACKENDS_BLOCK_IMAGE_H
#define BACKENDS_BLOCK_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

struct image {
    int fd;
    bool is_block;
    bool direct;                   /* O_DIRECT in effect */
    uint64_t sectors;              /* of 512 bytes */
    uint32_t sector_size;          /* smallest addressable unit, bytes */
    uint32_t physical_sector_size; /* a hint for the guest */
};

/* 0 or -errno; -EINVAL: neither file nor block device, or smaller than a sector. */
int image_init(struct image *img, int fd);

/* Some file systems take O_DIRECT at open and refuse it at I/O: go on without. */
void image_clear_direct(struct image *img);

/*
 * Discard a range of a block device now (files: the caller punches through io_uring). 0 or -errno.
 */
int image_discard_block(const struct image *img, uint64_t sector, uint64_t nr_sectors);

#endif
