/* SPDX-License-Identifier: MIT */
/* main.c - the conback program: one guest's console in one process. */
#include "conback.h"

int main(int argc, char **argv)
{
    return device_main(&conback_ops, argc, argv);
}
