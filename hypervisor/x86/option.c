/* SPDX-License-Identifier: MIT */
/*
 * Command-line options of the machine layer (tenue/options.h).
 *
 *   console=com1|com2|none   com1=, com2=BAUD[,DPS[,PORT[,IRQ]]]   clocksource=hpet|acpi
 *   smep= smap= umip= pcid= fastpaths= BOOL   maxcpus=N
 */
#include <tenue/options.h>

#include "lib.h"
#include "machine.h"

struct x86_options x86_options = {
    .smep = true,
    .smap = true,
    .pcid = true,
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

static bool set_console(const char *v, const struct option *o)
{
    (void)o;
    x86_options.serial = console_known = false;
    if (!option_each(v, set_console_part) || !console_known)
        x86_options.serial = true; /* rather a console where nobody looks than none */
    return console_known;
}

static bool set_com(const char *v, const struct option *o)
{
    if (v[0] < '0' || v[0] > '9' || strlen(v) >= o->what)
        return false;
    str_copy(o->to, v, o->what);
    return true;
}

static bool set_clocksource(const char *v, const struct option *o)
{
    bool *pm_timer = o->to;

    *pm_timer = strcmp(v, "acpi") == 0;
    return *pm_timer || strcmp(v, "hpet") == 0;
}

#define COM(n) NULL, set_com, x86_options.com[n], sizeof(x86_options.com[n])

const struct option hal_options[] = {
    {"console", NULL, set_console, NULL, 0, "com1, com2 or none"},
    {"com1", COM(0), "BAUD[,DPS[,PORT[,IRQ]]]"},
    {"com2", COM(1), "BAUD[,DPS[,PORT[,IRQ]]]"},
    {"clocksource", NULL, set_clocksource, &x86_options.pm_timer, 0, "hpet or acpi"},
    {"maxcpus", NULL, option_count, &x86_options.maxcpus, MAX_CPUS, "a number from 1 to 64"},
    {"smep", NULL, NULL, &x86_options.smep, 0, NULL},
    {"smap", NULL, NULL, &x86_options.smap, 0, NULL},
    {"umip", NULL, NULL, &x86_options.umip, 0, NULL},
    {"pcid", NULL, NULL, &x86_options.pcid, 0, NULL},
    {"fastpaths", NULL, NULL, &x86_options.fastpaths, 0, NULL},
    {NULL, NULL, NULL, NULL, 0, NULL},
};
