/* SPDX-License-Identifier: MIT */
/*
 * Contract: what any of the four methods packed comes out byte for byte, through the confined
 * child as well; a damaged, truncated or lying container is refused, and output never passes the
 * declared size (LC-11: decompression bombs). Could break through the four bytes of size that
 * follow the packed data, which each library must be kept from.
 *
 * Sabotage tried and seen to fail: in unpack.c payload_unpack(), `done != out_len` turned into
 * `done == 0`; in image.c child(), confine_enter_examiner() left out.
 */
#include "tests.h"

#include "../../toolstack/image.h"
#include "../../toolstack/unpack.h"
#include "imagegen.h"

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char *const kinds[] = {"none", "gzip", "xz", "zstd", "lz4"};
static uint8_t elf[GEN_ROOM], packed[2 * GEN_ROOM], out[GEN_ROOM];

static int unpack(const uint8_t *file, size_t len, size_t *out_len, struct diag *d)
{
    struct payload p;
    uint8_t *copy = malloc(len ? len : 1);
    int rc = -1;

    memcpy(copy, file, len);
    d->text[0] = 0;
    if (payload_find("k", copy, len, &p, d) == 0 && p.unpacked <= sizeof(out) &&
        p.kind != PACK_NONE) {
        rc = payload_unpack("k", p.kind, copy + p.offset, p.length, out, p.unpacked, d);
        *out_len = p.unpacked;
    }
    free(copy);
    return rc;
}

static void test_round_trip(void)
{
    size_t len = gen_elf(GEN_LINUX, elf);

    for (int kind = PACK_GZIP; kind <= PACK_LZ4; kind++) {
        size_t got = 0, n = gen_bzimage((enum pack_kind)kind, elf, len, packed, sizeof(packed));
        struct diag d;

        CU_ASSERT_FATAL(n > 0);
        if (unpack(packed, n, &got, &d) != 0)
            test_note("%s: %s", kinds[kind], d.text);
        CU_ASSERT_EQUAL(got, len);
        CU_ASSERT(memcmp(out, elf, len) == 0);
    }
}

static void test_truncated(void)
{
    size_t len = gen_elf(GEN_LINUX, elf);

    for (int kind = PACK_GZIP; kind <= PACK_LZ4; kind++) {
        size_t got, n = gen_bzimage((enum pack_kind)kind, elf, len, packed, sizeof(packed));

        for (size_t cut = 1; cut < n; cut += 41) {
            struct diag d;

            CU_ASSERT(unpack(packed, n - cut, &got, &d) != 0);
        }
    }
}

/* Claims more or less than what comes out: refused, and nothing is written behind the claim. */
static void test_size_lies(void)
{
    size_t len = gen_elf(GEN_LINUX, elf);

    for (int kind = PACK_GZIP; kind <= PACK_LZ4; kind++) {
        static const int lies[] = {-1, 1, -20000, 4096};

        for (size_t i = 0; i < 4; i++) {
            size_t n = gen_bzimage((enum pack_kind)kind, elf, len, packed, sizeof(packed));
            uint32_t claim = (uint32_t)((int)len + lies[i]);
            struct payload p;
            struct diag d = {0};

            memcpy(packed + n - 4, &claim, 4);
            CU_ASSERT_FATAL(payload_find("k", packed, n, &p, &d) == 0);
            uint8_t *exact = malloc(p.unpacked);
            CU_ASSERT(payload_unpack("k", p.kind, packed + p.offset, p.length, exact, p.unpacked,
                                     &d) != 0);
            free(exact);
        }
    }
}

static void refuse_file(const uint8_t *file, size_t len, const char *want)
{
    struct payload p;
    struct diag d = {0};

    CU_ASSERT_FATAL(payload_find("k", file, len, &p, &d) != 0);
    if (!strstr(d.text, want))
        test_note("expected \"%s\" in: %s", want, d.text);
    CU_ASSERT(strstr(d.text, want) != NULL);
}

static void test_bad_containers(void)
{
    size_t len = gen_elf(GEN_LINUX, elf);
    size_t n = gen_bzimage(PACK_GZIP, elf, len, packed, sizeof(packed));

    packed[0x206] = 7;
    refuse_file(packed, n, "too old to be unpacked");
    packed[0x206] = 0x0f;
    memset(packed + 0x248, 0xff, 8);
    refuse_file(packed, n, "truncated: the header names");
    gen_bzimage(PACK_GZIP, elf, len, packed, sizeof(packed));
    memset(packed + n - 4, 0xff, 4);
    refuse_file(packed, n, "at most 512 MiB");
    gen_bzimage(PACK_GZIP, elf, len, packed, sizeof(packed));
    memcpy(packed + 0x900, "BZh9", 4);
    refuse_file(packed, n, "packed with bzip2");
    memcpy(packed + 0x900, "what", 4);
    refuse_file(packed, n, "neither an ELF image nor packed");
    refuse_file((const uint8_t *)"hello", 5, "not a kernel");
    refuse_file(packed, 0, "not a kernel");
}

