/* SPDX-License-Identifier: MIT */
/*
 * The command line (options.h). One row per option that is ours; the machine's own go to
 * hal_option(); options of Xen that mean nothing here are accepted in silence, because boot
 * loader files carry them; anything else is named on the console with what would help.
 */
#include <tenue/options.h>

#include <tenue/entrypoints.h>
#include <tenue/log.h>
#include <tenue/sched.h>
#include <tenue/spec.h>

#include "lib.h"

#define WORD_MAX 128u

struct options options = {.msi = true};

bool options_parse_size(const char *s, uint64_t *bytes)
{
    uint64_t n = 0;
    unsigned shift = 10;
    const char *p = s;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (n > (1ull << 40))
            return false;
        n = n * 10 + (uint64_t)(*p - '0');
    }
    if (p == s)
        return false;
    switch (*p) {
    case 'B':
    case 'b':
        shift = 0;
        p++;
        break;
    case 'K':
    case 'k':
        p++;
        break;
    case 'M':
    case 'm':
        shift = 20;
        p++;
        break;
    case 'G':
    case 'g':
        shift = 30;
        p++;
        break;
    case 'T':
    case 't':
        shift = 40;
        p++;
        break;
    default:
        break;
    }
    if (*p || n > (~0ull >> shift) >> 10)
        return false;
    *bytes = n << shift;
    return true;
}

/* One of the comma-separated parts of dom0_mem=. */
static bool parse_dom0_mem_part(const char *part)
{
    if (!strncmp(part, "min:", 4))
        return options_parse_size(part + 4, &options.dom0_mem_min);
    if (!strncmp(part, "max:", 4))
        return options_parse_size(part + 4, &options.dom0_mem_max);
    return options_parse_size(part, &options.dom0_mem);
}

static bool set_dom0_mem(const char *value)
{
    char part[32];

    while (*value) {
        const char *comma = strchr(value, ',');
        size_t len = comma ? (size_t)(comma - value) : strlen(value);

        if (len >= sizeof(part))
            return false;
        memcpy(part, value, len);
        part[len] = 0;
        if (!parse_dom0_mem_part(part))
            return false;
        value += len + (comma != NULL);
    }
    return true;
}

/* A number, or a range of which the upper end counts. */
static bool set_dom0_max_vcpus(const char *value)
{
    uint32_t n = 0;

    for (; *value; value++) {
        if (*value == '-')
            n = 0;
        else if (*value >= '0' && *value <= '9' && n < 1000)
            n = n * 10 + (uint32_t)(*value - '0');
        else
            return false;
    }
    if (n == 0 || n > MAX_VCPUS)
        return false;
    options.dom0_max_vcpus = n;
    return true;
}

static bool parse_bool(const char *value, bool *b)
{
    static const char *const yes[] = {"", "yes", "on", "true", "enable", "1"};
    static const char *const no[] = {"no", "off", "false", "disable", "0"};

    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (!strcmp(value, yes[i]))
            return *b = true, true;
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (!strcmp(value, no[i]))
            return *b = false, true;
    return false;
}

static bool set_noreboot(const char *value)
{
    return parse_bool(value, &options.noreboot);
}

static bool set_msi(const char *value)
{
    return parse_bool(value, &options.msi);
}

/* Read before by the machine layer, which starts the CPUs by them: said here what was not
 * understood.
 */
static bool set_spec_ctrl(const char *value)
{
    return spec_option("spec-ctrl", value);
}
static bool set_xpti(const char *value)
{
    return spec_option("xpti", value);
}
static bool set_pv_l1tf(const char *value)
{
    return spec_option("pv-l1tf", value);
}
static bool set_smt(const char *value)
{
    return spec_option("smt", value);
}

static bool set_dom0_vcpus_pin(const char *value)
{
    return parse_bool(value, &options.dom0_vcpus_pin);
}

/* Two names for the fair policy: it stands in for both. */
static bool set_sched(const char *value)
{
    sched_static = !strcmp(value, "null");
    return sched_static || !strcmp(value, "credit") || !strcmp(value, "credit2");
}

static const struct {
    const char *name;
    bool (*set)(const char *value);
    const char *expected;
} table[] = {
    {"dom0_mem", set_dom0_mem, "a size such as 512M, or min:<size>, max:<size>, with commas"},
    {"dom0_max_vcpus", set_dom0_max_vcpus, "a number from 1 to 32"},
    {"loglvl", log_set_level, "none, error, warning, info, debug or all"},
    {"guest_loglvl", log_set_guest_level, "none, error, warning, info, debug or all"},
    {"dom0_vcpus_pin", set_dom0_vcpus_pin, "nothing, or a boolean"},
    {"sched", set_sched, "credit2 (or credit: fair shares) or null (a CPU for each vcpu)"},
    {"noreboot", set_noreboot, "nothing, or a boolean"},
    {"msi", set_msi, "a boolean"},
    {"spec-ctrl", set_spec_ctrl, "a boolean, or names from docs/speculation.md, with commas"},
    {"xpti", set_xpti, "a boolean, or default"},
    {"pv-l1tf", set_pv_l1tf, "a boolean"},
    {"smt", set_smt, "a boolean"},
};

/* Known to Xen, without effect here. */
static const char *const ignored[] = {
    "bootscrub",    "sync_console", "console_to_ring",
    "conring_size", "vga",          "dom0",
    "iommu",        "watchdog",     "ucode",
    "cpufreq",      "placeholder",  "no-real-mode",
    "edd",          "timestamp",    "console_timestamps",
    "xsave",
};

static void apply(const char *name, const char *value)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (strcmp(name, table[i].name))
            continue;
        if (!table[i].set(value))
            log_warn("option %s: \"%s\" not understood; expected %s", name, value,
                     table[i].expected);
        return;
    }
    if (hal_option(name, value))
        return;
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
        if (!strcmp(name, ignored[i]))
            return;
    log_warn("unknown option \"%s\" ignored; README.md lists the options", name);
}

/* Words end at blanks; name and value part at the first '='. */
void options_parse(const char *cmdline)
{
    char word[WORD_MAX];

    while (*cmdline) {
        size_t len = 0;
        char *value;

        while (*cmdline == ' ' || *cmdline == '\t')
            cmdline++;
        while (cmdline[len] && cmdline[len] != ' ' && cmdline[len] != '\t')
            len++;
        if (len == 0)
            break;
        if (len >= sizeof(word)) {
            log_warn("option \"%.20s...\" is longer than %u characters: ignored", cmdline,
                     WORD_MAX - 1);
        } else {
            memcpy(word, cmdline, len);
            word[len] = 0;
            value = strchr(word, '=');
            if (value)
                *value++ = 0;
            apply(word, value ? value : "");
        }
        cmdline += len;
    }
}
