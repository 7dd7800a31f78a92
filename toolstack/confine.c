/* SPDX-License-Identifier: MIT */
/*
 * The profile of the kernel examiner: memory, and what it was given open.
 *
 * Owns: the list of its system calls and limits. Leaves to others: how confinement is done
 * (backends/common/sandbox.c), which descriptors it keeps (image.c).
 */
#include "confine.h"
#include "unpack.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CPU_SECONDS = 600 };

static const int calls[] = {SCMP_SYS(pread64), SCMP_SYS(ftruncate)};

const struct sandbox_profile confine_examiner = {
    .name = "examiner",
    .calls = calls,
    .nr_calls = sizeof(calls) / sizeof(calls[0]),
    .files = 16, /* of which it has three, and makes no more */
    .processes = 0,
    .memory = 2ul << 30,
    .file_size = UNPACK_MAX_OUTPUT,
};

int confine_enter_examiner(const char *path, struct diag *d)
{
    const struct rlimit cpu = {.rlim_cur = CPU_SECONDS, .rlim_max = CPU_SECONDS};
    const char *what = "time limit";
    int rc = setrlimit(RLIMIT_CPU, &cpu) == 0 ? 0 : -errno;

    if (rc == 0)
        rc = geteuid() == 0 ? sandbox_enter(&confine_examiner, CONFINE_NOBODY, &what)
                            : sandbox_enter_unprivileged(&confine_examiner, &what);
    if (rc != 0)
        return diag_set(d, "%s: cannot give up privileges to look inside, at step \"%s\": %s", path,
                        what, strerror(-rc));
    return 0;
}
