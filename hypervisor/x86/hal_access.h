/* SPDX-License-Identifier: MIT */
/*
 * Single words of guest memory without a call, for the hottest callers: the metal's answer. The
 * caller has checked that the range is the guest's (guestmem.h). False: the access faulted.
 *
 * Each function opens guest memory for its own accesses alone (STAC, CLAC as no-ops that start-up
 * replaces) and has a row of recovery for each of them (ENT-12, extable.c).
 */
#ifndef TENUE_HAL_ACCESS_H
#define TENUE_HAL_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

/* As SMAP_SITE in access.inc. */
#define ACCESS_SMAP(insn)                                                                          \
    "661: .byte 0x0f, 0x1f, 0x00\n"                                                                \
    ".pushsection .spec_sites, \"a\"; .quad 661b, 0; .long 0x80000000, " #insn "; .popsection\n"
#define ACCESS_OPEN ACCESS_SMAP(0xcb010f)
#define ACCESS_CLOSE "8: " ACCESS_SMAP(0xca010f)
#define ACCESS_RECOVER(insn) ".pushsection .extable, \"a\"; .quad " #insn "b, 9b; .popsection\n"
/* Where each of them goes on: %0 says so, and guest memory is closed as ever. */
#define ACCESS_FAULT ".pushsection .text.unlikely, \"ax\"; 9: movb $1, %b0; jmp 8b; .popsection\n"

static inline bool hal_guest_load32(uint32_t *v, uint64_t va)
{
    bool fault = false;

    __asm__ volatile(ACCESS_OPEN "1: movl (%2), %1\n" ACCESS_CLOSE ACCESS_FAULT ACCESS_RECOVER(1)
                     : "+q"(fault), "=&r"(*v)
                     : "r"(va)
                     : "memory");
    return !fault;
}

static inline bool hal_guest_store64(uint64_t va, uint64_t v)
{
    bool fault = false;

    __asm__ volatile(ACCESS_OPEN "1: movq %1, (%2)\n" ACCESS_CLOSE ACCESS_FAULT ACCESS_RECOVER(1)
                     : "+q"(fault)
                     : "r"(v), "r"(va)
                     : "memory");
    return !fault;
}

/* Of the element of a multicall at va: the operation and its first four arguments. */
static inline bool hal_guest_load_call(uint64_t w[5], uint64_t va)
{
    bool fault = false;

    __asm__ volatile(ACCESS_OPEN "1: movq (%6), %1\n"
                                 "2: movq 16(%6), %2\n"
                                 "3: movq 24(%6), %3\n"
                                 "4: movq 32(%6), %4\n"
                                 "5: movq 40(%6), %5\n" ACCESS_CLOSE ACCESS_FAULT ACCESS_RECOVER(1)
                                     ACCESS_RECOVER(2) ACCESS_RECOVER(3) ACCESS_RECOVER(4)
                                         ACCESS_RECOVER(5)
                     : "+q"(fault), "=&r"(w[0]), "=&r"(w[1]), "=&r"(w[2]), "=&r"(w[3]), "=&r"(w[4])
                     : "r"(va)
                     : "memory");
    return !fault;
}

#endif
