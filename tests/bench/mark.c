/* SPDX-License-Identifier: MIT */
/*
 * The control domain's first program. As /init it tells the plugin that user space is reached, then
 * becomes /bench/control-init; under any other name it tells the plugin that the next phase starts.
 */
#include <string.h>
#include <unistd.h>

#include "bench.h"

int main(int argc, char **argv, char **envp)
{
    (void)argc;
    if (strcmp(argv[0], "/init")) {
        MARK(4);
        return 0;
    }
    MARK(3);
    execve("/bench/control-init", argv, envp);
    die("/bench/control-init");
}
