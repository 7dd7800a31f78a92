/* SPDX-License-Identifier: MIT */
/*
 * hook.c - linked into each program that is built with sanitizers for the machine: where reports
 * go, and when leaks are looked for.
 *
 * Owns one descriptor, opened early because a confined process can open nothing. Where its file
 * cannot be opened (a program of the build tried by hand) reports go to standard error.
 * Leaks are looked for at each end of a process that is not confined: the search needs a second
 * process and ptrace, which the filter denies.
 */
#include <errno.h>
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A program that wants its reports on standard error has another. */
extern const char sanitizer_reports[];
const char sanitizer_reports[] __attribute__((weak)) = "/var/log/tenue/sanitizer.report";

const char *__asan_default_options(void);
int __wrap_seccomp_load(const scmp_filter_ctx ctx);
int __real_seccomp_load(const scmp_filter_ctx ctx);
int __wrap_close_range(unsigned int first, unsigned int last, int flags);
int __real_close_range(unsigned int first, unsigned int last, int flags);
void __wrap__exit(int status) __attribute__((noreturn));
void __real__exit(int status) __attribute__((noreturn));

static bool confined;
static int report_fd = STDERR_FILENO;

/* Undefined behaviour traps (SIGILL). Names are looked up by the test, not by a dying process. */
const char *__asan_default_options(void)
{
    return "handle_sigill=1:symbolize=0:detect_stack_use_after_return=1:quarantine_size_mb=8:"
           "print_legend=0:color=never:leak_check_at_exit=0";
}

static void look_for_leaks(void)
{
    if (!confined) {
        __lsan_do_leak_check();
    }
}

static void open_reports(void)
{
    int fd = open(sanitizer_reports, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd >= 0) {
        report_fd = fd;
        __sanitizer_set_report_fd((void *)(intptr_t)fd);
    }
}

/* Whose addresses those were. */
static void sign_report(void)
{
    dprintf(report_fd, "==== reported by %s\n", program_invocation_short_name);
}

static void __attribute__((constructor)) begin(void)
{
    open_reports();
    __sanitizer_set_death_callback(sign_report);
    atexit(look_for_leaks);
}

/* A process that closes what it did not open itself is about to be confined: while it still can. */
int __wrap_close_range(unsigned int first, unsigned int last, int flags)
{
    int rc = __real_close_range(first, last, flags);

    open_reports();
    return rc;
}

int __wrap_seccomp_load(const scmp_filter_ctx ctx)
{
    confined = true;
    return __real_seccomp_load(ctx);
}

void __wrap__exit(int status)
{
    look_for_leaks();
    __real__exit(status);
}
