/* SPDX-License-Identifier: MIT */
/*
 * What is done about speculation faults, in words (spec.h): boot options in Xen's spelling, the
 * plan's MSRs written and read back (SPEC-7), and what the console says about it all (SPEC-8).
 *
 *   xpti=, smt=, pv-l1tf=BOOL|default
 *   spec-ctrl=BOOL|xen=BOOL|bti-thunk=retpoline|lfence|jmp|NAME[=BOOL]|no-NAME, with commas
 */
#include <tenue/spec.h>

#include <tenue/log.h>
#include <tenue/options.h>
#include <tenue/vcpu.h>

#include "lib.h"

/* By bit of spec_plan.on: as the report says, and as spec-ctrl= names it. */
static const char *const means_names[SPEC_BITS] = {
    "page-table isolation",
    "IBRS at entry",
    "enhanced IBRS",
    "IBPB between domains",
    "IBPB at entry",
    "STIBP",
    "SSBD",
    "RSB stuffing",
    "branch history clearing",
    "BHI_DIS_S",
    "buffer clearing",
    "divider clearing",
    "L1TF-safe entries",
    "RNG locking",
    "gather mitigation",
    "Zenbleed bit",
    "erratum 793 bit",
    "SMT off",
};
static const char *const option_names[SPEC_BITS] = {
    NULL,   "ibrs",     "ibrs",      "ibpb",      "ibpb-entry", "stibp",
    "ssbd", "rsb",      "bhb-entry", "bhi-dis-s", "md-clear",   "div-scrub",
    NULL,   "srb-lock", "gds-mit",   NULL,        NULL,         NULL,
};

static const struct {
    const char *option;
    uint32_t bits;
} aliases[] = {
    {"msr-sc", SPEC_IBRS | SPEC_EIBRS},
    {"verw", SPEC_VERW},
    {"xen", SPEC_IBRS | SPEC_EIBRS | SPEC_RSB | SPEC_IBPB_ENTRY | SPEC_BHB_ENTRY | SPEC_VERW},
};

static const char *const issue_names[SPEC_ISSUES] = {
    "Meltdown", "Spectre v2", "BHI", "Retbleed", "SRSO",        "ITS",         "SSB",
    "L1TF",     "MDS",        "TAA", "MMIO",     "RFDS",        "SRBDS",       "GDS",
    "TSA",      "Zenbleed",   "DIV", "siblings", "erratum 121", "erratum 793",
};

static const char *const thunk_names[SPEC_THUNKS] = {"jmp", "lfence", "retpoline"};
static const char *const vendor_names[] = {"Intel", "AMD", "Hygon", "other", "emulated"};

/* --- asked --- */

struct spec_options spec_options = {.thunk = -1};

/* Everything but the parking of threads, which changes what the machine is. */
#define ALL_SPEC (((1u << SPEC_BITS) - 1) & ~SPEC_SMT_OFF)

static void choose(uint32_t bits, bool on)
{
    spec_options.on = on ? spec_options.on | bits : spec_options.on & ~bits;
    spec_options.off = on ? spec_options.off & ~bits : spec_options.off | bits;
}

static bool set_thunk(const char *s, size_t len)
{
    for (int i = 0; i < SPEC_THUNKS; i++)
        if (option_is(s, len, thunk_names[i])) {
            spec_options.thunk = i;
            return true;
        }
    return false;
}

static bool set_named(const char *s, size_t len, bool on)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < SPEC_BITS; i++)
        if (option_names[i] && option_is(s, len, option_names[i]))
            bits |= 1u << i;
    for (unsigned i = 0; i < ARRAY_LEN(aliases); i++)
        if (option_is(s, len, aliases[i].option))
            bits |= aliases[i].bits;
    choose(bits, on);
    return bits != 0;
}

/* A bare boolean: off is nothing at all, on is what the table says. */
static bool set_all(bool on)
{
    spec_options.on &= ~ALL_SPEC;
    spec_options.off = on ? spec_options.off & ~ALL_SPEC : spec_options.off | ALL_SPEC;
    spec_options.thunk = on ? -1 : THUNK_JMP;
    return true;
}

bool spec_set_part(const char *s, size_t len)
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

bool spec_set_bits(const char *value, const struct option *o)
{
    bool on;

    if (strcmp(value, "default") == 0) {
        spec_options.on &= ~o->what;
        spec_options.off &= ~o->what;
        return true;
    }
    if (!option_bool(value, strlen(value), &on))
        return false;
    choose(o->what, on != (o->what == SPEC_SMT_OFF)); /* what we do is to switch threads off */
    return true;
}

/* --- done --- */

static bool write_and_look(const struct spec_msr *m, uint64_t *got)
{
    uint64_t value;

    if (!hal_rdmsr_safe(m->msr, &value))
        return false;
    value = (value & ~m->clear) | m->set;
    if (!hal_wrmsr_safe(m->msr, value) || !hal_rdmsr_safe(m->msr, got))
        return false;
    return (*got & (m->clear | m->set)) == m->set;
}

unsigned spec_apply(struct spec_plan *p)
{
    unsigned lost = 0;

    for (unsigned i = 0; i < p->msrs; i++) {
        struct spec_msr *m = &p->msr[i];
        uint64_t got = 0;

        m->kept = write_and_look(m, &got);
        if (m->kept)
            continue;
        lost++;
        log_err("speculation: CPU %u: MSR %#x does not keep %#lx: reads %#lx", this_cpu()->id,
                m->msr, m->set, got);
        p->open |= m->issues & p->issues;
    }
    return lost;
}

/* --- said --- */

struct list {
    char text[240];
    size_t used;
};

/* The names of the bits of mask. */
static const char *list(struct list *l, const char *const names[], uint32_t mask)
{
    *l = (struct list){.text = "nothing"};
    for (; mask; mask &= mask - 1) {
        l->used += (size_t)fmt_snprintf(l->text + l->used, sizeof(l->text) - l->used, "%s%s",
                                        l->used != 0 ? ", " : "", names[__builtin_ctz(mask)]);
        l->used = MIN(l->used, sizeof(l->text) - 1);
    }
    return l->text;
}

void spec_report(const struct spec_cpu *c, const struct spec_plan *p)
{
    const uint32_t all = (1u << SPEC_ISSUES) - 1;
    struct list l;

    log_info("speculation: %s family %#x model %#x stepping %u (%s), thunks %s",
             vendor_names[c->vendor], c->family, c->model, c->stepping, spec_model_name(c),
             thunk_names[p->thunk]);
    log_info("speculation: applied: %s", list(&l, means_names, p->on));
    log_info("speculation: mitigated: %s", list(&l, issue_names, p->issues & ~p->open));
    log_info("speculation: not needed: %s", list(&l, issue_names, all & ~p->issues));
    if (p->open)
        log_warn("speculation: NOT mitigated: %s (docs/speculation.md)",
                 list(&l, issue_names, p->open));
    if (c->smt && !(p->on & SPEC_SMT_OFF))
        log_warn("speculation: threads share cores; guests that distrust each other want smt=off");
}
