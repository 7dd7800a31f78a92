/* SPDX-License-Identifier: MIT */
/*
 * core/options.c: Xen's spellings, and that what is refused or unknown is named.
 *
 * Sabotage: let a bare number count bytes (shift = 0): sizes fails; return before the last
 * log_warn(): unknown_is_named fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/options.h>

static uint64_t size_of(const char *s)
{
    uint64_t bytes = 0;

    return options_parse_size(s, &bytes) ? bytes : ~0ull;
}

static void sizes(void)
{
    CU_ASSERT_EQUAL(size_of("65536"), 64ull << 20);
    CU_ASSERT_EQUAL(size_of("512M"), 512ull << 20);
    CU_ASSERT_EQUAL(size_of("2g"), 2ull << 30);
    CU_ASSERT_EQUAL(size_of("1T"), 1ull << 40);
    CU_ASSERT_EQUAL(size_of("4096B"), 4096);
    CU_ASSERT_EQUAL(size_of("8k"), 8192);
    CU_ASSERT_EQUAL(size_of(""), ~0ull);
    CU_ASSERT_EQUAL(size_of("M"), ~0ull);
    CU_ASSERT_EQUAL(size_of("5MB"), ~0ull);
    CU_ASSERT_EQUAL(size_of("-5M"), ~0ull);
    CU_ASSERT_EQUAL(size_of("99999999999999999999G"), ~0ull);
    CU_ASSERT_EQUAL(size_of("17179869184T"), ~0ull);
}

static void memory_and_vcpus(void)
{
    options = (struct options){0};
    options_parse("dom0_mem=512M,min:128M,max:1G  dom0_max_vcpus=1-4 noreboot", true);
    CU_ASSERT_EQUAL(options.dom0_mem, 512ull << 20);
    CU_ASSERT_EQUAL(options.dom0_mem_min, 128ull << 20);
    CU_ASSERT_EQUAL(options.dom0_mem_max, 1ull << 30);
    CU_ASSERT_EQUAL(options.dom0_max_vcpus, 4);
    CU_ASSERT_TRUE(options.noreboot);
    options_parse("noreboot=no", true);
    CU_ASSERT_FALSE(options.noreboot);
    options = (struct options){0};
}

static void bad_values_are_named(void)
{
    const char *log;

    fake_log_take();
    options_parse("dom0_mem=lots dom0_max_vcpus=99 loglvl=loud", true);
    log = fake_log_take();
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "option dom0_mem: \"lots\" not understood"));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "option dom0_max_vcpus: \"99\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(log, "option loglvl: \"loud\""));
    CU_ASSERT_EQUAL(options.dom0_mem, 0);
    CU_ASSERT_EQUAL(options.dom0_max_vcpus, 0);
}

static void unknown_is_named(void)
{
    fake_log_take();
    options_parse("bootscrub=0 no-such-option=1 x", true);
    CU_ASSERT_PTR_NULL(strstr(fake_log_take(), "bootscrub"));
    options_parse("no-such-option=1", true);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_take(), "unknown option \"no-such-option\""));
}

static void long_words_do_not_overflow(void)
{
    char line[600];

    memset(line, 'y', sizeof(line));
    line[sizeof(line) - 1] = 0;
    fake_log_take();
    options_parse(line, true);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_take(), "longer than"));
    memcpy(line, "dom0_mem=", 9);
    memset(line + 9, '1', 60);
    line[69] = 0;
    options_parse(line, true);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_log_take(), "not understood"));
    options = (struct options){0};
}

void suite_options(void);
void suite_options(void)
{
    CU_pSuite s = CU_add_suite("options", NULL, NULL);

    CU_add_test(s, "sizes", sizes);
    CU_add_test(s, "dom0_mem, dom0_max_vcpus, noreboot", memory_and_vcpus);
    CU_add_test(s, "bad values are named", bad_values_are_named);
    CU_add_test(s, "unknown options are named, Xen's are not", unknown_is_named);
    CU_add_test(s, "long words", long_words_do_not_overflow);
}
