/* SPDX-License-Identifier: MIT */
/*
 * Contract: the machine-to-physical table. It is where XENMEM_machphys_mapping says, readable by
 * the kernel and never writable; max_mfn covers all RAM; a guest may set the entry of a frame it
 * owns (MMU_MACHPHYS_UPDATE) and of no other; a hole reads as anything or faults like any page.
 * machphys_mfn_list names frames of the table itself.
 *
 * Invariants: MM-14, MM-16, MM-17.
 * A failure means: kernels cannot translate frames, or can lie about each other's.
 * Sabotage: use MMU_NORMAL_PT_UPDATE in set(): the entry keeps its old value.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static int set(u64 mfn, u64 pfn)
{
    return front_set_pte(mfn << 12, pfn, MMU_MACHPHYS_UPDATE);
}

static void where(void)
{
    struct xen_machphys_mapping m;
    u64 v, top = 0;

    check_eq(hc_memory_op(XENMEM_machphys_mapping, &m), 0);
    check_eq(m.v_start, MACH2PHYS_VIRT_START);
    check(m.v_end > m.v_start && m.v_end <= HYPERVISOR_VIRT_END, "v_end %lx", m.v_end);
    for (u64 pfn = 0; pfn < front_nr_pages; pfn++)
        top = front_p2m[pfn] > top ? front_p2m[pfn] : top;
    check(m.max_mfn >= top, "max_mfn %lx is below our own %lx", m.max_mfn, top);
    check(m.max_mfn < (m.v_end - m.v_start) / 8, "max_mfn %lx is outside the table", m.max_mfn);
    check_eq(front_try_read((u64 *)m.v_start + top, &v), FAULT_NONE);
    check_eq(front_try_write((u64 *)m.v_start + top, v), PF(3));
    check_eq(front_mfn_to_pfn(top), v);
}

static void updates(void)
{
    void *page = front_page_alloc();
    u64 mfn = front_va_to_mfn(page), pfn = front_va_to_pfn(page);

    check_eq(set(mfn, 0xabcdef), 0);
    check_eq(front_mfn_to_pfn(mfn), 0xabcdef);
    check_eq(set(mfn, ~0UL), 0);
    check_eq(front_mfn_to_pfn(mfn), ~0UL);
    check_eq(set(mfn, 1UL << 63), 0);
    check_eq(set(mfn, pfn), 0);
    check_eq(front_mfn_to_pfn(mfn), pfn);
    check(set(1UL << 39, 0) < 0, "a frame beyond the machine");
    /* The page is as usable as before. */
    check_eq(front_try_write(page, 1), FAULT_NONE);
}

/* Frames of RAM that are not ours: sample the machine for one and try. */
static void not_ours(void)
{
    struct xen_machphys_mapping m;
    static u8 own[1 << 17];
    u64 tried = 0;

    hc_memory_op(XENMEM_machphys_mapping, &m);
    for (u64 pfn = 0; pfn < front_nr_pages; pfn++)
        own[front_p2m[pfn] >> 3 & (sizeof(own) - 1)] |= 1 << (front_p2m[pfn] & 7);
    for (u64 mfn = 0x800; mfn < 0x8000 && mfn <= m.max_mfn; mfn += 7) {
        if (own[mfn >> 3] >> (mfn & 7) & 1)
            continue;
        tried++;
        if (!check(set(mfn, 1) < 0, "frame %lx is not ours, but its entry could be set", mfn))
            break;
    }
    check(tried > 100, "only %lu foreign frames found", tried);
}

static void frame_list(void)
{
    xen_pfn_t frames[4] = {0};
    struct xen_machphys_mfn_list l = {.max_extents = 4};
    long rc;

    set_xen_guest_handle(l.extent_start, frames);
    rc = hc_memory_op(XENMEM_machphys_mfn_list, &l);
    if (rc == -XEN_ENOSYS)
        return;
    check(rc == 0 && l.nr_extents >= 1 && l.nr_extents <= 4 && frames[0], "%ld, %u extents", rc,
          l.nr_extents);
}

void guest_test(void)
{
    where();
    updates();
    not_ours();
    frame_list();
}
