/* SPDX-License-Identifier: MIT */
/*
 * BUG_ON: only for our own broken state, never reachable by a guest (HC-10, R-8).
 * ASSERT: the same, compiled in debug and hosted builds only.
 * A guest's mistake is an error code or domain_crash() (domain.h).
 */
#ifndef TENUE_ASSERT_H
#define TENUE_ASSERT_H

#include <tenue/abi.h>

noreturn_fn void panic(const char *fmt, ...) printf_like(1, 2);
/* While the machine comes up (main.c): says in a line what is wrong and the remedy, then halts. */
noreturn_fn void boot_fail(const char *fmt, ...) printf_like(1, 2);

#define BUG_ON(cond)                                                                               \
    do {                                                                                           \
        if (unlikely(cond))                                                                        \
            panic("BUG at %s:%d: %s", __FILE__, __LINE__, #cond);                                  \
    } while (0)

#ifdef TENUE_DEBUG
#define ASSERT(cond) BUG_ON(!(cond))
#define DEBUG_BUILD true
#else
#define DEBUG_BUILD false
#define ASSERT(cond) ((void)sizeof(cond))
#endif

#endif
