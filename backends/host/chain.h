/* SPDX-License-Identifier: MIT */
/*
 * chain.h - a qcow2 image and the files it stands on, found and opened before a guest runs.
 *
 * The names in the headers are followed here and nowhere else: the helper gets descriptors and the
 * formats that were said, never a name. A base must lie in the overlay's folder, below it, or in
 * CHAIN_IMAGES, or be the one that the guest file names with base=.
 */
#ifndef BACKENDS_HOST_CHAIN_H
#define BACKENDS_HOST_CHAIN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <tenue/devhost.h>

#define CHAIN_MAX 8u
#define CHAIN_IMAGES "/var/lib/tenue/images"

struct chain {
    unsigned count;
    struct chain_file {
        int fd;
        bool qcow2; /* else raw */
        char path[PATH_MAX];
    } files[CHAIN_MAX]; /* the image itself first, its last base last */
};

/* 0 or -errno, with a line that names file and field. The first is locked for writing, or reading
 * if the disk is read-only; the others for reading. */
int chain_open(const struct devhost_spec *spec, struct chain *c, char *err, size_t err_len);
void chain_close(struct chain *c);

#endif
