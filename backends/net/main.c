/* SPDX-License-Identifier: MIT */
/* main.c - the netback program: one virtual network interface in one process. */
#include "netback.h"

int main(int argc, char **argv)
{
    return device_main(&netback_ops, argc, argv);
}
