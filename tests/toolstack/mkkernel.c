/* SPDX-License-Identifier: MIT */
/* mkkernel STYLE FILE: writes one of imagegen.h's kernels, for dry-run.sh. */
#include "imagegen.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static uint8_t elf[GEN_ROOM], packed[2 * GEN_ROOM];

int main(int argc, char **argv)
{
    static const char *const styles[] = {"linux", "low", "legacy", "program"};
    int style = 0;

    if (argc != 3)
        return 2;
    bool bzimage = strcmp(argv[1], "bzimage") == 0;
    while (!bzimage && style < 4 && strcmp(argv[1], styles[style]) != 0)
        style++;
    if (style == 4)
        return 2;
    size_t len = gen_elf((enum gen_style)style, elf);
    size_t n = bzimage ? gen_bzimage(PACK_ZSTD, elf, len, packed, sizeof(packed)) : len;
    FILE *f = fopen(argv[2], "w");

    if (!f || fwrite(bzimage ? packed : elf, 1, n, f) != n || fclose(f) != 0)
        return 1;
    return 0;
}
