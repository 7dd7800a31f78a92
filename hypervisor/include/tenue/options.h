/* SPDX-License-Identifier: MIT */
/*
 * Boot options that more than one file needs, parsed once by core/options.c, names and syntax as
 * Xen's. Zero means not given. Read-only afterwards.
 */
#ifndef TENUE_OPTIONS_H
#define TENUE_OPTIONS_H

#include <tenue/abi.h>

struct options {
    uint64_t dom0_mem;       /* bytes: what the control domain starts with; 0: nearly all */
    uint64_t dom0_mem_min;   /* bytes: at least */
    uint64_t dom0_mem_max;   /* bytes: what it may grow to; 0: no more than it starts with */
    uint32_t dom0_max_vcpus; /* 1..MAX_VCPUS; 0: as many as CPUs */
    bool dom0_vcpus_pin;     /* each vcpu of the control domain stays on one CPU */
    bool msi;                /* message signalled interrupts are offered */
    bool noreboot;           /* halt instead of rebooting after a panic or a shutdown */
};

extern struct options options;

/* Parse a command line; what is not understood is named on the console. */
void options_parse(const char *cmdline);
/* A size with suffix B K M G T (none: K) in bytes; false when malformed. */
bool options_parse_size(const char *s, uint64_t *bytes) must_check;

#endif
