/* SPDX-License-Identifier: MIT */
/*
 * Command-line options of the machine layer (tenue/options.h).
 *
 *   console=com1|com2|none   com1=, com2=BAUD[,DPS[,PORT[,IRQ]]]   clocksource=hpet|acpi
 *   smep= smap= umip= fastpaths= BOOL   maxcpus=N
 */
#include <tenue/options.h>

#include "lib.h"
#include "machine.h"

struct x86_options x86_options = {
    .smep = true,
    .smap = true,
    .fastpaths = true,
    .maxcpus = MAX_CPUS,
    .serial = true,
    .com = {"115200,8n1", "115200,8n1"},
};

static bool console_known;

/* vga and others are left to those who have a screen. */
static bool set_console_part(const char *s, size_t len)
{
    if (option_is(s, len, "com1") || option_is(s, len, "com2")) {
        x86_options.serial = true;
        x86_options.serial_port = s[3] == '2';
    } else if (!option_is(s, len, "none")) {
        return true;
    }
    return console_known = true;
}

static bool set_console(const char *v)
{
    x86_options.serial = console_known = false;
    if (!option_each(v, set_console_part) || !console_known)
        x86_options.serial = true; /* rather a console where nobody looks than none */
    return console_known;
}

static bool set_com(unsigned n, const char *v)
{
    if (v[0] < '0' || v[0] > '9' || strlen(v) >= sizeof(x86_options.com[n]))
        return false;
    str_copy(x86_options.com[n], v, sizeof(x86_options.com[n]));
    return true;
}

static bool set_com1(const char *v)
{
    return set_com(0, v);
}

static bool set_com2(const char *v)
{
    return set_com(1, v);
}

static bool set_maxcpus(const char *v)
{
    uint64_t n;
    const char *end = option_number(v, &n);

    if (!end || *end || n == 0)
        return false;
    x86_options.maxcpus = (unsigned)MIN(n, MAX_CPUS);
    return true;
}

static bool set_clocksource(const char *v)
{
    x86_options.pm_timer = strcmp(v, "acpi") == 0;
    return x86_options.pm_timer || strcmp(v, "hpet") == 0;
}

const struct option hal_options[] = {
    {"console", NULL, set_console, "com1, com2 or none"},
    {"com1", NULL, set_com1, "BAUD[,DPS[,PORT[,IRQ]]]"},
    {"com2", NULL, set_com2, "BAUD[,DPS[,PORT[,IRQ]]]"},
    {"clocksource", NULL, set_clocksource, "hpet or acpi"},
    {"maxcpus", NULL, set_maxcpus, "a number from 1"},
    {"smep", &x86_options.smep, NULL, NULL},
    {"smap", &x86_options.smap, NULL, NULL},
    {"umip", &x86_options.umip, NULL, NULL},
    {"fastpaths", &x86_options.fastpaths, NULL, NULL},
    {NULL, NULL, NULL, NULL},
};
