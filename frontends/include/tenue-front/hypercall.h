/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls from guest kernel mode, each a bare `syscall` with the number in RAX: it needs no
 * page from the hypervisor and so works from the first instruction on. The hypercall page, where
 * the image's flavour has one, is reached with front_hypercall_by_page().
 *
 * Results are the ABI's: 0 or positive on success, -XEN_E* on failure.
 */
#ifndef TENUE_FRONT_HYPERCALL_H
#define TENUE_FRONT_HYPERCALL_H

#include <tenue-front/types.h>
#include <xen/xen.h>

static inline long front_hypercall(u64 nr, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
    long ret = (long)nr;
    register u64 r10 __asm__("r10") = a4;
    register u64 r8 __asm__("r8") = a5;

    __asm__ volatile("syscall"
                     : "+a"(ret), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                     :
                     : "rcx", "r11", "memory");
    return ret;
}

/* Guests of tests may have what they ask and are answered noted. */
long front_hypercall_recorded(u64 nr, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);
void front_event_recorded(unsigned port);
#ifdef FRONT_RECORD
#define front_hypercall front_hypercall_recorded
#define FRONT_EVENT_RECORDED(port) front_event_recorded(port)
#else
#define FRONT_EVENT_RECORDED(port) ((void)0)
#endif

/* The same, through slot `nr` of the hypercall page (flavours `high` and `legacy`). */
long front_hypercall_by_page(u64 nr, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);

#define front_hc0(nr) front_hypercall(nr, 0, 0, 0, 0, 0)
#define front_hc1(nr, a) front_hypercall(nr, (u64)(a), 0, 0, 0, 0)
#define front_hc2(nr, a, b) front_hypercall(nr, (u64)(a), (u64)(b), 0, 0, 0)
#define front_hc3(nr, a, b, c) front_hypercall(nr, (u64)(a), (u64)(b), (u64)(c), 0, 0)
#define front_hc4(nr, a, b, c, d) front_hypercall(nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0)

/* hc_NAME(arguments) for each hypercall, made from the description in abi/. */
#include <tenue-front/calls.h>

#endif
