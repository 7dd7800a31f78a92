/* SPDX-License-Identifier: MIT */
/* Programs run to their end: see program.h. Owns nothing. */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int memory_file(const char *text, struct diag *d)
{
    int fd = memfd_create("text", MFD_CLOEXEC);
    const size_t len = strlen(text);

    if (fd < 0 || write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0) {
        diag_errno(d, "no memory for a program's input");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

/* What the program said, on one line. */
static void complain(const char *program, int status, int out, struct diag *d)
{
    char said[600];
    const ssize_t n = pread(out, said, sizeof(said) - 1, 0);

    said[n > 0 ? n : 0] = 0;
    for (char *p = said; *p; p++)
        if (*p == '\n' || *p == '\t')
            *p = ' ';
    diag_set(d, "%s failed (%s %d): %s", program, WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), said);
}

int program_run(const char *const argv[], const char *input, char *said, size_t room,
                struct diag *d)
{
    char *const env[] = {(char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    posix_spawn_file_actions_t plan;
    pid_t pid;
    int status = 0, rc = -1;
    int in = memory_file(input, d), out = in >= 0 ? memory_file("", d) : -1;

    if (out >= 0 && posix_spawn_file_actions_init(&plan) == 0) {
        posix_spawn_file_actions_adddup2(&plan, in, 0);
        posix_spawn_file_actions_adddup2(&plan, out, 1);
        posix_spawn_file_actions_adddup2(&plan, out, 2);
        posix_spawn_file_actions_addclosefrom_np(&plan, 3);
        setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 0); /* it is ours that is searched */
        rc = posix_spawnp(&pid, argv[0], &plan, NULL, (char *const *)(uintptr_t)argv, env);
        posix_spawn_file_actions_destroy(&plan);
        if (rc != 0)
            rc =
                diag_set(d, "cannot run %s: %s (is its package installed?)", argv[0], strerror(rc));
        else if (waitpid(pid, &status, 0) != pid)
            rc = diag_errno(d, "%s got lost", argv[0]);
        else if (status != 0)
            complain(argv[0], status, out, d);
        else if (said) {
            const ssize_t n = pread(out, said, room - 1, 0);

            said[n > 0 ? n : 0] = 0;
        }
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return rc == 0 && status == 0 ? 0 : -1;
}

int nft_load(char *rules, struct diag *d)
{
    static const char *const nft[] = {"nft", "-f", "-", NULL};
    int rc = rules ? program_run(nft, rules, NULL, 0, d) : diag_set(d, "out of memory");

    free(rules);
    return rc;
}
