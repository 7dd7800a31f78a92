/* SPDX-License-Identifier: MIT */
/* main.c - the blkback program: one virtual disk in one process. */
#include "blkback.h"

int main(int argc, char **argv)
{
    return device_main(&blkback_ops, argc, argv);
}
