/* SPDX-License-Identifier: MIT */
/*
 * What every test guest shares: checks that are counted and printed where they fail, and one
 * verdict line at the end. A guest defines guest_test(); returning from it is a pass unless a
 * check failed, guest_skip() was called, or the guest died (an ERROR). FAIL beats ERROR beats SKIP.
 */
#ifndef TESTS_GUEST_H
#define TESTS_GUEST_H

#include <tenue-front/front.h>
#include <tenue-front/x86.h>
#include <xen/errno.h>

void guest_test(void);

/*
 * How `run` boots this guest, as words: vcpus=N, memory=MIB (control domain), timeout=S,
 * ours (the contract is this project's own; not run on Xen), oracle (only meaningful on Xen),
 * append=OPTION (to the hypervisor), args=WORDS,WITH,COMMAS (the guest's command line),
 * icount (one TSC tick is one instruction), maxlines=N (more lines than that on the console are a
 * failure), twin=OPTION (boot it twice, the second time with this option: both pass, and their
 * lines "TWIN ..." are the same), crash=REGEX (to pass the domain must die, and the hypervisor's
 * console say so in these words).
 */
#define GUEST_RUN(words)                                                                           \
    __attribute__((used, section(".rodata.guest_run"))) static const char guest_run_words[] =      \
        "GUEST-RUN: " words

#define check(cond, ...) guest_check((cond), __FILE__, __LINE__, #cond, ": " __VA_ARGS__)
#define check_eq(got, want) guest_check_eq((u64)(got), (u64)(want), __FILE__, __LINE__, #got)
bool guest_check(bool ok, const char *file, int line, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
bool guest_check_eq(u64 got, u64 want, const char *file, int line, const char *what);
void guest_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Print the verdict now and reset the machine. */
void guest_end(void) __attribute__((noreturn));
/* Have the hypervisor recount its books, and check that they balance. Done at the end of every
 * test; nothing where it cannot be had (Xen, a domain without privilege). */
void guest_audit(void);
/* True under a hypervisor that is Xen itself rather than this project's (the oracle). */
bool guest_on_xen(void);
/* rdmsr and wrmsr: FAULT_NONE or the fault. *value is what the registers hold before and after: a
 * fault should not change it. */
u64 guest_read_msr(u32 index, u64 *value);
u64 guest_write_msr(u32 index, u64 value);

#endif
