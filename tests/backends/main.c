/* SPDX-License-Identifier: MIT */
/* main.c - runs the backends' CUnit suites; last line "backends: N passed, N failed". */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests.h"

static void report(void)
{
    CU_pFailureRecord f = CU_get_failure_list();

    for (; f; f = f->pNext) {
        printf("FAIL %s/%s: %s:%u: %s\n", f->pSuite ? f->pSuite->pName : "?",
               f->pTest ? f->pTest->pName : "?", f->strFileName ? f->strFileName : "?",
               f->uiLineNumber, f->strCondition ? f->strCondition : "?");
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "backends";
    unsigned ran, failed;

    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(300); /* a test that hangs is a test that fails */
    if (CU_initialize_registry() != CUE_SUCCESS) {
        return 2;
    }
    suite_channel();
    suite_request();
    suite_packet();
    suite_guard();
    suite_console();
    suite_device();
    suite_blkback();
    suite_uring();
    suite_nbd();
    suite_qcow2();
    suite_net();
    suite_arena();
    suite_conback();
    suite_xsclient();
    suite_limit();
    suite_resume();
    suite_capture();
    suite_netcap();
    CU_run_all_tests();
    report();
    ran = CU_get_number_of_tests_run();
    failed = CU_get_number_of_tests_failed();
    CU_cleanup_registry();
    printf("%s: %u passed, %u failed\n", name, ran - failed, failed);
    return failed != 0;
}
