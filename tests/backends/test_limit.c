/* SPDX-License-Identifier: MIT */
/*
 * test_limit.c - limits against a clock of our own: never more than asked for in any second, and
 * not less, from 1 to 10^6 a second; groups; the words; histograms.
 *
 * Sabotage: in limit.c a SLACK of 0 fails "exact from 1 to a million" (a late caller
 * loses what it was late); in limit_take(), not giving bytes back fails "a group and its
 * members"; in limit_text.c, without the check of zero "no limits" fails; in meter.h, `(ns >> (e -
 * 3)) & 3` fails "histogram".
 */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenue/meter.h>

#include "tests.h"

#define SECOND 1000000000ull

static struct limit limit_of(const char *text)
{
    struct limit l;
    struct limit_rates r;
    char why[200] = "";

    memset(&l, 0, sizeof(l));
    if (limit_parse(text, &r, why, sizeof(why))) {
        printf("%s\n", why);
        CU_FAIL("limit_parse");
    }
    limit_set(&l, &r);
    return l;
}

/*
 * Somebody who always wants more, and comes back between nothing and `late_ns` after the time he
 * was told. The most and the least that any second let pass, of `seconds` after the first.
 */
static void press(struct limit *l, uint64_t bytes, uint64_t late_ns, unsigned seconds,
                  uint64_t *least, uint64_t *most)
{
    uint64_t now = 77 * SECOND, begin = now, n = 0;
    unsigned second = 0, seed = 1;

    *least = UINT64_MAX;
    *most = 0;
    while (second <= seconds) {
        uint64_t wait = limit_take(&l, 1, now, bytes);

        if (wait) {
            now += wait + (late_ns ? (uint64_t)rand_r(&seed) % late_ns : 0);
        } else {
            n++;
        }
        if (now - begin >= SECOND) {
            if (second) {
                *least = n < *least ? n : *least;
                *most = n > *most ? n : *most;
            }
            second++;
            begin += SECOND;
            n = 0;
        }
    }
}

static void test_exact(void)
{
    static const unsigned rates[] = {1,    3,     10,    47,     100,    150,    200,
                                     1000, 10000, 20000, 123456, 500000, 1000000};

    for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        char text[32];
        struct limit l;
        uint64_t least, most, spare = rates[i] / 100 > 1 ? rates[i] / 100 : 1;

        snprintf(text, sizeof(text), "%uiops", rates[i]);
        l = limit_of(text);
        press(&l, 4096, 200000, rates[i] > 100000 ? 3 : 20, &least, &most);
        if (most > rates[i] + spare || least + spare < rates[i]) {
            printf("%u a second: %llu to %llu\n", rates[i], (unsigned long long)least,
                   (unsigned long long)most);
        }
        CU_ASSERT_TRUE(most <= rates[i] + spare);
        CU_ASSERT_TRUE(least + spare >= rates[i]);
    }
}

static void test_bytes(void)
{
    struct limit l = limit_of("20MB/s");
    uint64_t least, most;

    press(&l, 65536, 200000, 10, &least, &most);
    CU_ASSERT_TRUE(most * 65536 <= 20000000 + 200000 + 65536);
    CU_ASSERT_TRUE(least * 65536 + 200000 + 65536 >= 20000000);
    /* One operation may be larger than what a burst is; it is paid for afterwards. */
    l = limit_of("1000B/s");
    press(&l, 5000, 0, 50, &least, &most);
    CU_ASSERT_EQUAL(least, 0);
    CU_ASSERT_EQUAL(most, 1);
    /* What moves no bytes does not wait for them. */
    CU_ASSERT_EQUAL(limit_take((struct limit *[]){&l}, 1, 5000 * SECOND, 5000), 0);
    CU_ASSERT_TRUE(limit_take((struct limit *[]){&l}, 1, 5000 * SECOND, 5000) > 0);
    CU_ASSERT_EQUAL(limit_take((struct limit *[]){&l}, 1, 5000 * SECOND, 0), 0);
}

/* So many at once after a rest, then as asked for. */
static void test_burst(void)
{
    struct limit l = limit_of("100iops@30"), *p = &l;
    unsigned n = 0;

    while (!limit_take(&p, 1, 9 * SECOND, 512)) {
        n++;
    }
    CU_ASSERT_EQUAL(n, 30);
    CU_ASSERT_EQUAL(limit_take(&p, 1, 9 * SECOND, 512), SECOND / 100);
    CU_ASSERT_EQUAL(limit_take(&p, 1, 9 * SECOND + SECOND / 100, 512), 0);
    CU_ASSERT_TRUE(limit_take(&p, 1, 9 * SECOND + SECOND / 100, 512) > 0);
}

