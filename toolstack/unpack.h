/* SPDX-License-Identifier: MIT */
/*
 * From a kernel file as distributions ship it to the ELF image inside: pure functions over memory.
 *
 * Everything here runs in the unprivileged child of image.c, on input nobody vouches for. Output
 * never exceeds the size that the file itself declares, and that is capped: a decompression bomb
 * ends at the cap.
 */
#ifndef TENUE_UNPACK_H
#define TENUE_UNPACK_H

#include "diag.h"

#include <stddef.h>
#include <stdint.h>

enum pack_kind { PACK_NONE, PACK_GZIP, PACK_XZ, PACK_ZSTD, PACK_LZ4 };

#define UNPACK_MAX_OUTPUT (512ull << 20)

/* Where the packed kernel is inside a file, and what it claims to become. */
struct payload {
    enum pack_kind kind;
    uint64_t offset, length; /* of the packed bytes, within the file */
    uint64_t unpacked;       /* the declared size, at most UNPACK_MAX_OUTPUT; PACK_NONE: length */
};

/*
 * Looks at a whole file: a plain ELF (PACK_NONE), a bzImage, or a gzipped ELF. what names the file
 * in messages.
 */
int payload_find(const char *what, const uint8_t *file, size_t len, struct payload *out,
                 struct diag *d) MUST_CHECK;

/* Unpacks in[0..in_len) into out, which has exactly payload.unpacked bytes; all must be filled. */
int payload_unpack(const char *what, enum pack_kind kind, const uint8_t *in, size_t in_len,
                   uint8_t *out, size_t out_len, struct diag *d) MUST_CHECK;

#endif
