/* SPDX-License-Identifier: MIT */
/*
 * Contract: a port is closed when its handler has returned, wherever it runs. vCPU 0 closes a port
 * while vCPU 1 is in its handler, slow on purpose, under a storm of notifications: after close the
 * handler is not entered again and none is under way, so that what it uses may go. A handler may
 * close its own port. The number, used anew, has no handler of the one before.
 *
 * Invariants: FE-4.
 * A failure means: a driver's handler runs on memory that the driver has given back.
 * Sabotage: leave out the loop on `running` in front_evtchn_close(): a handler is under way.
 */
#include "guest.h"

GUEST_RUN("vcpus=2");

#define SECOND 1000000000UL
#define SLOW 3000000UL

static volatile u64 inside, entered, alive, closed_itself;

static void slow(evtchn_port_t port, void *opaque)
{
    u64 end = front_time_ns() + SLOW;

    (void)port;
    inside = 1;
    entered++;
    while (front_time_ns() < end)
        hc_sched_op(SCHEDOP_yield, 0);
    *(volatile u64 *)opaque += 1; /* what a driver would touch */
    inside = 0;
}

static void suicidal(evtchn_port_t port, void *opaque)
{
    (void)opaque;
    check_eq(front_evtchn_close(port), 0);
    closed_itself++;
}

static void second(void)
{
    alive = 1;
    front_irq_enable();
    for (;;)
        hc_sched_op(SCHEDOP_yield, 0);
}

static evtchn_port_t new_port(front_evtchn_fn fn, u64 *data)
{
    int port = front_evtchn_bind_ipi(1);

    check(port > 0, "no port: %d", port);
    if (fn)
        front_evtchn_handle((evtchn_port_t)port, fn, data);
    front_evtchn_unmask((evtchn_port_t)port);
    return (evtchn_port_t)port;
}

static void close_under(void)
{
    for (u64 i = 0; i < 20; i++) {
        u64 *data = front_page_alloc(), before = entered, at_close;
        evtchn_port_t port = new_port(slow, data);

        front_evtchn_send(port);
        if (!check(front_wait(&entered, before + 1, SECOND), "round %lu: no handler", i))
            return;
        front_evtchn_send(port); /* another one waits behind it */
        check_eq(front_evtchn_close(port), 0);
        at_close = entered;
        check(!inside, "round %lu: a handler is under way after close", i);
        front_page_free(data);
        for (int k = 0; k < 20; k++)
            hc_sched_op(SCHEDOP_yield, 0);
        check_eq(entered, at_close);
    }
}

static void close_itself(void)
{
    evtchn_port_t port = new_port(suicidal, NULL);

    front_evtchn_send(port);
    check(front_wait(&closed_itself, 1, SECOND), "a handler that closes its port hangs");
    check(front_evtchn_send(port) < 0, "its port is still open");
}

/* The number comes again; nobody has said what to call. */
static void used_anew(void)
{
    u64 before = entered;
    evtchn_port_t port = new_port(NULL, NULL);

    front_evtchn_send(port);
    for (int k = 0; k < 20; k++)
        hc_sched_op(SCHEDOP_yield, 0);
    check_eq(entered, before);
    check_eq(front_evtchn_close(port), 0);
}

void guest_test(void)
{
    front_irq_enable();
    check_eq(front_vcpu_start(1, second), 0);
    check(front_wait(&alive, 1, SECOND), "the second vCPU does not start");
    close_under();
    close_itself();
    used_anew();
}