static void test_unlimited(void)
{
    struct limit l = limit_of("none"), *p = &l;

    CU_ASSERT_FALSE(limit_is_set(&l));
    for (int i = 0; i < 1000; i++) {
        CU_ASSERT_EQUAL(limit_take(&p, 1, SECOND, 1 << 20), 0);
    }
}

/* Two members with one limit; and nothing is paid to one bucket when another one refuses. */
static void test_group(void)
{
    struct limit own[2] = {limit_of("none"), limit_of("700iops")}, group = limit_of("1000iops");
    uint64_t now = 5 * SECOND, end = now + 10 * SECOND;
    unsigned n[2] = {0, 0};

    for (; now < end; now += 100000) {
        for (unsigned i = 0; i < 2; i++) {
            struct limit *both[2] = {&own[i], &group};

            n[i] += !limit_take(both, 2, now, 4096);
        }
    }
    CU_ASSERT_TRUE(n[0] + n[1] >= 9900 && n[0] + n[1] <= 10100);
    CU_ASSERT_TRUE(n[1] <= 7010);

    own[0] = limit_of("1000000iops+1GB/s@100ms");
    group = limit_of("10iops");
    for (unsigned i = 0; i < 1000; i++) {
        struct limit *both[2] = {&own[0], &group};

        limit_take(both, 2, end, 1 << 20);
    }
    CU_ASSERT_EQUAL(limit_take((struct limit *[]){&own[0]}, 1, end, 512), 0);
}

static void same(const char *text, const char *printed)
{
    struct limit l = limit_of(text);
    struct limit_rates r;
    char back[LIMIT_TEXT_MAX];

    limit_get(&l, &r);
    limit_print(&r, back, sizeof(back));
    CU_ASSERT_STRING_EQUAL(back, printed);
}

static void test_words(void)
{
    same("2000iops", "2000iops");
    same("1iops", "1iops");
    same("10000000iops", "10000000iops");
    same("20MB/s", "20MB/s");
    same("10Mb/s", "1250KB/s");
    same("64KiB/s", "64KiB/s");
    same("20MB/s+500iops@50", "500iops@50+20MB/s");
    same("1MB/s@20ms", "1MB/s@20KB");
    same("1MB/s@2MB", "1MB/s@2MB");
    same("1000iops@100ms", "1000iops@100");
    same("none", "none");
}

static void refuse(const char *text, const char *want)
{
    struct limit_rates r;
    char why[200] = "";

    CU_ASSERT_TRUE(limit_parse(text, &r, why, sizeof(why)));
    if (!strstr(why, want)) {
        printf("expected \"%s\" in: %s\n", want, why);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(why, want));
}

static void test_no_limits(void)
{
    refuse("", "is no limit");
    refuse("0iops", "\"0iops\": a limit of zero lets nothing pass");
    refuse("0MB/s", "a limit of zero");
    refuse("1b/s", "a limit of zero");
    refuse("10000001iops", "\"10000001iops\" is above what can be counted, 10000000 operations");
    refuse("99999999999999999999999iops", "above what can be counted");
    refuse("101GB/s", "above what can be counted, 100000000000 bytes");
    refuse("100", "no unit that is known");
    refuse("100MB", "no unit that is known");
    refuse("100iopsx", "no unit that is known");
    refuse("-5iops", "is no limit");
    refuse("5iops+6iops", "operations are limited twice");
    refuse("5iops+", "is no limit");
    refuse("5iops@", "behind @ comes a burst");
    refuse("5iops@0", "a burst of zero");
    refuse("5iops@1MB", "is no number with one of the units us ms s");
    refuse("5iops@18000", "more than 3600 seconds' worth");
}

static void test_histogram(void)
{
    uint64_t before = 0;

    for (unsigned i = 0; i < METER_BUCKETS; i++) {
        uint64_t end = meter_bucket_end(i);

        CU_ASSERT_EQUAL(meter_bucket(before), i);
        CU_ASSERT_EQUAL(meter_bucket(end - 1), i);
        CU_ASSERT_TRUE(i == 0 || i == METER_BUCKETS - 1 || end <= before + before / 4);
        before = end;
    }
    CU_ASSERT_EQUAL(meter_bucket(UINT64_MAX), METER_BUCKETS - 1);
}

void suite_limit(void)
{
    CU_pSuite s = CU_add_suite("limit", NULL, NULL);

    CU_add_test(s, "exact from 1 to a million", test_exact);
    CU_add_test(s, "bytes", test_bytes);
    CU_add_test(s, "burst", test_burst);
    CU_add_test(s, "no limit set", test_unlimited);
    CU_add_test(s, "a group and its members", test_group);
    CU_add_test(s, "words", test_words);
    CU_add_test(s, "no limits", test_no_limits);
    CU_add_test(s, "histogram", test_histogram);
}