static void test_damage(void)
{
    size_t len = gen_elf(GEN_LINUX, elf);
    uint32_t rnd = 3;

    for (int kind = PACK_GZIP; kind <= PACK_LZ4; kind++)
        for (unsigned i = 0; i < 300; i++) {
            size_t got = 0, n = gen_bzimage((enum pack_kind)kind, elf, len, packed, sizeof(packed));
            struct diag d;

            rnd = rnd * 1664525 + 1013904223;
            packed[0x900 + (rnd >> 4) % (n - 0x900)] ^= (uint8_t)(1 + (rnd >> 24));
            CU_ASSERT(unpack(packed, n, &got, &d) == 0 || d.text[0] != 0);
        }
}

static void write_file(const char *path, const uint8_t *p, size_t len)
{
    FILE *f = fopen(path, "w");

    CU_ASSERT_FATAL(f != NULL && fwrite(p, 1, len, f) == len && fclose(f) == 0);
}

/* The whole way: file, confined child, memory file, second check. */
static void test_image_open(void)
{
    char path[] = "/tmp/test-image-XXXXXX";
    size_t len = gen_elf(GEN_LINUX, elf);
    struct image image;
    struct diag d = {0};

    CU_ASSERT_FATAL(close(mkstemp(path)) == 0);
    for (int kind = PACK_GZIP; kind <= PACK_LZ4; kind++) {
        size_t n = gen_bzimage((enum pack_kind)kind, elf, len, packed, sizeof(packed));

        write_file(path, packed, n);
        if (image_open(path, &image, &d) != 0)
            test_note("%s", d.text);
        CU_ASSERT_FATAL(image.fd >= 0);
        CU_ASSERT_EQUAL(image.size, len);
        CU_ASSERT(image_read(image.fd, 0, out, len) == 0 && memcmp(out, elf, len) == 0);
        CU_ASSERT_EQUAL(image.elf.entry, 0xffffffff80100040ull);
        image_close(&image);
    }
    write_file(path, elf, len);
    CU_ASSERT(image_open(path, &image, &d) == 0);
    CU_ASSERT_EQUAL(image.size, len);
    image_close(&image);

    write_file(path, elf, 3000);
    CU_ASSERT(image_open(path, &image, &d) != 0);
    CU_ASSERT(strstr(d.text, "truncated or lying ELF") != NULL);
    unlink(path);
    d.text[0] = 0;
    CU_ASSERT(image_open(path, &image, &d) != 0);
    CU_ASSERT(strstr(d.text, "No such file") != NULL);
}

/* What an unpacking library that was taken over would do first, instead of looking for the payload.
 */
static bool taken_over;

int __real_payload_find(const char *what, const uint8_t *file, size_t len, struct payload *p,
                        struct diag *d);
int __wrap_payload_find(const char *what, const uint8_t *file, size_t len, struct payload *p,
                        struct diag *d);

int __wrap_payload_find(const char *what, const uint8_t *file, size_t len, struct payload *p,
                        struct diag *d)
{
    if (taken_over)
        mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return __real_payload_find(what, file, len, p, d);
}

/* The examiner ends at once, and create learns how. */
static void test_taken_over(void)
{
    char path[] = "/tmp/test-image-XXXXXX";
    struct image image;
    struct diag d = {0};

    CU_ASSERT_FATAL(close(mkstemp(path)) == 0);
    write_file(path, elf, gen_elf(GEN_LINUX, elf));
    taken_over = true;
    CU_ASSERT(image_open(path, &image, &d) != 0);
    taken_over = false;
    CU_ASSERT(strstr(d.text, "looking inside failed (signal 31)") != NULL);
    CU_ASSERT(image_open(path, &image, &d) == 0);
    image_close(&image);
    unlink(path);
}

const struct test tests_unpack[] = {
    {"unpack: gzip, xz, zstd and lz4 come out whole", test_round_trip},
    {"unpack: truncated anywhere", test_truncated},
    {"unpack: lies about the size", test_size_lies},
    {"unpack: bad containers", test_bad_containers},
    {"unpack: damaged data", test_damage},
    {"unpack: through the confined child", test_image_open},
    {"unpack: a child that was taken over", test_taken_over},
    {NULL, NULL},
};
