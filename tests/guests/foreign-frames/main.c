/* SPDX-License-Identifier: MIT */
/*
 * Contract: a guest, the control domain included, maps RAM that is its own and no other: every
 * RAM frame of the machine that is not in its list is refused, read-only, writable, and as a
 * page table.
 *
 * Invariants: MM-13, MM-14.
 * A failure means: a guest reads or writes the hypervisor or another guest.
 * Sabotage: leave the last of its own frames out of own[]: that one can be mapped.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 timeout=60 append=guest_loglvl=none");

#define WINDOW 0x0000100000000000UL

static u8 own[1 << 16];
static u64 refused, mapped, first_mapped;

static void try_frame(u64 slot, u64 mfn)
{
    volatile u64 *upper = front_pt_entry(front_root_mfn(), WINDOW + (1UL << 21), 2);

    if (front_set_entry(upper, front_pte(mfn, PTE_TABLE)) == 0) {
        first_mapped = mapped++ ? first_mapped : mfn;
        front_set_entry(upper, 0);
    }
    if (front_set_pte(slot, front_pte(mfn, PTE_P | PTE_U), 0) == 0) {
        first_mapped = mapped++ ? first_mapped : mfn;
        front_set_pte(slot, 0, 0);
    } else {
        refused++;
    }
    if (front_set_pte(slot, front_pte(mfn, PTE_KERN), 0) == 0) {
        first_mapped = mapped++ ? first_mapped : mfn;
        front_set_pte(slot, 0, 0);
    }
}

void guest_test(void)
{
    struct {
        u64 addr, size;
        u32 type;
    } __attribute__((packed)) e820[64];
    struct xen_memory_map m = {.nr_entries = 64};
    struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 4};
    xen_pfn_t shared[4];
    void *page = front_page_alloc();
    u64 slot;

    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN), 0);
    slot = front_entry_maddr(front_pt_entry(front_root_mfn(), WINDOW, 1));
    for (u64 pfn = 0; pfn < front_nr_pages; pfn++)
        own[front_p2m[pfn] >> 3 & (sizeof(own) - 1)] |= 1 << (front_p2m[pfn] & 7);
    own[front_si->shared_info >> 15] |= 1 << (front_si->shared_info >> 12 & 7);
    /* Frames the hypervisor shares with us are ours to map: the shared page, the grant table. */
    set_xen_guest_handle(setup.frame_list, shared);
    check_eq(hc_grant_table_op(GNTTABOP_setup_table, &setup, 1), 0);
    for (unsigned i = 0; i < setup.nr_frames; i++)
        own[shared[i] >> 3 & (sizeof(own) - 1)] |= 1 << (shared[i] & 7);
    set_xen_guest_handle(m.buffer, e820);
    check_eq(hc_memory_op(XENMEM_machine_memory_map, &m), 0);
    for (unsigned i = 0; i < m.nr_entries; i++) {
        u64 from = e820[i].addr >> 12, to = (e820[i].addr + e820[i].size) >> 12;

        /* Below 1 MiB lies what firmware left; the control domain may look at it. */
        for (u64 mfn = from < 256 ? 256 : from; e820[i].type == 1 && mfn < to; mfn++) {
            if (!(own[mfn >> 3] >> (mfn & 7) & 1))
                try_frame(slot, mfn);
        }
    }
    check(refused > 1000, "only %lu frames that are not ours", refused);
    check(mapped == 0, "%lu mappings of frames that are not ours, first %lx", mapped, first_mapped);
}
