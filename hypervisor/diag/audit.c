/* SPDX-License-Identifier: MIT */
/*
 * The audit: recounts every reference from scratch and compares (MM-2; invariants section 12).
 *
 * Everything that may hold a reference explains it here: reservations, shared frames, pins,
 * half-done validations, entries of validated tables, vcpus' roots, descriptor frames, registered
 * areas, owed tables, and handles of device maps. On the way each entry is checked against the
 * rules for entries (MM-3, MM-13, MM-15, MM-17, MM-24) and each target for the one type it may
 * have (MM-1). What remains unexplained, or is explained without being counted, is a violation:
 * tally.c counts. Free memory, event channels, grants and CPUs: the other files (audit.h).
 *
 * Runs while nothing else does: hosted tests after each call, or a debug key on an otherwise quiet
 * machine. It takes no lock and changes nothing.
 */
#include "audit.h"

#include <tenue/log.h>
#include <tenue/pv.h>

#include "../pv/pte.h"
#include "lib.h"

/* --- what one frame explains --- */

/* Device memory: the control domain's, and not what the machine layer keeps to itself (MM-15). */
static void check_device_entry(mfn_t table, uint64_t e)
{
    const struct domain *d = domain_of_owner(page_owner(table));
    const mfn_t m = pte_mfn(e);

    if (!d || !d->is_control || m.n >> (hal_maddr_bits - PAGE_SHIFT) || hal_mmio_is_ours(m))
        audit_violation(table, "L1 entry maps a device that it may not");
}

/* Another domain's frame: mapped by the control domain, or through a grant in use (GT-1, MM-13). */
static void check_foreign_entry(mfn_t table, uint64_t e)
{
    const struct domain *d = domain_of_owner(page_owner(table));
    struct domain *owner = domain_of_owner(page_owner(pte_mfn(e)));

    if (!d || d == owner || d->is_control || domain_is_dying(d))
        return;
    if (!owner || !(grant_covers(owner, d->domid, pte_mfn(e), true) ||
                    (!(e & PTE_RW) && grant_covers(owner, d->domid, pte_mfn(e), false))))
        audit_violation(table, "L1 entry maps another domain's frame without a grant");
}

static void explain_l1_entry(mfn_t table, uint64_t e)
{
    const mfn_t m = pte_mfn(e);
    const struct page *p = page_lookup(m.n);

    if (!(e & PTE_US) || e & PTE_G)
        audit_violation(table, "L1 entry without the user bit, or global");
    if (!p || !(p->count & C_STATE_MASK)) {
        check_device_entry(table, e);
        return;
    }
    if (e & PTE_CACHE)
        audit_violation(table, "L1 entry maps RAM other than write-back");
    if (count_owner(p->count) != page_owner(table))
        check_foreign_entry(table, e);
    audit_explain(m, e & PTE_RW ? PGT_WRITABLE : PGT_NONE);
}

static void explain_table_entry(mfn_t table, enum page_type type, uint64_t e)
{
    if (!(e & PTE_US) || e & PTE_TABLE_FORBIDDEN)
        audit_violation(table, "entry above L1 with forbidden bits");
    if (page_owner(pte_mfn(e)) != page_owner(table))
        audit_violation(table, "entry refers to another domain's table");
    audit_explain(pte_mfn(e), (enum page_type)(type - 1));
}

static void explain_table(mfn_t m, const struct page *p)
{
    const enum page_type type = type_of(p->type);
    const unsigned end = p->type & T_VALID ? TABLE_ENTRIES : type_cursor(p->type);
    const uint64_t *t = mfn_to_ptr(m);

    for (unsigned i = 0; i < end; i++) {
        if (!(t[i] & PTE_P) && type != PGT_L4)
            continue;
        if (type == PGT_L4 && root_slot_is_ours(i)) {
            if (p->type & T_VALID && t[i] != hal_root_template[i] &&
                !(i == HV_L4_FIRST && t[i] == 0)) /* user roots do not show the M2P table */
                audit_violation(m, "root differs from the template");
        } else if (t[i] & PTE_P) {
            if (type == PGT_L1)
                explain_l1_entry(m, t[i]);
            else
                explain_table_entry(m, type, t[i]);
        }
    }
}

