/* SPDX-License-Identifier: MIT */
/*
 * Boot options about speculation, in Xen's spelling (spec.h). Read twice: by the machine layer
 * before it starts the CPUs, and by core with all others, to say what is not understood.
 *
 *   xpti=BOOL|default   smt=BOOL   pv-l1tf=BOOL
 *   spec-ctrl=BOOL|xen=BOOL|bti-thunk=retpoline|lfence|jmp|NAME[=BOOL]|no-NAME, with commas
 */
#include <tenue/spec.h>

#include "lib.h"

struct spec_options spec_options = {.thunk = -1};

/* Everything but the parking of threads, which changes what the machine is. */
#define ALL_SPEC (((1u << SPEC_BITS) - 1) & ~SPEC_SMT_OFF)

static const struct {
    const char *name;
    uint32_t bits;
} names[] = {
    {"ibrs", SPEC_IBRS | SPEC_EIBRS},
    {"msr-sc", SPEC_IBRS | SPEC_EIBRS},
    {"ibpb", SPEC_IBPB},
    {"ibpb-entry", SPEC_IBPB_ENTRY},
    {"stibp", SPEC_STIBP},
    {"ssbd", SPEC_SSBD},
    {"rsb", SPEC_RSB},
    {"bhb-entry", SPEC_BHB_ENTRY},
    {"bhi-dis-s", SPEC_BHI_DIS},
    {"md-clear", SPEC_VERW},
    {"verw", SPEC_VERW},
    {"div-scrub", SPEC_DIV},
    {"srb-lock", SPEC_SRB_LOCK},
    {"gds-mit", SPEC_GDS_MIT},
    {"xen", SPEC_IBRS | SPEC_EIBRS | SPEC_RSB | SPEC_IBPB_ENTRY | SPEC_BHB_ENTRY | SPEC_VERW},
};

static bool is_word(const char *s, size_t len, const char *word)
{
    return strlen(word) == len && strncmp(s, word, len) == 0;
}

static bool to_bool(const char *s, size_t len, bool *value)
{
    static const char *const yes[] = {"", "1", "on", "yes", "true", "enable"};
    static const char *const no[] = {"0", "off", "no", "false", "disable"};

    for (unsigned i = 0; i < ARRAY_LEN(yes); i++)
        if (is_word(s, len, yes[i]))
            return *value = true, true;
    for (unsigned i = 0; i < ARRAY_LEN(no); i++)
        if (is_word(s, len, no[i]))
            return *value = false, true;
    return false;
}

static void choose(uint32_t bits, bool on)
{
    spec_options.on = on ? spec_options.on | bits : spec_options.on & ~bits;
    spec_options.off = on ? spec_options.off & ~bits : spec_options.off | bits;
}

static bool set_thunk(const char *s, size_t len)
{
    if (is_word(s, len, "retpoline"))
        spec_options.thunk = THUNK_RETPOLINE;
    else if (is_word(s, len, "lfence"))
        spec_options.thunk = THUNK_LFENCE;
    else if (is_word(s, len, "jmp"))
        spec_options.thunk = THUNK_JMP;
    else
        return false;
    return true;
}

static bool set_named(const char *s, size_t len, bool on)
{
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (is_word(s, len, names[i].name)) {
            choose(names[i].bits, on);
            return true;
        }
    return false;
}

/* A bare boolean: off is nothing at all, on is what the table says. */
static bool set_all(bool on)
{
    spec_options.on &= ~ALL_SPEC;
    spec_options.off = on ? spec_options.off & ~ALL_SPEC : spec_options.off | ALL_SPEC;
    spec_options.thunk = on ? -1 : THUNK_JMP;
    return true;
}

static bool set_part(const char *s, size_t len)
{
    const char *eq = memchr(s, '=', len);
    size_t name = eq != NULL ? (size_t)(eq - s) : len;
    bool on = true;

    if (eq == NULL && to_bool(s, len, &on))
        return set_all(on);
    if (is_word(s, name, "bti-thunk") && eq != NULL)
        return set_thunk(eq + 1, len - name - 1);
    if (eq == NULL && len > 3 && strncmp(s, "no-", 3) == 0)
        return set_named(s + 3, len - 3, false);
    if (eq != NULL && !to_bool(eq + 1, len - name - 1, &on))
        return false;
    return set_named(s, name, on);
}

static bool set_spec_ctrl(const char *value)
{
    bool ok = true;

    while (*value != '\0') {
        const char *comma = strchr(value, ',');
        size_t len = comma != NULL ? (size_t)(comma - value) : strlen(value);

        ok &= set_part(value, len);
        value += len + (comma != NULL);
    }
    return ok;
}

static bool set_bool(const char *value, uint32_t bits, bool inverted)
{
    bool on;

    if (!to_bool(value, strlen(value), &on))
        return false;
    choose(bits, on != inverted);
    return true;
}

bool spec_option(const char *name, const char *value)
{
    if (strcmp(name, "spec-ctrl") == 0)
        return set_spec_ctrl(value);
    if (strcmp(name, "xpti") == 0) {
        if (strcmp(value, "default") == 0) {
            spec_options.on &= ~SPEC_PTI;
            spec_options.off &= ~SPEC_PTI;
            return true;
        }
        return set_bool(value, SPEC_PTI, false);
    }
    if (strcmp(name, "pv-l1tf") == 0)
        return set_bool(value, SPEC_L1TF_PTE, false);
    if (strcmp(name, "smt") == 0)
        return set_bool(value, SPEC_SMT_OFF, true);
    return false;
}
