/* SPDX-License-Identifier: MIT */
/*
 * 2-level event channels. Ports start masked; binding returns a masked port, and a handler or a
 * poll unmasks it. The upcall scans selector, then word, then bit, clears the pending bit before
 * it calls the handler (edge semantics), and looks again until nothing is left. A port is closed
 * only when its handler has returned on every vCPU, its own call of close apart (FE-4).
 */
#include <tenue-front/front.h>
#include <tenue-front/x86.h>

#define NR_PORTS 1024

static struct {
    front_evtchn_fn fn;
    void *opaque;
    u32 running; /* handlers under way, on all vCPUs */
} ports[NR_PORTS];

static evtchn_port_t handling[FRONT_MAX_VCPUS]; /* the port whose handler a vCPU is in; 0: none */

static void set_bit(xen_ulong_t *words, evtchn_port_t port)
{
    __asm__ volatile("lock bts %1, %0" : "+m"(words[port / 64]) : "r"((u64)port % 64) : "memory");
}

static bool clear_bit(xen_ulong_t *words, evtchn_port_t port)
{
    bool was;

    __asm__ volatile("lock btr %2, %0"
                     : "+m"(words[port / 64]), "=@ccc"(was)
                     : "r"((u64)port % 64)
                     : "memory");
    return was;
}

static bool test_bit(const xen_ulong_t *words, evtchn_port_t port)
{
    return READ_ONCE(words[port / 64]) >> (port % 64) & 1;
}

void front_evtchn_init(void)
{
    memset(front_shared->evtchn_mask, 0xff, sizeof(front_shared->evtchn_mask));
}

/* Counted before it is looked up: who takes the handler away then waits for this call. */
static void call_handler(evtchn_port_t port)
{
    evtchn_port_t outer = handling[front_vcpu_id()];
    front_evtchn_fn fn;

    handling[front_vcpu_id()] = port;
    __atomic_add_fetch(&ports[port].running, 1, __ATOMIC_SEQ_CST);
    fn = __atomic_load_n(&ports[port].fn, __ATOMIC_SEQ_CST);
    FRONT_EVENT_RECORDED(port);
    if (fn)
        fn(port, ports[port].opaque);
    __atomic_sub_fetch(&ports[port].running, 1, __ATOMIC_SEQ_CST);
    handling[front_vcpu_id()] = outer;
}

static void deliver_word(unsigned word)
{
    xen_ulong_t ready;

    while ((ready = READ_ONCE(front_shared->evtchn_pending[word]) &
                    ~READ_ONCE(front_shared->evtchn_mask[word]))) {
        evtchn_port_t port = word * 64 + (unsigned)__builtin_ctzl(ready);

        clear_bit(front_shared->evtchn_pending, port);
        if (port < NR_PORTS && READ_ONCE(ports[port].fn))
            call_handler(port);
    }
}

void front_evtchn_upcall(void)
{
    vcpu_info_t *v = front_vcpu_info(front_vcpu_id());

    while (__atomic_exchange_n(&v->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST)) {
        xen_ulong_t sel = __atomic_exchange_n(&v->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

        for (; sel; sel &= sel - 1)
            deliver_word((unsigned)__builtin_ctzl(sel));
    }
}

int front_evtchn_bind_virq(unsigned virq, unsigned vcpu)
{
    evtchn_bind_virq_t op = {.virq = virq, .vcpu = vcpu};
    long rc = hc_event_channel_op(EVTCHNOP_bind_virq, &op);

    return rc ? (int)rc : (int)op.port;
}

int front_evtchn_bind_ipi(unsigned vcpu)
{
    evtchn_bind_ipi_t op = {.vcpu = vcpu};
    long rc = hc_event_channel_op(EVTCHNOP_bind_ipi, &op);

    return rc ? (int)rc : (int)op.port;
}

int front_evtchn_alloc(domid_t remote)
{
    evtchn_alloc_unbound_t op = {.dom = DOMID_SELF, .remote_dom = remote};
    long rc = hc_event_channel_op(EVTCHNOP_alloc_unbound, &op);

    return rc ? (int)rc : (int)op.port;
}

int front_evtchn_connect(domid_t remote, evtchn_port_t remote_port)
{
    evtchn_bind_interdomain_t op = {.remote_dom = remote, .remote_port = remote_port};
    long rc = hc_event_channel_op(EVTCHNOP_bind_interdomain, &op);

    return rc ? (int)rc : (int)op.local_port;
}

int front_evtchn_send(evtchn_port_t port)
{
    evtchn_send_t op = {.port = port};

    return (int)hc_event_channel_op(EVTCHNOP_send, &op);
}

int front_evtchn_close(evtchn_port_t port)
{
    evtchn_close_t op = {.port = port};

    if (port < NR_PORTS) {
        u32 own = handling[front_vcpu_id()] == port;

        __atomic_store_n(&ports[port].fn, NULL, __ATOMIC_SEQ_CST);
        front_evtchn_mask(port); /* the next user of the number starts with a masked port */
        while (__atomic_load_n(&ports[port].running, __ATOMIC_SEQ_CST) > own)
            hc_sched_op(SCHEDOP_yield, 0);
    }
    return (int)hc_event_channel_op(EVTCHNOP_close, &op);
}

int front_evtchn_status(evtchn_port_t port, evtchn_status_t *status)
{
    memset(status, 0, sizeof(*status));
    status->dom = DOMID_SELF;
    status->port = port;
    return (int)hc_event_channel_op(EVTCHNOP_status, status);
}

void front_evtchn_handle(evtchn_port_t port, front_evtchn_fn fn, void *opaque)
{
    ports[port].opaque = opaque;
    ports[port].fn = fn;
}

void front_evtchn_mask(evtchn_port_t port)
{
    set_bit(front_shared->evtchn_mask, port);
}

void front_evtchn_unmask(evtchn_port_t port)
{
    evtchn_unmask_t op = {.port = port};

    hc_event_channel_op(EVTCHNOP_unmask, &op);
}

bool front_evtchn_pending(evtchn_port_t port)
{
    return test_bit(front_shared->evtchn_pending, port);
}

bool front_evtchn_take(evtchn_port_t port)
{
    return clear_bit(front_shared->evtchn_pending, port);
}

void front_irq_disable(void)
{
    WRITE_ONCE(front_vcpu_info(front_vcpu_id())->evtchn_upcall_mask, 1);
    front_barrier();
}

void front_irq_enable(void)
{
    vcpu_info_t *v = front_vcpu_info(front_vcpu_id());

    front_barrier();
    WRITE_ONCE(v->evtchn_upcall_mask, 0);
    front_barrier();
    /* Any hypercall looks for events on its way back; this is the cheapest one. */
    if (READ_ONCE(v->evtchn_upcall_pending))
        hc_xen_version(XENVER_version, 0);
}

bool front_irq_enabled(void)
{
    return !READ_ONCE(front_vcpu_info(front_vcpu_id())->evtchn_upcall_mask);
}
