/* SPDX-License-Identifier: MIT */
/*
 * Runs every suite_<module>() of tests/unit/test_<module>.c (the list is made from the file names)
 * on one fake machine. Arguments: names of modules; none means all. -v: the hypervisor's log too.
 * Last line: "check-unit-hv: N passed, N failed"; exit status 1 when one failed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "fake/fake.h"

#define SUITE(name) void suite_##name(void);
#include "suites.h"
#undef SUITE

static const struct {
    const char *name;
    void (*add)(void);
} suites[] = {
#define SUITE(name) {#name, suite_##name},
#include "suites.h"
#undef SUITE
};

static bool wanted(const char *name, int argc, char **argv)
{
    bool any = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0)
            continue;
        any = true;
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return !any;
}

int main(int argc, char **argv)
{
    unsigned failed, run;

    for (int i = 1; i < argc; i++)
        fake_verbose = fake_verbose || strcmp(argv[i], "-v") == 0;
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    fake_machine_init();
    for (unsigned i = 0; i < ARRAY_LEN(suites); i++)
        if (wanted(suites[i].name, argc, argv))
            suites[i].add();
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    run = CU_get_number_of_tests_run();
    failed = CU_get_number_of_tests_failed();
    CU_cleanup_registry();
    printf("check-unit-hv: %u passed, %u failed\n", run - failed, failed);
    return failed || !run ? 1 : 0;
}
