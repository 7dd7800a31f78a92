/* SPDX-License-Identifier: MIT */
/*
 * The plan's MSRs written and read back (SPEC-7), and what the console says about it all (SPEC-8).
 */
#include <tenue/spec.h>

#include <tenue/vcpu.h>
#include <tenue/log.h>

#include "lib.h"

/* By bit of spec_plan.on. */
static const char *const mitigation_names[SPEC_BITS] = {
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

static const char *const issue_names[SPEC_ISSUES] = {
    "Meltdown", "Spectre v2", "BHI", "Retbleed", "SRSO",        "ITS",         "SSB",
    "L1TF",     "MDS",        "TAA", "MMIO",     "RFDS",        "SRBDS",       "GDS",
    "TSA",      "Zenbleed",   "DIV", "siblings", "erratum 121", "erratum 793",
};

const char *const spec_thunk_names[SPEC_THUNKS] = {"jmp", "lfence", "retpoline"};
static const char *const vendor_names[] = {"Intel", "AMD", "Hygon", "other", "emulated"};

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
        for (unsigned issue = 0; issue < SPEC_ISSUES; issue++)
            if (m->issues >> issue & 1 && p->verdict[issue] == SPEC_MITIGATED)
                p->verdict[issue] = SPEC_OPEN;
    }
    return lost;
}

struct list {
    char text[240];
    size_t used;
};

static void add(struct list *l, const char *name)
{
    l->used += (size_t)fmt_snprintf(l->text + l->used, sizeof(l->text) - l->used, "%s%s",
                                    l->used != 0 ? ", " : "", name);
    l->used = MIN(l->used, sizeof(l->text) - 1);
}

static const char *with_verdict(struct list *l, const struct spec_plan *p, enum spec_verdict v)
{
    *l = (struct list){0};
    for (unsigned i = 0; i < SPEC_ISSUES; i++)
        if (p->verdict[i] == v)
            add(l, issue_names[i]);
    return l->used != 0 ? l->text : "nothing";
}

void spec_report(const struct spec_cpu *c, const struct spec_plan *p)
{
    struct list l = {0};

    for (unsigned i = 0; i < SPEC_BITS; i++)
        if (p->on >> i & 1)
            add(&l, mitigation_names[i]);
    log_info("speculation: %s family %#x model %#x stepping %u (%s), thunks %s",
             vendor_names[c->vendor], c->family, c->model, c->stepping, spec_model_name(c),
             spec_thunk_names[p->thunk]);
    log_info("speculation: applied: %s", l.used != 0 ? l.text : "nothing");
    log_info("speculation: mitigated: %s", with_verdict(&l, p, SPEC_MITIGATED));
    log_info("speculation: not needed: %s", with_verdict(&l, p, SPEC_UNAFFECTED));
    with_verdict(&l, p, SPEC_OPEN);
    if (l.used != 0)
        log_warn("speculation: NOT mitigated: %s (docs/speculation.md)", l.text);
    if (c->smt && !(p->on & SPEC_SMT_OFF))
        log_warn("speculation: threads share cores; guests that distrust each other want smt=off");
}
