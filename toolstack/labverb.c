/* SPDX-License-Identifier: MIT */
/* tenue lab: hands over to lab/lab, which is Python and may not be installed. */
#include "verbs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <tenue/devhost.h>
#include <unistd.h>

int verb_lab(int argc, char **argv)
{
    char dir[PATH_MAX - sizeof("/lab/lab")], path[PATH_MAX];

    (void)argc;
    snprintf(path, sizeof(path), "%s/lab/lab", devhost_installed_beside(dir, sizeof(dir)));
    argv[0] = path;
    execv(path, argv);
    fprintf(stderr, "tenue: cannot run %s: %s (it needs python3, and `make install`)\n", path,
            strerror(errno));
    return EXIT_FAILED;
}
