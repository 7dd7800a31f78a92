/* SPDX-License-Identifier: MIT */
/* The toolstack's unit tests: one table per module, ended by a NULL name. */
#ifndef TENUE_TEST_TESTS_H
#define TENUE_TEST_TESTS_H

struct test {
    const char *name;
    void (*run)(void);
};

extern const struct test tests_config[], tests_elf[], tests_unpack[], tests_verdict[],
    tests_layout[], tests_parts[], tests_timeline[], tests_cpulist[], tests_zeros[], tests_json[];

/* Prints a line that explains a failure. */
void test_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
