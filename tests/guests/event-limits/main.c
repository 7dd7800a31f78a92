/* SPDX-License-Identifier: MIT */
/*
 * Contract: event channels at their limits. Ports end where the shared bitmap does and not before
 * the quota; every kind of bind fails then, each with the same error, and leaves nothing; poll and
 * every query name only ports that are; FIFO operations are refused one and all; two vCPUs that
 * bind, send, close and unmask the same ports leave books that balance.
 *
 * Invariants: EV-1, EV-2, EV-3, EV-5, EV-7, EV-8, EV-10, IRQ-1, HC-6, HC-12.
 * Advisories: 3, 13, 21, 47, 107, 188, 221, 317, 338, 343, 358.
 * A failure means: a guest writes past its shared page, or sends on a channel that is not its own.
 * Sabotage: in core/evtchn.c answer -XEN_ENOMEM for a full table: exhaustion() fails. Do not count
 * a closed port down in port_free(): the audit says so.
 */
#include "guest.h"

#include <xen/physdev.h>

GUEST_RUN("vcpus=2 append=guest_loglvl=none");

#define LAST ((int)EVTCHN_2L_NR_CHANNELS)
#define RUN_NS 700000000UL

static volatile u64 stop, ended, sent;

static long bind_pirq(u32 pirq)
{
    evtchn_bind_pirq_t op = {.pirq = pirq};
    long rc = hc_event_channel_op(EVTCHNOP_bind_pirq, &op);

    return rc ? rc : op.port;
}

static long poll(evtchn_port_t *ports, unsigned n)
{
    struct sched_poll p = {.nr_ports = n, .timeout = front_time_ns() + 1000};
    long rc;

    set_xen_guest_handle(p.ports, ports);
    front_irq_disable();
    rc = hc_sched_op(SCHEDOP_poll, &p);
    front_irq_enable();
    return rc;
}

static void exhaustion(void)
{
    static const evtchn_port_t beyond[] = {LAST - 1, LAST, LAST + 1, 1u << 17, 0x7fffffff, ~0U};
    unsigned n = 0;
    int port, highest = 0;
    evtchn_status_t s;

    while ((port = front_evtchn_alloc(DOMID_SELF)) >= 0 && n < 8192) {
        highest = port > highest ? port : highest;
        n++;
    }
    check(n > 1000 && highest < LAST, "%u ports, the last %d", n, highest);
    check_eq(port, -XEN_ENOSPC);
    for (unsigned i = 0; i < 3; i++) {
        check_eq(front_evtchn_alloc(DOMID_SELF), -XEN_ENOSPC);
        check_eq(front_evtchn_bind_ipi(0), -XEN_ENOSPC);
        check_eq(front_evtchn_bind_virq(VIRQ_DEBUG, 0), -XEN_ENOSPC);
        check_eq(front_evtchn_connect(DOMID_SELF, (evtchn_port_t)highest), -XEN_ENOSPC);
        check(bind_pirq(5) < 0, "a pirq without a port");
    }
    check_eq(front_evtchn_status((evtchn_port_t)highest, &s), 0);
    check_eq(s.status, EVTCHNSTAT_unbound); /* the bind that failed has not taken it */
    for (unsigned i = 1; i < FRONT_ARRAY_SIZE(beyond); i++) {
        evtchn_port_t p = beyond[i];
        evtchn_unmask_t unmask = {.port = p};

        check(front_evtchn_send(p) < 0 && front_evtchn_close(p) < 0, "port %x", p);
        check(front_evtchn_status(p, &s) < 0, "status of port %x", p);
        check(hc_event_channel_op(EVTCHNOP_unmask, &unmask) < 0, "unmask of port %x", p);
        check(poll(&p, 1) == -XEN_EINVAL, "poll on port %x", p);
    }
    for (port = highest; port > 0; port--) {
        if (front_evtchn_status((evtchn_port_t)port, &s) == 0 && s.status == EVTCHNSTAT_unbound)
            front_evtchn_close((evtchn_port_t)port);
    }
    port = front_evtchn_bind_ipi(0);
    check(port > 0, "a port after all were closed: %d", port);
    check_eq(front_evtchn_close((evtchn_port_t)port), 0);
}

