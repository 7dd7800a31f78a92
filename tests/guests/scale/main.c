/* SPDX-License-Identifier: MIT */
/*
 * Contract: none of its own: a guest that works in windows of 600 ms at the same seconds of system
 * time as every other one of its kind, and says how much it got done, for tests/bench/smp. The
 * second tells the kind of work: user code alone, hypercalls, events to itself, page-table entries.
 * Nothing of it is shared with another guest.
 */
#include "guest.h"

#define SECOND 1000000000ull
#define WINDOW_NS 600000000ull
#define KINDS 4
#define BATCH 64
#define PAGE_VA 0x0000100000000000UL

static volatile u64 upcalls;
static evtchn_port_t port;
static u64 ptes[2], changes;

static void on_timer(evtchn_port_t p, void *opaque)
{
    (void)p;
    (void)opaque;
}

static void on_event(evtchn_port_t p, void *opaque)
{
    (void)p;
    (void)opaque;
    upcalls++;
}

static void compute(void)
{
    for (u32 i = 200; i; i--)
        __asm__ volatile("");
}

static void call(void)
{
    hc_xen_version(XENVER_version, 0);
}

/* Delivered on the way back from the call. */
static void event(void)
{
    front_evtchn_send(port);
}

static void table(void)
{
    hc_update_va_mapping(PAGE_VA, ptes[changes++ & 1], UVMF_INVLPG);
}

static void (*const kinds[KINDS])(void) = {compute, call, event, table};

static void sleep_until(u64 ns)
{
    front_irq_disable();
    front_timer_at(ns);
    hc_sched_op(SCHEDOP_block, 0);
    front_irq_enable();
}

static void window(u64 second)
{
    const u64 begin = second * SECOND, until = begin + WINDOW_NS;
    u64 units = 0, now = front_time_ns();

    while (now < begin)
        now = front_time_ns();
    for (; now < until; now = front_time_ns()) {
        for (unsigned i = 0; i < BATCH; i++)
            kinds[second % KINDS]();
        units += BATCH;
    }
    front_printf("second %lu kind %lu units %lu ns %lu\n", second, second % KINDS, units,
                 now - begin);
}

void guest_test(void)
{
    for (unsigned i = 0; i < 2; i++)
        ptes[i] = front_pte(front_va_to_mfn(front_page_alloc()), PTE_KERN);
    check_eq(front_map(PAGE_VA, front_va_to_mfn(front_page_alloc()), PTE_KERN), 0);
    port = (evtchn_port_t)front_evtchn_bind_virq(VIRQ_TIMER, 0);
    front_evtchn_handle(port, on_timer, NULL);
    front_evtchn_unmask(port);
    port = (evtchn_port_t)front_evtchn_bind_ipi(0);
    front_evtchn_handle(port, on_event, NULL);
    front_evtchn_unmask(port);
    for (;;) {
        u64 second = front_time_ns() / SECOND + 1;

        sleep_until(second * SECOND - SECOND / 20);
        window(second);
        if (second % KINDS == 2)
            check(upcalls != 0, "no event came");
    }
}
