/* SPDX-License-Identifier: MIT */
/*
 * The console. The control domain reads and writes through console_io; any other domain has a ring
 * page from the builder, and waits for the other end to drain it. The ring is shared memory: the
 * other end's index is read once per decision and never trusted beyond the ring's size.
 */
#include <tenue-front/front.h>
#include <tenue-front/port.h>
#include <xen/io/console.h>

#define DRAIN_NS 1000000000UL

static struct xencons_interface *ring;
static evtchn_port_t ring_port;

void front_console_init(void)
{
    if (front_is_initdomain())
        return;
    ring = front_port_map(front_si->console.domU.mfn);
    ring_port = front_si->console.domU.evtchn;
}

static void ring_write(const char *text, size_t len)
{
    XENCONS_RING_IDX prod = ring->out_prod;

    for (size_t i = 0; i < len;) {
        if ((u32)(prod - READ_ONCE(ring->out_cons)) >= sizeof(ring->out)) {
            front_evtchn_send(ring_port);
            hc_sched_op(SCHEDOP_yield, 0);
            continue;
        }
        ring->out[MASK_XENCONS_IDX(prod, ring->out)] = text[i++];
        front_wmb();
        WRITE_ONCE(ring->out_prod, ++prod);
    }
    front_evtchn_send(ring_port);
}

void front_console_drain(void)
{
    u64 end = front_port_now() + DRAIN_NS;

    while (ring && READ_ONCE(ring->out_cons) != ring->out_prod && front_port_now() < end)
        hc_sched_op(SCHEDOP_yield, 0);
}

void front_console_write(const char *text, size_t len)
{
    if (front_is_initdomain())
        hc_console_io(CONSOLEIO_write, len, text);
    else if (ring)
        ring_write(text, len);
}

static size_t ring_read(char *buf, size_t size)
{
    static bool listening;
    XENCONS_RING_IDX cons = ring->in_cons, ready = READ_ONCE(ring->in_prod) - cons;
    size_t n = 0;

    if (!listening)
        front_evtchn_unmask(ring_port); /* what is typed wakes a sleeper from now on */
    listening = true;
    if (ready > sizeof(ring->in))
        return 0;
    front_rmb();
    for (; n < size && n < ready; n++)
        buf[n] = ring->in[MASK_XENCONS_IDX(cons + (u32)n, ring->in)];
    front_mb(); /* read before it may be overwritten */
    WRITE_ONCE(ring->in_cons, cons + (u32)n);
    if (n)
        front_evtchn_send(ring_port);
    return n;
}

size_t front_console_read(char *buf, size_t size)
{
    long n;

    if (ring)
        return ring_read(buf, size);
    n = front_is_initdomain() ? hc_console_io(CONSOLEIO_read, size, buf) : 0;
    return n > 0 ? (size_t)n : 0;
}
