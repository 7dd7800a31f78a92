/* SPDX-License-Identifier: MIT */
/* Runs the toolstack's unit tests: one line each, then the sum; exit status 1 if any failed. */
#include "tests.h"

#include <CUnit/CUnit.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name;
    const struct test *tests;
} suites[] = {
    {"config", tests_config},     {"elf", tests_elf},         {"unpack", tests_unpack},
    {"verdict", tests_verdict},   {"layout", tests_layout},   {"parts", tests_parts},
    {"timeline", tests_timeline}, {"cpulist", tests_cpulist}, {"zeros", tests_zeros},
    {"json", tests_json},
};

void test_note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    printf("    ");
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
}

static void on_test_done(const CU_pTest test, const CU_pSuite suite,
                         const CU_pFailureRecord failure)
{
    (void)suite;
    printf("%s %s\n", failure ? "FAIL" : "PASS", test->pName);
    for (CU_pFailureRecord f = failure; f; f = f->pNext)
        if (f->pTest == test)
            printf("    %s:%u: %s\n", f->strFileName, f->uiLineNumber, f->strCondition);
}

static void on_all_done(const CU_pFailureRecord failure)
{
    (void)failure;
    printf("toolstack: %u passed, %u failed\n",
           CU_get_number_of_tests_run() - CU_get_number_of_tests_failed(),
           CU_get_number_of_tests_failed());
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    for (size_t i = 0; i < sizeof(suites) / sizeof(*suites); i++) {
        CU_pSuite suite = CU_add_suite(suites[i].name, NULL, NULL);

        for (const struct test *t = suites[i].tests; suite && t->name; t++)
            if (!CU_add_test(suite, t->name, t->run))
                return 1;
    }
    CU_set_test_complete_handler(on_test_done);
    CU_set_all_test_complete_handler(on_all_done);
    CU_run_all_tests();
    unsigned failed = CU_get_number_of_tests_failed() + (CU_get_number_of_tests_run() == 0);
    CU_cleanup_registry();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
