/* SPDX-License-Identifier: MIT */
/* port.h for the SDK's own tiny guests: pages from the pool, sleep by blocking on the timer. */
#include <tenue-front/port.h>

#include "internal.h"

#define MAP_WINDOW 0xffffff0000000000UL
#define HEAP_WINDOW 0xffffff4000000000UL

void *front_port_page_get(void)
{
    return front_page_try();
}

void front_port_page_put(void *page)
{
    front_page_free(page);
}

u64 front_port_page_mfn(const void *page)
{
    return front_va_to_mfn(page);
}

void *front_port_map(u64 mfn)
{
    static u64 next = MAP_WINDOW;
    u64 pfn = front_mfn_to_pfn(mfn);
    u64 va = next;

    /* A page of ours that the builder's map already covers needs no second mapping. */
    if (pfn < front_nr_pages && front_p2m[pfn] == mfn) {
        volatile u64 *e = front_pt_entry(front_root_mfn(), (u64)front_pfn_to_va(pfn), 2);

        if (e && *e & PTE_P) {
            e = front_pt_entry(front_root_mfn(), (u64)front_pfn_to_va(pfn), 1);
            if ((*e & (PTE_P | PTE_RW)) == (PTE_P | PTE_RW))
                return front_pfn_to_va(pfn);
        }
    }
    if (front_map(va, mfn, PTE_KERN))
        return NULL;
    next += FRONT_PAGE_SIZE;
    return (void *)va;
}

/* Frames of the domain that the builder mapped nowhere, from the highest down. */
void *front_port_more(size_t bytes)
{
    static u64 end = HEAP_WINDOW;
    u64 begin = end;

    if (bytes / FRONT_PAGE_SIZE > front_spare_left())
        return NULL;
    for (; end < begin + bytes; end += FRONT_PAGE_SIZE) {
        if (front_map(end, front_p2m[front_spare_pfn()], PTE_KERN))
            front_panic("no page at %lx for the heap", end);
    }
    return (void *)begin;
}

u64 front_port_now(void)
{
    return front_time_ns();
}

void front_port_sleep(u64 deadline_ns)
{
    static int timer;

    /* Without a bound and open timer port the deadline would wake nobody. */
    if (!timer) {
        timer = front_evtchn_bind_virq(VIRQ_TIMER, 0);
        if (timer < 0)
            front_panic("VIRQ_TIMER cannot be bound: %d", timer);
        front_evtchn_unmask((evtchn_port_t)timer);
    }
    front_timer_at(deadline_ns);
    hc_sched_op(SCHEDOP_block, 0);
}
