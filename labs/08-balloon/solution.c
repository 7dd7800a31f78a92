/* SPDX-License-Identifier: MIT */
/* Lab 8, balloon: a solution. */
#include "task.h"

static xen_pfn_t list[LAB_PAGES];

static long reservation(unsigned cmd, unsigned n)
{
    struct xen_memory_reservation op = {.nr_extents = n, .domid = DOMID_SELF};

    set_xen_guest_handle(op.extent_start, list);
    return hc_memory_op(cmd, &op);
}

unsigned my_give(void *const *pages, unsigned n)
{
    unsigned frames = 0;
    long done;

    for (unsigned i = 0; i < n; i++) {
        u64 pfn = front_va_to_pfn(pages[i]);

        if (front_p2m[pfn] == LAB_NO_FRAME)
            continue; /* given already */
        list[frames++] = front_p2m[pfn];
        /* The frame is another's soon: nothing of ours may lead to it any more. */
        hc_update_va_mapping(pages[i], 0, UVMF_INVLPG);
        front_p2m[pfn] = LAB_NO_FRAME;
    }
    done = reservation(XENMEM_decrease_reservation, frames);
    return done < 0 ? 0 : (unsigned)done;
}

unsigned my_take(void *const *pages, unsigned n)
{
    void *empty[LAB_PAGES];
    unsigned wanted = 0;
    long done;

    for (unsigned i = 0; i < n; i++) {
        if (front_p2m[front_va_to_pfn(pages[i])] != LAB_NO_FRAME)
            continue;
        empty[wanted] = pages[i];
        list[wanted++] = front_va_to_pfn(pages[i]);
    }
    /* Page numbers go in, frames come out, of as many as there were. */
    done = reservation(XENMEM_populate_physmap, wanted);
    if (done < 0)
        done = 0;
    for (long i = 0; i < done; i++) {
        front_p2m[front_va_to_pfn(empty[i])] = list[i];
        hc_update_va_mapping(empty[i], front_pte(list[i], PTE_KERN), UVMF_INVLPG);
    }
    return (unsigned)done;
}

u64 my_balloon(u64 target)
{
    u64 have = lab_frames();
    void *some[LAB_PAGES];
    unsigned n = 0;

    for (unsigned i = 0; i < LAB_PAGES; i++) {
        bool full = front_p2m[front_va_to_pfn(lab_pages[i])] != LAB_NO_FRAME;

        if (full == (have > target) && n < (have > target ? have - target : target - have))
            some[n++] = lab_pages[i];
    }
    if (have > target)
        my_give(some, n);
    else
        my_take(some, n);
    return lab_frames();
}
