/* SPDX-License-Identifier: MIT */
/*
 * Segment descriptors: what a guest may put into a GDT or LDT, and the frames its vcpus use.
 *
 * Invariants: MM-24 (each present entry ring 3, no gates), HC-11. The CPU reads descriptor frames
 * through a window of ours (hal_descriptors_changed), each page held by a descriptor
 * type reference in pv.gdt_frames / pv.ldt_frames. Locks: none; a vcpu's descriptor state
 * is changed only by itself, or while it cannot run. Leaves to page types: that a frame holds
 * only sanitised descriptors. Public headers: xen.h (set_gdt, update_descriptor, MMUEXT_SET_LDT).
 */
#include "desc.h"

#include <tenue/assert.h>
#include <tenue/entrypoints.h>
#include <tenue/hypercall.h>

#include "pte.h"

#define DESC_PRESENT (1ull << 47)
#define DESC_DPL_3 (3ull << 45)
#define DESC_CODE_OR_DATA (1ull << 44)
#define DESC_CODE (1ull << 43)
#define DESC_LONG (1ull << 53)
#define SELECTOR_LDT 4u
#define DESCS_PER_FRAME (PAGE_SIZE / sizeof(uint64_t))
#define LDT_ENTRIES_MAX 8192u

bool desc_sanitise(uint64_t *d)
{
    if (!(*d & DESC_PRESENT))
        return true;
    if (!(*d & DESC_CODE_OR_DATA))
        return false;
    *d |= DESC_DPL_3;
    return true;
}

bool desc_is_64bit_code(const struct vcpu *v, uint16_t cs)
{
    const uint64_t wanted = DESC_PRESENT | DESC_CODE_OR_DATA | DESC_CODE | DESC_LONG;
    const unsigned index = cs >> 3, frame = index / DESCS_PER_FRAME;
    mfn_t m;

    if (likely((cs | 3) == PV_SEL_KERNEL_CS))
        return true;
    if (cs & SELECTOR_LDT)
        m = index < v->pv.ldt_entries ? v->pv.ldt_frames[frame] : MFN_NONE;
    else
        m = frame < GDT_GUEST_FRAMES ? v->pv.gdt_frames[frame] : MFN_NONE;
    if (mfn_is_none(m))
        return false;
    return (READ_ONCE(((uint64_t *)mfn_to_ptr(m))[index % DESCS_PER_FRAME]) & wanted) == wanted;
}

bool desc_sanitise_frame(uint64_t *entries)
{
    for (unsigned i = 0; i < DESCS_PER_FRAME; i++) {
        uint64_t d = entries[i], was = d;

        if (!desc_sanitise(&d))
            return false;
        if (d != was)
            entries[i] = d;
    }
    return true;
}

/* Dropping a descriptor type needs no devalidation, so it cannot be preempted. */
static void descriptor_frames_put(mfn_t *frames, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!mfn_is_none(frames[i]))
            BUG_ON(page_put_and_type(frames[i]) != 0);
        frames[i] = MFN_NONE;
    }
}

int pv_set_gdt(struct vcpu *v, mfn_t *frames, unsigned count, uint32_t entries)
{
    mfn_t old[GDT_GUEST_FRAMES];

    if (count > GDT_GUEST_FRAMES || entries > count * DESCS_PER_FRAME)
        return -XEN_EINVAL;
    for (unsigned i = 0; i < count; i++) {
        if (page_get_and_type(frames[i], v->domain, PGT_DESC) == 0)
            continue;
        descriptor_frames_put(frames, i);
        return -XEN_EINVAL;
    }
    for (unsigned i = 0; i < GDT_GUEST_FRAMES; i++) {
        old[i] = v->pv.gdt_frames[i];
        v->pv.gdt_frames[i] = i < count ? frames[i] : MFN_NONE;
    }
    v->pv.gdt_entries = entries;
    if (v == current_vcpu())
        hal_descriptors_changed();
    descriptor_frames_put(old, GDT_GUEST_FRAMES);
    return 0;
}

