/* SPDX-License-Identifier: MIT */
/*
 * Boot options that more than one file needs, read by core/options.c, names and syntax as
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

/* A row of a table of options: what takes its value, or each part of a list with commas; with
 * neither it is a boolean, which may be written no-NAME. */
struct option {
    const char *name;
    bool (*each)(const char *part, size_t len); /* false: not understood */
    bool (*set)(const char *value, const struct option *o);
    void *to;             /* where the value goes, and */
    uint32_t what;        /* the most it may be, or which bits it is about: as `set` has it */
    const char *expected; /* to be said when it was not understood */
};
extern const struct option hal_options[]; /* the machine layer's, up to one without a name */

/* Read a command line; what is not understood is named on the console if there is one to say it. */
void options_parse(const char *cmdline, bool say);

/* --- values; false or NULL: malformed --- */
bool option_is(const char *s, size_t len, const char *word) must_check;
bool option_bool(const char *s, size_t len, bool *b) must_check;
/* For rows: a number from 1 to o->what; of a range, its upper end. */
bool option_count(const char *value, const struct option *o) must_check;
/* Each part of a list with commas; true when all were understood. */
bool option_each(const char *list, bool (*set)(const char *part, size_t len)) must_check;
/* A size with suffix B K M G T (none: K) in bytes. */
bool options_parse_size(const char *s, uint64_t *bytes) must_check;

#endif
