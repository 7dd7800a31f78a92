/* SPDX-License-Identifier: MIT */
/*
 * Contract: sets of CPUs read and print as xl's do; what is no set, or an empty one, is refused.
 *
 * Sabotage: in take_range() `last <= first` for `last < first`; no `have` in
 * cpulist_format().
 */
#include "tests.h"

#include "../../toolstack/cpulist.h"

#include <CUnit/CUnit.h>
#include <string.h>

static void good(const char *text, uint64_t want, const char *shown)
{
    char out[CPULIST_TEXT];
    struct diag d = {0};
    uint64_t mask;

    CU_ASSERT_FATAL(cpulist_parse(text, &mask, &d) == 0);
    CU_ASSERT_EQUAL(mask, want);
    cpulist_format(mask, 8, out);
    CU_ASSERT_STRING_EQUAL(out, shown);
}

static void test_good(void)
{
    good("0", 1, "0");
    good("3-3", 8, "3");
    good("0-3,^2", 0xb, "0-1,3");
    good(" 1 , 5-6", 0x62, "1,5-6");
    good("all", ~0ull, "all");
    good("all,^0", ~1ull, "1-7");
    good("0-7", 0xff, "all");
    good("63", 1ull << 63, "");
    good("0-63", ~0ull, "all");
}

static void test_bad(void)
{
    static const char *const texts[] = {
        "",  "64", "-1",   "3-1",  "1-",  "a",    "1 2",  "1,",       ",1",
        "^", "^0", "0,^0", "alls", "0x1", "1--2", "1,,2", "all,^all", "99999999999999999999"};
    struct diag d;
    uint64_t mask;

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        d.text[0] = 0;
        if (cpulist_parse(texts[i], &mask, &d) == 0)
            test_note("taken: \"%s\"", texts[i]);
        CU_ASSERT(strstr(d.text, texts[i]) != NULL && d.text[0] != 0);
    }
}

static void test_missing(void)
{
    CU_ASSERT_EQUAL(cpulist_missing(0xf, 4), -1);
    CU_ASSERT_EQUAL(cpulist_missing(0x13, 4), 4);
    CU_ASSERT_EQUAL(cpulist_missing(0x20, 4), 5);
    CU_ASSERT_EQUAL(cpulist_missing(~0ull, 4), -1);
    CU_ASSERT_EQUAL(cpulist_missing(1ull << 63, 64), -1);
}

const struct test tests_cpulist[] = {
    {"cpulist: sets", test_good},
    {"cpulist: no sets", test_bad},
    {"cpulist: CPUs that are not there", test_missing},
    {0},
};