long hc_set_gdt(uint64_t frames, uint32_t entries)
{
    mfn_t mfns[GDT_GUEST_FRAMES];
    unsigned count;

    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -XEN_EINVAL;
    count = (unsigned)((entries + DESCS_PER_FRAME - 1) / DESCS_PER_FRAME);
    STATIC_ASSERT(mfns_as_in_the_abi, sizeof(mfn_t) == sizeof(xen_pfn_t));
    if (count != 0 && guest_read(mfns, guest_va_make(frames), count * sizeof(mfns[0])) != 0)
        return -XEN_EFAULT;
    return pv_set_gdt(current_vcpu(), mfns, count, entries);
}

/* Write through whichever use the frame has: descriptor frame, or the guest's plain memory. */
long hc_update_descriptor(uint64_t maddr, uint64_t desc)
{
    mfn_t m = maddr_to_mfn(maddr_make(maddr));
    struct domain *d = current_domain();

    if (maddr % sizeof(uint64_t) != 0 || !desc_sanitise(&desc))
        return -XEN_EINVAL;
    if (page_get_and_type(m, d, PGT_WRITABLE) != 0 && page_get_and_type(m, d, PGT_DESC) != 0)
        return -XEN_EINVAL;
    WRITE_ONCE(((uint64_t *)mfn_to_ptr(m))[(maddr & ~PAGE_MASK) / sizeof(uint64_t)], desc);
    BUG_ON(page_put_and_type(m) != 0);
    return 0;
}

int pv_set_ldt(struct vcpu *v, uint64_t base, uint32_t entries)
{
    mfn_t old[ARRAY_LEN(v->pv.ldt_frames)];

    if (entries > LDT_ENTRIES_MAX || (entries && base % PAGE_SIZE != 0) ||
        (entries && !guest_range_ok(guest_va_make(base), entries * sizeof(uint64_t))))
        return -XEN_EINVAL;
    if (entries == 0 && v->pv.ldt_entries == 0)
        return 0;
    __builtin_memcpy(old, v->pv.ldt_frames, sizeof(old));
    __builtin_memset(v->pv.ldt_frames, 0xff, sizeof(old)); /* MFN_NONE */
    v->pv.ldt_base = base;
    v->pv.ldt_entries = entries;
    if (v == current_vcpu())
        hal_descriptors_changed(); /* before the frames go: nothing of ours shows them any more */
    descriptor_frames_put(old, ARRAY_LEN(old));
    return 0;
}

/* The CPU touched LDT page offset / PAGE_SIZE for the first time: take the frame that the guest
 * kernel maps there, as a descriptor frame. User roots need not show LDTs. */
bool pv_ldt_fault(uint64_t offset)
{
    struct vcpu *v = current_vcpu();
    unsigned idx = (unsigned)(offset / PAGE_SIZE);
    uint64_t l1e;
    mfn_t m;

    if (offset / sizeof(uint64_t) >= v->pv.ldt_entries || idx >= ARRAY_LEN(v->pv.ldt_frames) ||
        !mfn_is_none(v->pv.ldt_frames[idx]))
        return false;
    if (!pte_walk_l1(v->pv.root_kernel, v->pv.ldt_base + idx * PAGE_SIZE, &l1e))
        return false;
    m = pte_mfn(l1e);
    if (page_get_and_type(m, v->domain, PGT_DESC) != 0)
        return false;
    v->pv.ldt_frames[idx] = m;
    hal_descriptors_changed();
    return true;
}

bool pv_release_descriptors(struct vcpu *v)
{
    const bool had = (v->pv.gdt_entries | v->pv.ldt_entries) != 0;

    BUG_ON(pv_set_gdt(v, NULL, 0, 0) != 0 || pv_set_ldt(v, 0, 0) != 0);
    return had;
}
