/* SPDX-License-Identifier: MIT */
/*
 * ping - events: an unbound port of our own, its other end bound to it by ourselves, and a message
 * sent back and forth through the hypervisor ten thousand times, each answered from the handler of
 * the one before.
 */
#include <tenue-front/front.h>
#include <xen/errno.h>

#define ROUNDS 10000

static u64 round_trips;

static void ping(evtchn_port_t port, void *opaque)
{
    (void)opaque;
    if (++round_trips < ROUNDS)
        front_evtchn_send(port);
}

static void pong(evtchn_port_t port, void *opaque)
{
    (void)opaque;
    front_evtchn_send(port);
}

void front_main(void)
{
    int here = front_evtchn_alloc(DOMID_SELF);
    int there = here < 0 ? here : front_evtchn_connect(DOMID_SELF, (evtchn_port_t)here);
    u64 start, took;

    if (there < 0)
        front_panic("no pair of ports: %d", there);
    front_evtchn_take((evtchn_port_t)here); /* binding rang */
    front_evtchn_take((evtchn_port_t)there);
    front_evtchn_handle((evtchn_port_t)here, ping, NULL);
    front_evtchn_handle((evtchn_port_t)there, pong, NULL);
    front_evtchn_unmask((evtchn_port_t)here);
    front_evtchn_unmask((evtchn_port_t)there);
    front_irq_enable();
    start = front_time_ns();
    front_evtchn_send((evtchn_port_t)here); /* arrives there */
    if (!front_wait(&round_trips, ROUNDS, 60000000000UL))
        front_panic("only %lu round trips in a minute", round_trips);
    took = front_time_ns() - start;
    front_printf("ping: %lu round trips, %lu ns each\n", round_trips, took / round_trips);
    front_console_drain();
}
