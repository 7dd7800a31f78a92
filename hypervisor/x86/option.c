/* SPDX-License-Identifier: MIT */
/*
 * Command-line options of the machine layer. They are needed before core reads the command line, so
 * start-up scans it for ours first; core then offers every word again and says which it does not
 * know. Storing a value twice is harmless.
 *
 *   console=com1|com2|none   com1=, com2=BAUD[,DPS[,PORT[,IRQ]]]   clocksource=hpet|acpi|pit
 *   smep= smap= umip= fastpaths= BOOL   maxcpus=N
 *
 * A bare word means true, no-WORD false.
 */
#include <tenue/entrypoints.h>
#include <tenue/spec.h>

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

static bool is_one_of(const char *v, const char *a, const char *b, const char *c)
{
    return strcmp(v, a) == 0 || strcmp(v, b) == 0 || strcmp(v, c) == 0;
}

static bool set_bool(bool *option, const char *value, bool inverted)
{
    if (value == NULL || value[0] == '\0' || is_one_of(value, "1", "on", "yes") ||
        strcmp(value, "true") == 0)
        *option = !inverted;
    else if (is_one_of(value, "0", "off", "no") || strcmp(value, "false") == 0)
        *option = inverted;
    else
        return false;
    return true;
}

/* A comma-separated list; vga and others are left to those who have a screen. */
static bool set_console(const char *v)
{
    bool known = false;

    x86_options.serial = false;
    while (*v != '\0') {
        const char *comma = strchr(v, ',');
        size_t len = comma != NULL ? (size_t)(comma - v) : strlen(v);

        if (len == 4 && (strncmp(v, "com1", 4) == 0 || strncmp(v, "com2", 4) == 0)) {
            x86_options.serial = true;
            x86_options.serial_port = v[3] == '2';
            known = true;
        } else if (len == 4 && strncmp(v, "none", 4) == 0) {
            known = true;
        }
        v += len + (comma != NULL);
    }
    if (!known)
        x86_options.serial = true; /* rather a console where nobody looks than none */
    return known;
}

static bool set_com(unsigned n, const char *v)
{
    if (v[0] < '0' || v[0] > '9' || strlen(v) >= sizeof(x86_options.com[n]))
        return false;
    str_copy(x86_options.com[n], v, sizeof(x86_options.com[n]));
    return true;
}

static bool set_maxcpus(const char *v)
{
    unsigned n = 0;

    for (; *v >= '0' && *v <= '9' && n <= MAX_CPUS; v++)
        n = n * 10 + (unsigned)(*v - '0');
    if (*v != '\0' || n == 0)
        return false;
    x86_options.maxcpus = MIN(n, MAX_CPUS);
    return true;
}

static bool set_clocksource(const char *v)
{
    if (!is_one_of(v, "hpet", "acpi", "pit"))
        return false;
    str_copy(x86_options.clocksource, v, sizeof(x86_options.clocksource));
    return true;
}

bool hal_option(const char *name, const char *value)
{
    bool inverted = strncmp(name, "no-", 3) == 0;
    const char *word = inverted ? name + 3 : name;

    if (strcmp(word, "smep") == 0)
        return set_bool(&x86_options.smep, value, inverted);
    if (strcmp(word, "smap") == 0)
        return set_bool(&x86_options.smap, value, inverted);
    if (strcmp(word, "umip") == 0)
        return set_bool(&x86_options.umip, value, inverted);
    if (strcmp(word, "fastpaths") == 0)
        return set_bool(&x86_options.fastpaths, value, inverted);
    if (value == NULL)
        return false;
    if (strcmp(name, "console") == 0)
        return set_console(value);
    if (strcmp(name, "com1") == 0)
        return set_com(0, value);
    if (strcmp(name, "com2") == 0)
        return set_com(1, value);
    if (strcmp(name, "maxcpus") == 0)
        return set_maxcpus(value);
    if (strcmp(name, "clocksource") == 0)
        return set_clocksource(value);
    return false;
}

void options_scan(const char *cmdline)
{
    char word[128];
    size_t n = 0;

    for (;; cmdline++) {
        if (*cmdline != '\0' && *cmdline != ' ' && *cmdline != '\t') {
            if (n < sizeof(word) - 1)
                word[n++] = *cmdline;
            continue;
        }
        word[n] = '\0';
        if (n > 0) {
            char *eq = strchr(word, '=');

            if (eq != NULL)
                *eq = '\0';
            if (!spec_option(word, eq != NULL ? eq + 1 : ""))
                hal_option(word, eq != NULL ? eq + 1 : NULL);
        }
        n = 0;
        if (*cmdline == '\0')
            return;
    }
}