static void polls(void)
{
    static evtchn_port_t many[200];
    int port = front_evtchn_bind_ipi(0);

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(many); i++)
        many[i] = (evtchn_port_t)port;
    check_eq(poll(many, 128), 0);
    check_eq(poll(many, 129), -XEN_EINVAL);
    check_eq(poll(many, ~0U), -XEN_EINVAL);
    check_eq(poll((void *)0x8000000000000000UL, 1), -XEN_EFAULT);
    check_eq(poll((void *)(HYPERVISOR_VIRT_START - 4), 2), -XEN_EFAULT);
    for (unsigned i = 0; i < 128; i++) {
        many[i] = (evtchn_port_t)LAST + i * 77;
        check(poll(many, 128) == -XEN_EINVAL, "a bad port at place %u", i);
        many[i] = (evtchn_port_t)port;
    }
    check_eq(front_evtchn_close((evtchn_port_t)port), 0);
    check(poll(many, 1) == -XEN_EINVAL || poll(many, 1) == 0, "a closed port");
}

static void fifo(void)
{
    u64 room[16];

    if (guest_on_xen())
        return;
    for (unsigned cmd = EVTCHNOP_init_control; cmd <= EVTCHNOP_set_priority; cmd++) {
        memset(room, 0, sizeof(room));
        check_eq(hc_event_channel_op(cmd, room), -XEN_ENOSYS);
        memset(room, 0xff, sizeof(room));
        check_eq(hc_event_channel_op(cmd, room), -XEN_ENOSYS);
        check_eq(hc_event_channel_op(cmd, 0), -XEN_ENOSYS);
    }
}

/* Interrupts by number: at and past every end, twice, and closed again. */
static void pirqs(void)
{
    static const u32 bad[] = {65536, 0x7fffffff, 0x80000000, ~0U};

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++) {
        physdev_irq_status_query_t query = {.irq = bad[i]};
        physdev_eoi_t eoi = {.irq = bad[i]};

        check(bind_pirq(bad[i]) < 0, "pirq %x", bad[i]);
        check(hc_physdev_op(PHYSDEVOP_irq_status_query, &query) < 0, "status of pirq %x", bad[i]);
        check(hc_physdev_op(PHYSDEVOP_eoi, &eoi) < 0, "end of pirq %x", bad[i]);
    }
    for (u32 irq = 0; irq < 256; irq++) {
        long port = bind_pirq(irq);

        if (port < 0)
            continue;
        check(bind_pirq(irq) < 0, "pirq %u bound twice", irq);
        check_eq(front_evtchn_close((evtchn_port_t)port), 0);
    }
}

static u64 random(u64 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void mischief(u64 r)
{
    evtchn_port_t p = 8 + (r >> 8 & 7), q = 8 + (r >> 12 & 7);
    evtchn_unmask_t unmask = {.port = p};
    evtchn_bind_vcpu_t to = {.port = p, .vcpu = r >> 16 & 1};
    evtchn_status_t s;

    switch (r & 7) {
    case 0:
        front_evtchn_alloc(DOMID_SELF);
        break;
    case 1:
        front_evtchn_connect(r >> 20 & 1 ? 0 : DOMID_SELF, q);
        break;
    case 2:
        front_evtchn_close(p);
        break;
    case 3:
    case 4:
        sent += front_evtchn_send(p) == 0;
        break;
    case 5:
        hc_event_channel_op(EVTCHNOP_unmask, &unmask);
        break;
    case 6:
        hc_event_channel_op(EVTCHNOP_bind_vcpu, &to);
        break;
    default:
        front_evtchn_status(q, &s);
        for (evtchn_port_t c = 16; c < 40; c++) /* keep the low ones in use */
            front_evtchn_close(c);
        break;
    }
}

static void second(void)
{
    u64 seed = 0x9e3779b97f4a7c15UL;

    while (!stop)
        mischief(random(&seed));
    ended = 1;
    for (;;)
        hc_vcpu_op(VCPUOP_down, 1, 0);
}

static void races(void)
{
    u64 seed = 0xd1b54a32d192ed03UL, end = front_time_ns() + RUN_NS;
    evtchn_status_t s;

    front_irq_disable(); /* nobody attends to what these ports raise */
    for (evtchn_port_t p = 1; p < 40; p++)
        front_evtchn_mask(p);
    check_eq(front_vcpu_start(1, second), 0);
    while (front_time_ns() < end) {
        for (unsigned i = 0; i < 100; i++)
            mischief(random(&seed));
    }
    stop = 1;
    check(front_wait(&ended, 1, 2000000000UL), "the second vCPU does not come back");
    for (evtchn_port_t p = 8; p < 64; p++) {
        if (front_evtchn_status(p, &s) == 0 && s.status != EVTCHNSTAT_closed)
            check_eq(front_evtchn_close(p), 0);
    }
    check(sent > 0, "no event was sent");
}

void guest_test(void)
{
    exhaustion();
    polls();
    fifo();
    pirqs();
    races();
}
