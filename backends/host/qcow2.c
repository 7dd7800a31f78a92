/* SPDX-License-Identifier: MIT */
/* qcow2.c - see qcow2.h; the format is docs/interop/qcow2.txt of QEMU. Big-endian throughout. */
#include "qcow2.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAGIC 0x514649fbu
#define V2_LENGTH 72u
#define V3_LENGTH 104u
#define MAX_L1_BYTES (32u << 20)
#define MAX_REFCOUNT_BYTES (8u << 20)
#define MAX_SNAPSHOTS 65536u
#define FEATURE_CORRUPT 2u
#define FEATURE_DATA_FILE 4u
#define FEATURES_KNOWN 0x1bu /* dirty, corrupt, compression type, extended L2 */
#define EXTENSION_BACKING_FORMAT 0xe2792acau
#define OFFSET_MASK 0x00fffffffffffe00ull

struct reader {
    const uint8_t *head;
    size_t len;
    uint64_t file_size;
    char *why;
    size_t why_len;
};

static int bad(const struct reader *r, const char *field, const char *what)
{
    snprintf(r->why, r->why_len, "%s: %s", field, what);
    return -EINVAL;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
    return (uint64_t)be32(p) << 32 | be32(p + 4);
}

/* A table that begins on a cluster and ends within the file. */
static int check_place(const struct reader *r, const struct qcow2_header *h, const char *field,
                       uint64_t offset, uint64_t bytes)
{
    if (!offset || offset & ((1ull << h->cluster_bits) - 1)) {
        return bad(r, field, "not at a cluster's beginning");
    }
    if (offset > r->file_size || bytes > r->file_size - offset) {
        return bad(r, field, "reaches beyond the file's end; the image is truncated");
    }
    return 0;
}

static int check_size(const struct reader *r, struct qcow2_header *h)
{
    uint64_t per_entry = 1ull << (2 * h->cluster_bits - 3); /* bytes that one L1 entry leads to */

    h->size = be64(r->head + 24);
    if (h->size < 512 || h->size % 512) {
        return bad(r, "size", "no whole number of sectors");
    }
    h->l1_size = be32(r->head + 36);
    if (h->l1_size > MAX_L1_BYTES / 8) {
        return bad(r, "l1_size", "more than 32 MiB of table");
    }
    if ((h->size - 1) / per_entry >= h->l1_size) {
        return bad(r, "l1_size", "too small for the size of the disk");
    }
    return 0;
}

static int check_tables(const struct reader *r, struct qcow2_header *h)
{
    uint32_t snapshots = be32(r->head + 60);
    int rc = 0;

    h->l1_offset = be64(r->head + 40);
    h->refcount_offset = be64(r->head + 48);
    h->refcount_clusters = be32(r->head + 56);
    rc = check_place(r, h, "l1_table_offset", h->l1_offset, (uint64_t)h->l1_size * 8);
    if (rc) {
        return rc;
    }
    if (!h->refcount_clusters || h->refcount_clusters > MAX_REFCOUNT_BYTES >> h->cluster_bits) {
        return bad(r, "refcount_table_clusters", "none, or more than 8 MiB of table");
    }
    rc = check_place(r, h, "refcount_table_offset", h->refcount_offset,
                     (uint64_t)h->refcount_clusters << h->cluster_bits);
    if (!rc && snapshots > MAX_SNAPSHOTS) {
        return bad(r, "nb_snapshots", "more than 65536");
    }
    if (!rc && snapshots) {
        rc = check_place(r, h, "snapshots_offset", be64(r->head + 64), (uint64_t)snapshots * 40);
    }
    return rc;
}

static int take_backing(const struct reader *r, struct qcow2_header *h)
{
    uint64_t offset = be64(r->head + 8);
    uint32_t size = be32(r->head + 16);

    if (!offset) {
        return 0;
    }
    if (!size || size >= sizeof(h->backing)) {
        return bad(r, "backing_file_size", "not within 1..1023");
    }
    if (offset > r->len || size > r->len - offset || offset + size > 1ull << h->cluster_bits) {
        return bad(r, "backing_file_offset", "the name is not within the first cluster");
    }
    memcpy(h->backing, r->head + offset, size);
    if (memchr(h->backing, 0, size)) {
        return bad(r, "backing_file", "the name has a zero byte within");
    }
    return 0;
}

