/* SPDX-License-Identifier: MIT */
/*
 * Boot options that more than one file needs, parsed once by core/options.c (names and syntax as
 * Xen's). Sizes in frames. Final after tenue_main() has seen how much memory is free.
 */
#ifndef TENUE_OPTIONS_H
#define TENUE_OPTIONS_H

#include <tenue/abi.h>

struct options {
    uint64_t dom0_frames;     /* dom0_mem=: what the control domain starts with */
    uint64_t dom0_max_frames; /* dom0_mem=max: what it may grow to */
    unsigned dom0_max_vcpus;  /* dom0_max_vcpus=, at least 1, at most MAX_VCPUS */
    bool noreboot;            /* halt instead of rebooting after a panic or a guest's request */
};

extern struct options options;

#endif
