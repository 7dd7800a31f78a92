/* SPDX-License-Identifier: MIT */
/*
 * mkfilters: prints C that holds the backends' filters of system calls, made from their profiles
 * (common/sandbox.c). Runs while they are built, on the architecture that they are built for.
 */
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/sandbox.h"

static int print_filter(const char *name, const struct sandbox_profile *p)
{
    int fd = memfd_create("filter", 0);
    int rc = fd < 0 ? -1 : sandbox_export(p, fd);
    struct sock_filter f;
    unsigned n = 0;

    if (rc) {
        fprintf(stderr, "mkfilters: %s: %s\n", name, strerror(rc < 0 ? -rc : rc));
        return 1;
    }
    printf("static struct sock_filter %s[] = {\n", name);
    for (; pread(fd, &f, sizeof(f), (off_t)(n * sizeof(f))) == (ssize_t)sizeof(f); n++) {
        printf("    {%#x, %u, %u, %#x},\n", f.code, f.jt, f.jf, f.k);
    }
    printf("};\nconst struct sock_fprog filter_%s = {%u, %s};\n", name, n, name);
    close(fd);
    return n == 0;
}

int main(void)
{
    puts("/* Made by mkfilters from backends/common/sandbox.c. */\n#include <linux/filter.h>");
    puts("extern const struct sock_fprog filter_block, filter_net, filter_console;");
    return print_filter("block", &sandbox_block) || print_filter("net", &sandbox_net) ||
           print_filter("console", &sandbox_console) || fflush(stdout);
}
