/* SPDX-License-Identifier: MIT */
/*
 * A check with its place, counted. Each program defines the two counts.
 */
#ifndef TESTS_FRONTENDS_CHECK_H
#define TESTS_FRONTENDS_CHECK_H

#include <stdio.h>

extern unsigned passed, failed;
#define CHECK(what, condition)                                                                     \
    do {                                                                                           \
        if (condition) {                                                                           \
            passed++;                                                                              \
        } else {                                                                                   \
            failed++;                                                                              \
            printf("FAIL %s: line %d: %s\n", what, __LINE__, #condition);                          \
        }                                                                                          \
    } while (0)

#endif