static int take_features(const struct reader *r, uint32_t *length)
{
    uint64_t features = be64(r->head + 72);

    *length = be32(r->head + 100);
    if (*length < V3_LENGTH || *length % 8 || *length > r->len) {
        return bad(r, "header_length", "not within the header");
    }
    if (be32(r->head + 96) > 6) {
        return bad(r, "refcount_order", "above 6");
    }
    if (features & FEATURE_DATA_FILE) {
        return bad(r, "incompatible_features",
                   "the data is in another file; convert the image (qemu-img convert -O qcow2)");
    }
    if (features & FEATURE_CORRUPT) {
        return bad(r, "incompatible_features",
                   "marked as corrupt; see what qemu-img check -r all makes of it");
    }
    return features & ~(uint64_t)FEATURES_KNOWN
               ? bad(r, "incompatible_features", "one that is unknown here")
               : 0;
}

static int take_extensions(const struct reader *r, struct qcow2_header *h, size_t at)
{
    size_t end = be64(r->head + 8) ? (size_t)be64(r->head + 8) : r->len;

    while (at + 8 <= end) {
        uint32_t type = be32(r->head + at), len = be32(r->head + at + 4);

        at += 8;
        if (!type) {
            return 0;
        }
        if (len > end - at) {
            return bad(r, "header extension", "longer than the header");
        }
        if (type == EXTENSION_BACKING_FORMAT) {
            if (len >= sizeof(h->backing_format)) {
                return bad(r, "backing file format", "longer than 15 characters");
            }
            memcpy(h->backing_format, r->head + at, len);
            h->backing_format[len] = 0;
        }
        at += (len + 7u) & ~7u;
    }
    return 0;
}

int qcow2_parse(const uint8_t *head, size_t len, uint64_t file_size, struct qcow2_header *out,
                char *why, size_t why_len)
{
    struct reader r = {head, len, file_size, why, why_len};
    uint32_t length = V2_LENGTH;
    int rc;

    memset(out, 0, sizeof(*out));
    if (len < 4 || be32(head) != MAGIC) {
        return bad(&r, "magic", "this is no qcow2 image; write format=raw if it is a raw one");
    }
    out->version = len < 8 ? 0 : be32(head + 4);
    if (out->version != 2 && out->version != 3) {
        return bad(&r, "version", "neither 2 nor 3");
    }
    if (len < (out->version == 2 ? V2_LENGTH : V3_LENGTH)) {
        return bad(&r, "header", "the file ends within it");
    }
    out->cluster_bits = be32(head + 20);
    if (out->cluster_bits < 9 || out->cluster_bits > 21) {
        return bad(&r, "cluster_bits", "not within 9..21");
    }
    if (be32(head + 32)) {
        return bad(&r, "crypt_method", "encrypted images are not offered");
    }
    rc = out->version == 3 ? take_features(&r, &length) : 0;
    if (!rc) {
        rc = check_size(&r, out);
    }
    if (!rc) {
        rc = check_tables(&r, out);
    }
    if (!rc) {
        rc = take_backing(&r, out);
    }
    return rc ? rc : take_extensions(&r, out, length);
}

int qcow2_check_table(const uint8_t *table, uint32_t count, const struct qcow2_header *h,
                      uint64_t file_size, const char *what, char *why, size_t why_len)
{
    uint64_t cluster = 1ull << h->cluster_bits;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t offset = be64(table + 8ull * i) & OFFSET_MASK;

        if (offset & (cluster - 1) || offset >= file_size) {
            snprintf(why, why_len, "%s %u: %s", what, i,
                     offset >= file_size ? "leads beyond the file's end; the image is truncated"
                                         : "not at a cluster's beginning");
            return -EINVAL;
        }
    }
    return 0;
}