/* By the manual, not by the rules of desc.c: present ones are code or data of ring 3 (MM-24). */
static void check_descriptors(mfn_t m)
{
    const uint64_t present = 1ull << 47, ring_3 = 3ull << 45, code_or_data = 1ull << 44;
    const uint64_t *entries = mfn_to_ptr(m);

    for (unsigned i = 0; i < PAGE_SIZE / sizeof(*entries); i++)
        if (entries[i] & present &&
            (entries[i] & (ring_3 | code_or_data)) != (ring_3 | code_or_data)) {
            audit_violation(m, "descriptor that the CPU must not see");
            return;
        }
}

static void explain_frame(mfn_t m, const struct page *p)
{
    const enum page_type type = type_of(p->type);

    if (p->count & C_ALLOC)
        audit_explain(m, PGT_NONE);
    if (p->count & C_SHARED)
        audit_explain(m, PGT_WRITABLE);
    if (p->type & T_PINNED)
        audit_explain(m, type);
    if (p->type & T_PARTIAL && type_refs(p->type) == 0)
        audit_explain(m, PGT_NONE);
    if (p->type & T_VALID && type == PGT_DESC)
        check_descriptors(m);
    if (p->type & (T_VALID | T_PARTIAL) && type >= PGT_L1 && type <= PGT_L4)
        explain_table(m, p);
}

/* --- what a domain's vcpus explain --- */

static void explain_unless_none(mfn_t m, enum page_type type)
{
    if (!mfn_is_none(m))
        audit_explain(m, type);
}

static void explain_vcpu(const struct vcpu *v)
{
    explain_unless_none(v->pv.root_kernel, PGT_L4);
    explain_unless_none(v->pv.root_user, PGT_L4);
    explain_unless_none(v->vcpu_info_mfn, PGT_WRITABLE);
    for (unsigned i = 0; i < GDT_GUEST_FRAMES; i++)
        explain_unless_none(v->pv.gdt_frames[i], PGT_DESC);
    for (unsigned i = 0; i < ARRAY_LEN(v->pv.ldt_frames); i++)
        explain_unless_none(v->pv.ldt_frames[i], PGT_DESC);
    for (unsigned i = 0; i < ARRAY_LEN(v->pv.old_tables); i++)
        if (v->pv.old_tables[i].n)
            audit_explain(v->pv.old_tables[i], (enum page_type)(PGT_L1 + i));
}

static void explain_domain(const struct domain *d)
{
    if (tally_list(d, d->pages.head) + tally_list(d, d->pages.kept) != d->pages.total)
        audit_violation(mfn_make(d->pages.head), "a domain's list and total disagree");
    if (d->pages.walk)
        audit_explain(mfn_make(d->pages.walk), PGT_NONE);
    for (uint32_t i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i])
            explain_vcpu(d->vcpus[i]);
}

static unsigned recount_all(void)
{
    for (uint64_t i = 0; i < frame_count; i++)
        if (frame_table[i].count & C_DOM)
            explain_frame(mfn_make(i), &frame_table[i]);
    for (struct domain *d = domain_next(0); d;) {
        const uint32_t from = d->domid + 1u;

        explain_domain(d);
        domain_put(d);
        d = domain_next(from);
    }
    const unsigned grants = grant_audit();

    return grants + tally_compare() + heap_audit() + evtchn_audit() + cpu_audit();
}

unsigned pv_audit(void)
{
    if (!tally_begin()) {
        log_err("audit: no memory to recount %lu frames", frame_count);
        return 1;
    }
    const unsigned violations = recount_all();

    if (violations)
        log_err("audit: %u violation(s)", violations);
    return violations;
}
