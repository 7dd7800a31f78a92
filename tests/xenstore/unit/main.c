/* SPDX-License-Identifier: MIT */
/* Unit tests of xenstore-lite: runs all suites, prints "name: N passed, N failed". */
#include <CUnit/Basic.h>
#include <stdio.h>

#include "harness.h"
#include "log.h"

int main(int argc, char **argv)
{
    unsigned int run, failed;

    if (log_open("/dev/null") || CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    suite_wire();
    suite_perms();
    suite_store();
    suite_ops();
    suite_quota();
    suite_transaction();
    suite_watch();
    suite_domains();
    suite_ring();
    suite_memory();
    suite_death();
    suite_resume();
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    run = CU_get_number_of_tests_run();
    failed = CU_get_number_of_tests_failed();
    harness_end();
    CU_cleanup_registry();
    printf("%s: %u passed, %u failed\n", argc > 1 ? argv[1] : "xenstore-unit", run - failed,
           failed);
    return failed != 0 || run == 0;
}
