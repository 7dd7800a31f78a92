/* SPDX-License-Identifier: MIT */
/*
 * Boot options about speculation, in Xen's spelling (spec.h).
 *
 *   xpti=BOOL|default   smt=BOOL   pv-l1tf=BOOL
 *   spec-ctrl=BOOL|xen=BOOL|bti-thunk=retpoline|lfence|jmp|NAME[=BOOL]|no-NAME, with commas
 */
#include <tenue/options.h>
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

static void choose(uint32_t bits, bool on)
{
    spec_options.on = on ? spec_options.on | bits : spec_options.on & ~bits;
    spec_options.off = on ? spec_options.off & ~bits : spec_options.off | bits;
}

static bool set_thunk(const char *s, size_t len)
{
    for (int i = 0; i < SPEC_THUNKS; i++)
        if (option_is(s, len, spec_thunk_names[i])) {
            spec_options.thunk = i;
            return true;
        }
    return false;
}

static bool set_named(const char *s, size_t len, bool on)
{
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (option_is(s, len, names[i].name)) {
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

    if (eq == NULL && option_bool(s, len, &on))
        return set_all(on);
    if (option_is(s, name, "bti-thunk") && eq != NULL)
        return set_thunk(eq + 1, len - name - 1);
    if (eq == NULL && len > 3 && strncmp(s, "no-", 3) == 0)
        return set_named(s + 3, len - 3, false);
    if (eq != NULL && !option_bool(eq + 1, len - name - 1, &on))
        return false;
    return set_named(s, name, eq == NULL || on);
}

bool spec_set_ctrl(const char *value)
{
    return option_each(value, set_part);
}

static bool set_bits(const char *value, uint32_t bits, bool inverted)
{
    bool on;

    if (!option_bool(value, strlen(value), &on))
        return false;
    choose(bits, on != inverted);
    return true;
}

bool spec_set_xpti(const char *value)
{
    if (strcmp(value, "default") != 0)
        return set_bits(value, SPEC_PTI, false);
    spec_options.on &= ~SPEC_PTI;
    spec_options.off &= ~SPEC_PTI;
    return true;
}

bool spec_set_pv_l1tf(const char *value)
{
    return set_bits(value, SPEC_L1TF_PTE, false);
}

bool spec_set_smt(const char *value)
{
    return set_bits(value, SPEC_SMT_OFF, true);
}
