/* SPDX-License-Identifier: MIT */
/*
 * The command line (options.h). One row per option that is ours, here or in the machine layer's
 * table; options of Xen that mean nothing here are accepted in silence, because boot loader files
 * carry them; anything else is named on the console with what would help.
 *
 * It is read twice: before the machine starts, which needs some of it, and again when there is a
 * console, to say what was not understood. Storing a value twice is harmless.
 */
#include <tenue/options.h>

#include <tenue/log.h>
#include <tenue/sched.h>
#include <tenue/spec.h>

#include "lib.h"

#define WORD_MAX 128u

struct options options = {.msi = true};

/* --- values --- */

static bool is_one_of(const char *const words[], const char *s, size_t len)
{
    for (; *words; words++)
        if (option_is(s, len, *words))
            return true;
    return false;
}

bool option_is(const char *s, size_t len, const char *word)
{
    return strlen(word) == len && !strncmp(s, word, len);
}

bool option_bool(const char *s, size_t len, bool *b)
{
    static const char *const yes[] = {"", "yes", "on", "true", "enable", "1", NULL};
    static const char *const no[] = {"no", "off", "false", "disable", "0", NULL};

    *b = is_one_of(yes, s, len);
    return *b || is_one_of(no, s, len);
}

/* The number that s starts with; returns where it ends, NULL when there is none. */
static const char *number(const char *s, uint64_t *n)
{
    const size_t len = str_number(s, strlen(s), n);

    return len ? s + len : NULL;
}

bool option_count(const char *value, const struct option *o)
{
    uint64_t n;
    const char *end = number(value, &n);

    if (end && *end == '-')
        end = number(end + 1, &n);
    if (!end || *end || n == 0 || n > o->what)
        return false;
    *(unsigned *)o->to = (unsigned)n;
    return true;
}

bool option_each(const char *list, bool (*set)(const char *part, size_t len))
{
    bool ok = true;

    while (*list) {
        const char *comma = strchr(list, ',');
        size_t len = comma ? (size_t)(comma - list) : strlen(list);

        ok &= set(list, len);
        list += len + (comma != NULL);
    }
    return ok;
}

bool options_parse_size(const char *s, uint64_t *bytes)
{
    static const char units[] = "bkmgt";
    const char *p = number(s, bytes), *unit;
    unsigned shift = 10;

    if (!p)
        return false;
    if (*p) {
        unit = strchr(units, *p | 0x20); /* of either case */
        if (!unit || p[1])
            return false;
        shift = 10 * (unsigned)(unit - units);
    }
    if (*bytes > (~0ull >> shift) >> 10)
        return false;
    *bytes <<= shift;
    return true;
}

/* --- options --- */

static bool set_dom0_mem_part(const char *s, size_t len)
{
    char part[32];

    if (len >= sizeof(part))
        return false;
    memcpy(part, s, len);
    part[len] = 0;
    if (!strncmp(part, "min:", 4))
        return options_parse_size(part + 4, &options.dom0_mem_min);
    if (!strncmp(part, "max:", 4))
        return options_parse_size(part + 4, &options.dom0_mem_max);
    return options_parse_size(part, &options.dom0_mem);
}

/* Two names for the fair policy: it stands in for both. */
static bool set_sched(const char *value, const struct option *o)
{
    bool *fixed = o->to;

    *fixed = !strcmp(value, "null");
    return *fixed || !strcmp(value, "credit") || !strcmp(value, "credit2");
}

static const struct option core_options[] = {
    {"dom0_mem", set_dom0_mem_part, NULL, NULL, 0,
     "a size such as 512M, or min:<size>, max:<size>, with commas"},
    {"dom0_max_vcpus", NULL, option_count, &options.dom0_max_vcpus, MAX_VCPUS,
     "a number from 1 to 32"},
    {"dom0_vcpus_pin", NULL, NULL, &options.dom0_vcpus_pin, 0, NULL},
    {"loglvl", NULL, log_set_level, &log_threshold, 0, LOG_LEVEL_NAMES},
    {"guest_loglvl", NULL, log_set_level, &log_guest_threshold, 0, LOG_LEVEL_NAMES},
    {"sched", NULL, set_sched, &sched_static, 0,
     "credit2 (or credit: fair shares) or null (a CPU for each vcpu)"},
    {"noreboot", NULL, NULL, &options.noreboot, 0, NULL},
    {"msi", NULL, NULL, &options.msi, 0, NULL},
    {"spec-ctrl", spec_set_part, NULL, NULL, 0,
     "a boolean, or names from docs/speculation.md, with commas"},
    {"xpti", NULL, spec_set_bits, NULL, SPEC_PTI, "a boolean, or default"},
    {"pv-l1tf", NULL, spec_set_bits, NULL, SPEC_L1TF_PTE, "a boolean, or default"},
    {"smt", NULL, spec_set_bits, NULL, SPEC_SMT_OFF, "a boolean, or default"},
    {NULL, NULL, NULL, NULL, 0, NULL},
};

/* Known to Xen, without effect here. */
static const char *const ignored[] = {
    "bootscrub",
    "sync_console",
    "console_to_ring",
    "conring_size",
    "vga",
    "dom0",
    "iommu",
    "watchdog",
    "ucode",
    "cpufreq",
    "edd",
    "placeholder",
    "xsave",
    "timestamp",
    "no-real-mode",
    "console_timestamps",
    NULL,
};

/* --- the command line --- */

static const struct option *find(const struct option *table, const char *name)
{
    while (table->name && strcmp(table->name, name) != 0)
        table++;
    return table->name ? table : NULL;
}

static bool set_flag(bool *flag, const char *value, bool inverted)
{
    bool on;

    if (!option_bool(value, strlen(value), &on))
        return false;
    *flag = on != inverted;
    return true;
}

static bool set(const struct option *o, const char *value, bool inverted)
{
    if (o->each)
        return option_each(value, o->each);
    return o->set ? o->set(value, o) : set_flag(o->to, value, inverted);
}

static void apply(const char *name, const char *value, bool say)
{
    const bool inverted = !strncmp(name, "no-", 3);
    const char *word = inverted ? name + 3 : name;
    const struct option *o = find(core_options, word);

    if (!o)
        o = find(hal_options, word);
    if (o && inverted && (o->each || o->set))
        o = NULL;
    if (o && set(o, value, inverted))
        return;
    if (o && say)
        log_warn("option %s: \"%s\" not understood; expected %s", name, value,
                 o->expected ? o->expected : "nothing, or a boolean");
    else if (say && !is_one_of(ignored, name, strlen(name)))
        log_warn("unknown option \"%s\" ignored; README.md lists the options", name);
}

/* Words end at blanks; name and value part at the first '='. */
void options_parse(const char *cmdline, bool say)
{
    char word[WORD_MAX];

    while (*cmdline) {
        size_t len = 0;
        char *value;

        while (*cmdline == ' ' || *cmdline == '\t')
            cmdline++;
        while (cmdline[len] && cmdline[len] != ' ' && cmdline[len] != '\t')
            len++;
        if (len && len < sizeof(word)) {
            memcpy(word, cmdline, len);
            word[len] = 0;
            value = strchr(word, '=');
            if (value)
                *value++ = 0;
            apply(word, value ? value : "", say);
        } else if (len && say) {
            log_warn("option \"%.20s...\" is longer than %u characters: ignored", cmdline,
                     WORD_MAX - 1);
        }
        cmdline += len;
    }
}
