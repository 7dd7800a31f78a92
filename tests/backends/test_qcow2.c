/* SPDX-License-Identifier: MIT */
/*
 * test_qcow2.c - the reader of qcow2 headers: each field at its bounds, truncated files, names of
 * other files, and any bytes at all.
 *
 * Sabotage: without the data file's feature in take_features(), or without the comparison with the
 * file's size in check_place(), "fields" fails.
 */
#include <CUnit/Basic.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/host/qcow2.h"
#include "tests.h"

#define FILE_SIZE (4u << 16)

static uint8_t head[QCOW2_HEAD_MAX];
static struct qcow2_header h;
static char why[160];

static void be(size_t at, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++) {
        head[at + i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
    }
}

/* Header, refcount table, refcount block, L1: what qemu-img makes of a disk of 16 MiB. */
static void good(void)
{
    memset(head, 0, sizeof(head));
    memcpy(head, "QFI\xfb", 4);
    be(4, 4, 3);
    be(20, 4, 16);
    be(24, 8, 16u << 20);
    be(36, 4, 1);
    be(40, 8, 3u << 16);
    be(48, 8, 1u << 16);
    be(56, 4, 1);
    be(96, 4, 4);
    be(100, 4, 104);
}

static void on(const char *base, const char *format)
{
    size_t n = strlen(format);

    be(104, 4, 0xe2792aca);
    be(108, 4, n);
    memcpy(head + 112, format, n);
    be(8, 8, 1024);
    be(16, 4, strlen(base));
    memcpy(head + 1024, base, strlen(base));
}

static int parse(size_t len, uint64_t file_size)
{
    why[0] = 0;
    return qcow2_parse(head, len, file_size, &h, why, sizeof(why));
}

static void refused(size_t at, unsigned bytes, uint64_t value, const char *field)
{
    good();
    on("base.img", "raw");
    be(at, bytes, value);
    CU_ASSERT_EQUAL(parse(sizeof(head), FILE_SIZE), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, field));
}

static void test_good(void)
{
    good();
    CU_ASSERT_EQUAL(parse(sizeof(head), FILE_SIZE), 0);
    CU_ASSERT_EQUAL(h.size, 16u << 20);
    CU_ASSERT_STRING_EQUAL(h.backing, "");
    on("dir/base.img", "raw");
    CU_ASSERT_EQUAL(parse(sizeof(head), FILE_SIZE), 0);
    CU_ASSERT_STRING_EQUAL(h.backing, "dir/base.img");
    CU_ASSERT_STRING_EQUAL(h.backing_format, "raw");
}

static void test_fields(void)
{
    refused(0, 4, 0, "magic");
    refused(4, 4, 1, "version");
    refused(4, 4, 4, "version");
    refused(8, 8, 65536, "backing_file_offset");
    refused(8, 8, UINT64_MAX, "backing_file_offset");
    refused(16, 4, 0, "backing_file_size");
    refused(16, 4, 1024, "backing_file_size");
    refused(16, 4, 9, "backing_file");
    refused(20, 4, 8, "cluster_bits");
    refused(20, 4, 22, "cluster_bits");
    refused(24, 8, 0, "size");
    refused(24, 8, 513, "size");
    refused(24, 8, UINT64_MAX & ~511ull, "l1_size");
    refused(32, 4, 1, "crypt_method");
    refused(36, 4, 0, "l1_size");
    refused(36, 4, UINT32_MAX, "l1_size");
    refused(36, 4, 8193, "l1_table_offset");
    refused(40, 8, 0, "l1_table_offset");
    refused(40, 8, 512, "l1_table_offset");
    refused(40, 8, 5u << 16, "l1_table_offset");
    refused(48, 8, 4u << 16, "refcount_table_offset");
    refused(56, 4, 0, "refcount_table_clusters");
    refused(56, 4, 129, "refcount_table_clusters");
    refused(60, 4, 65537, "nb_snapshots");
    refused(60, 4, 1, "snapshots_offset");
    refused(72, 8, 2, "marked as corrupt");
    refused(72, 8, 4, "another file");
    refused(72, 8, 1ull << 40, "incompatible_features");
    refused(96, 4, 7, "refcount_order");
    refused(100, 4, 96, "header_length");
    refused(100, 4, UINT32_MAX & ~7u, "header_length");
    refused(108, 4, 2000, "header extension");
    refused(108, 4, 16, "backing file format");
}

static void test_truncated(void)
{
    for (size_t len = 0; len < 104; len++) {
        good();
        CU_ASSERT_EQUAL(parse(len, len), -EINVAL);
    }
    good();
    CU_ASSERT_EQUAL(parse(65536, 3u << 16), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "truncated"));
}

static void test_table(void)
{
    uint8_t table[16] = {0x80, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

    good();
    CU_ASSERT_EQUAL_FATAL(parse(sizeof(head), FILE_SIZE), 0);
    CU_ASSERT_EQUAL(qcow2_check_table(table, 2, &h, FILE_SIZE, "L1", why, sizeof(why)), 0);
    table[13] = 4;
    CU_ASSERT_EQUAL(qcow2_check_table(table, 2, &h, FILE_SIZE, "L1", why, sizeof(why)), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "L1 1: leads beyond"));
    table[13] = 1;
    table[14] = 2;
    CU_ASSERT_EQUAL(qcow2_check_table(table, 2, &h, FILE_SIZE, "L1", why, sizeof(why)), -EINVAL);
}

/* Whatever it is: an answer, and nothing read beyond the end. The copy is of just that size. */
static void test_any(void)
{
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = (size_t)rand() % 300;
        uint8_t *copy;

        good();
        on("b", "raw");
        for (unsigned k = 0; k < 4; k++) {
            head[4 + rand() % 130] = (uint8_t)rand();
        }
        copy = malloc(len ? len : 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, head, len);
        (void)!qcow2_parse(copy, len, FILE_SIZE, &h, why, sizeof(why));
        free(copy);
    }
}

void suite_qcow2(void)
{
    CU_pSuite s = CU_add_suite("qcow2", NULL, NULL);

    CU_add_test(s, "good headers", test_good);
    CU_add_test(s, "fields", test_fields);
    CU_add_test(s, "truncated", test_truncated);
    CU_add_test(s, "tables", test_table);
    CU_add_test(s, "any bytes", test_any);
}
