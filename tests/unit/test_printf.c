/* SPDX-License-Identifier: MIT */
/*
 * lib/printf.c: the formats that lib.h promises say what libc's say, and the buffer's end
 * holds.
 *
 * Sabotage: in out_char() write when o->len <= o->size: the_limit_holds crashes; in out_number()
 * drop the zero flag: same_as_libc fails.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "lib.h"

static bool same(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static bool same(const char *fmt, ...)
{
    char ours[128], libc[128];
    va_list a, b;
    int n, m;

    va_start(a, fmt);
    va_copy(b, a);
    n = fmt_vsnprintf(ours, sizeof(ours), fmt, a);
    m = vsnprintf(libc, sizeof(libc), fmt, b);
    va_end(b);
    va_end(a);
    if (n == m && strcmp(ours, libc) == 0)
        return true;
    fprintf(stderr, "%s: ours \"%s\" libc \"%s\"\n", fmt, ours, libc);
    return false;
}

static void same_as_libc(void)
{
    CU_ASSERT_TRUE(same("plain %% text"));
    CU_ASSERT_TRUE(same("%d %i %u", -5, 7, 4000000000u));
    CU_ASSERT_TRUE(same("%ld %lu %llx", -1l, ~0ul, 0x123456789abcdefull));
    CU_ASSERT_TRUE(same("%x %X %#x %#x", 0xbeef, 0xbeef, 0xbeef, 0));
    CU_ASSERT_TRUE(same("[%5d] [%-5d] [%05d] [%+d]", 42, 42, -42, 42));
    CU_ASSERT_TRUE(same("[%16lx] [%016lx] [%#018lx]", 0xffffful, 0xffffful, 0xffffful));
    CU_ASSERT_TRUE(same("[%.3d] [%8.3x] [%-8.3u]", 5, 5, 5u));
    CU_ASSERT_TRUE(same("[%s] [%8s] [%-8s] [%.2s] [%.*s]", "abc", "abc", "abc", "abc", 1, "abc"));
    CU_ASSERT_TRUE(same("%c%5c%-3c|", 'a', 'b', 'c'));
    CU_ASSERT_TRUE(same("%hhu %hd %zu", (unsigned char)255, (short)-3, (size_t)9));
    CU_ASSERT_TRUE(same("%d %ld", -2147483647 - 1, -9223372036854775807l - 1));
    CU_ASSERT_TRUE(same("%*d|%-*d", 6, 1, 6, 2));
}

static void the_limit_holds(void)
{
    char buf[8] = "xxxxxxx";

    CU_ASSERT_EQUAL(fmt_snprintf(buf, 4, "%s", "abcdef"), 6);
    CU_ASSERT_STRING_EQUAL(buf, "abc");
    CU_ASSERT_EQUAL(buf[4], 'x');
    CU_ASSERT_EQUAL(fmt_snprintf(buf, 1, "%d", 12345), 5);
    CU_ASSERT_EQUAL(buf[0], 0);
    CU_ASSERT_EQUAL(fmt_snprintf(NULL, 0, "%x", 0x1234), 4);
}

static void oddities_are_harmless(void)
{
    char buf[32];
    const char *volatile none = NULL, *volatile unknown = "%k%", *volatile cut = "a%";

    fmt_snprintf(buf, sizeof(buf), "%s", none);
    CU_ASSERT_STRING_EQUAL(buf, "(null)");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
    fmt_snprintf(buf, sizeof(buf), unknown);
    CU_ASSERT_STRING_EQUAL(buf, "%k%");
    fmt_snprintf(buf, sizeof(buf), cut);
    CU_ASSERT_STRING_EQUAL(buf, "a%");
#pragma GCC diagnostic pop
    str_copy(buf, "0123456789", 4);
    CU_ASSERT_STRING_EQUAL(buf, "012");
}

static void atomic_bits(void)
{
    uint64_t words[2] = {0};

    CU_ASSERT_FALSE(bit_test_and_set(words, 70));
    CU_ASSERT_TRUE(bit_test_and_set(words, 70));
    CU_ASSERT_EQUAL(words[1], 1ull << 6);
    CU_ASSERT_TRUE(bit_test(words, 70));
    CU_ASSERT_FALSE(bit_test(words, 6));
    CU_ASSERT_TRUE(bit_test_and_clear(words, 70));
    CU_ASSERT_FALSE(bit_test_and_clear(words, 70));
}

void suite_printf(void);
void suite_printf(void)
{
    CU_pSuite s = CU_add_suite("printf", NULL, NULL);

    CU_add_test(s, "formats agree with libc", same_as_libc);
    CU_add_test(s, "the buffer's end holds", the_limit_holds);
    CU_add_test(s, "unknown and missing are shown", oddities_are_harmless);
    CU_add_test(s, "bit operations", atomic_bits);
}
