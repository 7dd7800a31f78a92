/* SPDX-License-Identifier: MIT */
/*
 * planted.c - do the sanitizers see, and can they tell, from inside each confinement?
 *
 * Each profile is entered as the real program enters it; then a defect is made on purpose, and the
 * report must come out whole: what it is, where, and whose. Without this, `no sanitizer has
 * reported anything` on the machine could mean that none was able to. A leak is made in a process
 * that is not confined.
 *
 * Sabotage: without allow_reports() in backends/common/sandbox.c every report of a backend ends
 * after its third line; without color=never in hook.c too; without the wrap of close_range() in
 * rules.mk nothing comes out of a process that has closed its descriptors.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../backends/common/sandbox.h"
#include "../../toolstack/confine.h"
#include "../../xenstore-lite/confine.h"

#define TEST_UID 61234

/* Read here, whatever is installed on this machine (hook.c). */
extern const char sanitizer_reports[];
const char sanitizer_reports[] = "";

static volatile int one = 1;

static void heap_overflow(void)
{
    volatile char *p = malloc((size_t)one * 24);

    p[24] = 0;
    free((void *)(uintptr_t)p);
}

static void use_after_free(void)
{
    volatile char *volatile p = malloc(24);

    free((void *)(uintptr_t)p);
    p[one] = 1;
}

static void undefined(void)
{
    volatile int big = 0x7fffffff;

    big += one;
}

static void leak(void)
{
    void *volatile p = malloc(24);

    memset(p, 1, 24);
    p = NULL;
}

static const struct defect {
    const char *name, *says;
    void (*make)(void);
} defects[] =
    {
        {"heap overflow by one", "heap-buffer-overflow", heap_overflow},
        {"use after free", "heap-use-after-free", use_after_free},
        {"signed overflow", "AddressSanitizer: ILL", undefined},
},
  leaked = {"leak", "LeakSanitizer: detected memory leaks", leak};

static unsigned passed, failed;

static void __attribute__((noreturn))
child(const struct sandbox_profile *p, const struct defect *d, int out)
{
    const char *what;

    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    if (p && sandbox_enter(p, p->sees_files ? 0 : TEST_UID, &what)) {
        printf("cannot enter: %s\n", what);
        exit(1);
    }
    d->make();
    _exit(0);
}

static void try(const struct sandbox_profile *p, const struct defect *d)
{
    static char text[65536];
    size_t used = 0;
    int ends[2], status;
    ssize_t n;
    pid_t pid;
    bool good;

    if (pipe2(ends, O_CLOEXEC) || (pid = fork()) < 0) {
        perror("planted");
        exit(1);
    }
    if (!pid) {
        child(p, d, ends[1]);
    }
    close(ends[1]);
    while (used < sizeof(text) - 1 &&
           (n = read(ends[0], text + used, sizeof(text) - 1 - used)) > 0) {
        used += (size_t)n;
    }
    text[used] = 0;
    close(ends[0]);
    waitpid(pid, &status, 0);
    good = status && strstr(text, d->says) && strstr(text, "==== reported by planted\n");
    good ? passed++ : failed++;
    if (!good) {
        printf("%s: %s: status %x, reported:\n%s\n", p ? p->name : "unconfined", d->name,
               (unsigned)status, text);
    }
}

int main(void)
{
    static const struct sandbox_profile *const profiles[] = {
        &sandbox_block,    &sandbox_net, &sandbox_console, &confine_store, &confine_keeper,
        &confine_examiner, NULL};

    if (geteuid()) {
        printf("SKIP everything: needs root\nsanitizers: 0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    fflush(stdout);
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        for (size_t j = 0; j < sizeof(defects) / sizeof(defects[0]); j++) {
            try(profiles[i], &defects[j]);
        }
    }
    try(NULL, &leaked);
    printf("sanitizers: %u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
