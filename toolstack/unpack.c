/* SPDX-License-Identifier: MIT */
/* Kernel containers and their compression: see unpack.h. */
#include "unpack.h"

#include <lz4.h>
#include <lzma.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* The boot protocol's setup header, offsets in the file (linux/Documentation/arch/x86/boot.rst). */
enum {
    SETUP_SECTS = 0x1f1,
    SETUP_BOOT_FLAG = 0x1fe,
    SETUP_MAGIC = 0x202,
    SETUP_VERSION = 0x206,
    SETUP_PAYLOAD_OFFSET = 0x248,
    SETUP_PAYLOAD_LENGTH = 0x24c,
    SETUP_END = 0x250,
    SETUP_VERSION_MIN = 0x208, /* the first with a payload */
    LZ4_BLOCK = 8 << 20,       /* what one block of the legacy format holds at most */
};

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool starts(const uint8_t *p, size_t len, const char *magic, size_t n)
{
    return len >= n && memcmp(p, magic, n) == 0;
}

static int identify(const char *what, const uint8_t *p, size_t len, enum pack_kind *kind,
                    struct diag *d)
{
    if (starts(p, len,
               "\x7f"
               "ELF",
               4))
        *kind = PACK_NONE;
    else if (starts(p, len, "\x1f\x8b", 2))
        *kind = PACK_GZIP;
    else if (starts(p, len,
                    "\xfd"
                    "7zXZ",
                    6))
        *kind = PACK_XZ;
    else if (starts(p, len, "\x28\xb5\x2f\xfd", 4))
        *kind = PACK_ZSTD;
    else if (starts(p, len, "\x02\x21\x4c\x18", 4))
        *kind = PACK_LZ4;
    else if (starts(p, len, "BZh", 3) || starts(p, len, "\x89LZO", 4) ||
             starts(p, len, "\x5d\0\0", 3))
        return diag_set(d,
                        "%s: packed with bzip2, lzo or lzma; use a kernel packed with gzip, xz,"
                        " zstd or lz4, or an unpacked one",
                        what);
    else
        return diag_set(d,
                        "%s: the kernel inside is neither an ELF image nor packed with gzip,"
                        " xz, zstd or lz4",
                        what);
    return 0;
}

/* The unpacked size stands in the last four bytes, for all four methods. */
static int read_trailer(const char *what, const uint8_t *file, struct payload *out, struct diag *d)
{
    if (out->kind == PACK_NONE) {
        out->unpacked = out->length;
        return 0;
    }
    if (out->length < 16)
        return diag_set(d, "%s: truncated: the packed kernel has %llu bytes", what,
                        (unsigned long long)out->length);
    out->unpacked = get32(file + out->offset + out->length - 4);
    if (out->unpacked == 0 || out->unpacked > UNPACK_MAX_OUTPUT)
        return diag_set(d, "%s: claims to unpack to %llu bytes; at most %llu MiB are taken", what,
                        (unsigned long long)out->unpacked, UNPACK_MAX_OUTPUT >> 20);
    return 0;
}

static int find_in_bzimage(const char *what, const uint8_t *file, size_t len, struct payload *out,
                           struct diag *d)
{
    unsigned version = file[SETUP_VERSION] | file[SETUP_VERSION + 1] << 8;
    uint64_t sects = file[SETUP_SECTS] ? file[SETUP_SECTS] : 4;

    if (version < SETUP_VERSION_MIN)
        return diag_set(d,
                        "%s: a bzImage of boot protocol %x.%02x, too old to be unpacked; 2.08"
                        " or later is needed",
                        what, version >> 8, version & 0xff);
    out->offset = (sects + 1) * 512 + get32(file + SETUP_PAYLOAD_OFFSET);
    out->length = get32(file + SETUP_PAYLOAD_LENGTH);
    if (out->offset > len || out->length > len - out->offset)
        return diag_set(d, "%s: truncated: the header names %llu bytes at %llu, the file has %zu",
                        what, (unsigned long long)out->length, (unsigned long long)out->offset,
                        len);
    if (identify(what, file + out->offset, out->length, &out->kind, d) != 0)
        return -1;
    return read_trailer(what, file, out, d);
}

int payload_find(const char *what, const uint8_t *file, size_t len, struct payload *out,
                 struct diag *d)
{
    *out = (struct payload){0};
    if (len >= SETUP_END && get32(file + SETUP_MAGIC) == 0x53726448 &&
        file[SETUP_BOOT_FLAG] == 0x55 && file[SETUP_BOOT_FLAG + 1] == 0xaa)
        return find_in_bzimage(what, file, len, out, d);
    if (starts(file, len,
               "\x7f"
               "ELF",
               4) ||
        starts(file, len, "\x1f\x8b", 2)) {
        out->length = len;
        if (identify(what, file, len, &out->kind, d) != 0)
            return -1;
        return read_trailer(what, file, out, d);
    }
    return diag_set(d, "%s: not a kernel: neither a bzImage nor an ELF image", what);
}

static size_t unpack_gzip(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)in,
                  .avail_in = (uInt)in_len,
                  .next_out = out,
                  .avail_out = (uInt)out_len};

    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return 0;
    int rc = inflate(&z, Z_FINISH);
    size_t done = z.total_out;
    inflateEnd(&z);
    return rc == Z_STREAM_END ? done : 0;
}

static size_t unpack_xz(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
    uint64_t memlimit = 256 << 20;
    size_t in_pos = 0, out_pos = 0;

    if (lzma_stream_buffer_decode(&memlimit, 0, NULL, in, &in_pos, in_len, out, &out_pos,
                                  out_len) != LZMA_OK)
        return 0;
    return out_pos;
}

static size_t unpack_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
    size_t frame = ZSTD_findFrameCompressedSize(in, in_len); /* the size trailer is not part */

    if (ZSTD_isError(frame))
        return 0;
    size_t n = ZSTD_decompress(out, out_len, in, frame);
    return ZSTD_isError(n) ? 0 : n;
}

/* The legacy frame: a magic, then blocks of {length, data}, then the trailer. */
static size_t unpack_lz4(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
    size_t pos = 4, done = 0;

    while (in_len - pos > 4) {
        uint32_t n = get32(in + pos);
        size_t room = out_len - done < LZ4_BLOCK ? out_len - done : LZ4_BLOCK;

        pos += 4;
        if (n == 0 || n > in_len - pos)
            return 0;
        int got =
            LZ4_decompress_safe((const char *)in + pos, (char *)out + done, (int)n, (int)room);
        if (got <= 0)
            return 0;
        done += (size_t)got;
        pos += n;
        if (in_len - pos < 4)
            return 0;
    }
    return done;
}

int payload_unpack(const char *what, enum pack_kind kind, const uint8_t *in, size_t in_len,
                   uint8_t *out, size_t out_len, struct diag *d)
{
    size_t done = 0;

    switch (kind) {
    case PACK_NONE:
        return diag_set(d, "%s: is not packed", what);
    case PACK_GZIP:
        done = unpack_gzip(in, in_len, out, out_len);
        break;
    case PACK_XZ:
        done = unpack_xz(in, in_len, out, out_len);
        break;
    case PACK_ZSTD:
        done = unpack_zstd(in, in_len, out, out_len);
        break;
    case PACK_LZ4:
        done = unpack_lz4(in, in_len, out, out_len);
        break;
    }
    if (done != out_len)
        return diag_set(d,
                        "%s: the packed kernel is damaged: %zu of the declared %zu bytes came"
                        " out; fetch the file again",
                        what, done, out_len);
    return 0;
}
