/* SPDX-License-Identifier: MIT */
/*
 * tenue lab: hands over. What is about captures goes to blkreplay, which is beside the backends;
 * the rest to lab/lab, which is Python and may not be installed.
 */
#include "verbs.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenue/capture.h>
#include <tenue/devhost.h>
#include <unistd.h>

static bool is_capture(const char *path)
{
    char magic[sizeof(CAPTURE_MAGIC) - 1] = "";
    FILE *f = fopen(path, "re");

    if (!f)
        return false;
    size_t n = fread(magic, 1, sizeof(magic), f);
    fclose(f);
    return n == sizeof(magic) && memcmp(magic, CAPTURE_MAGIC, sizeof(magic)) == 0;
}

/* "show" is also about experiments, which are no files of that kind. */
static bool about_captures(int argc, char **argv)
{
    if (argc < 2)
        return false;
    if (strcmp(argv[1], "replay") == 0 || strcmp(argv[1], "record") == 0)
        return true;
    for (int i = 2; strcmp(argv[1], "show") == 0 && i < argc; i++)
        if (is_capture(argv[i]))
            return true;
    return false;
}

int verb_lab(int argc, char **argv)
{
    char installed[PATH_MAX - 16], path[PATH_MAX];
    const char *backends = getenv("TENUE_BACKEND_DIR");
    const char *dir = devhost_installed_beside(installed, sizeof(installed));
    bool replay = about_captures(argc, argv);

    snprintf(path, sizeof(path), "%s/%s", replay && backends && *backends ? backends : dir,
             replay ? "blkreplay" : "lab/lab");
    argv[0] = path;
    execv(path, argv);
    fprintf(stderr, "tenue: cannot run %s: %s (it needs %s`make install`)\n", path, strerror(errno),
            replay ? "" : "python3, and ");
    return EXIT_FAILED;
}
