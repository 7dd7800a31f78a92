/* SPDX-License-Identifier: MIT */
/*
 * qcow2.h - the header of a qcow2 image, read before anything else is done with it. Pure.
 *
 * What may be in it that the helper would act upon: other files (a backing file, an external data
 * file), sizes and places of tables. The first are resolved by chain.c, or refused; the second must
 * lie within the file.
 */
#ifndef BACKENDS_HOST_QCOW2_H
#define BACKENDS_HOST_QCOW2_H

#include <stddef.h>
#include <stdint.h>

#define QCOW2_HEAD_MAX 65536u /* as much of the file's beginning as is ever looked at */

struct qcow2_header {
    unsigned version, cluster_bits;
    uint64_t size; /* of the disk, bytes */
    uint64_t l1_offset, refcount_offset;
    uint32_t l1_size, refcount_clusters;
    char backing[1024];      /* as written there; empty: none */
    char backing_format[16]; /* empty: not said */
};

/* `head`: the first `len` bytes of a file of `file_size`. 0, or -EINVAL with the field and why. */
int qcow2_parse(const uint8_t *head, size_t len, uint64_t file_size, struct qcow2_header *out,
                char *why, size_t why_len);

/* A table of `count` big-endian places of clusters: each unused or within the file. */
int qcow2_check_table(const uint8_t *table, uint32_t count, const struct qcow2_header *h,
                      uint64_t file_size, const char *what, char *why, size_t why_len);

#endif
