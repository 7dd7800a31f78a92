/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target without a fuzzer: runs it on each file named, in a process of its own, and says
 * "ok FILE" or "bad FILE". Exit status 1 when one was bad.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define FILE_MAX (1u << 20)

static int run(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *text = malloc(FILE_MAX), *exact;
    size_t size;

    if (!f || !text) {
        perror(path);
        return 1;
    }
    size = fread(text, 1, FILE_MAX, f);
    fclose(f);
    exact = malloc(size ? size : 1); /* a read past its end is caught */
    for (size_t i = 0; i < size; i++)
        exact[i] = text[i];
    free(text);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    int bad = 0;

    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        int status = 1;
        pid_t child;

        fflush(stdout);
        child = fork();
        if (child == 0)
            _exit(run(argv[i]));
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            printf("bad %s\n", argv[i]);
            bad = 1;
        } else {
            printf("ok %s\n", argv[i]);
        }
    }
    return bad;
}
