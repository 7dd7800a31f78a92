/* SPDX-License-Identifier: MIT */
/*
 * core/evtchn.c and evtchn_op.c: who may bind and send, what bits appear, what a failed or hostile
 * call leaves behind (EV-1 to EV-7, EV-10, EV-12, LC-10).
 *
 * Sabotage: drop the unbound_domid test in evtchn_bind_interdomain(): third_party_cannot_bind
 * fails; drop disconnect() in evtchn_close(): the run ends in a panic when a domain is
 * destroyed; drop
 * bit_test() of the mask in notify(): masked_ports_do_not_interrupt fails; notify() also when the
 * bit was set already: a_storm_is_one_event fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/evtchn.h>
#include <tenue/percpu.h>

static struct domain *a, *b, *c;

static void three_up(void)
{
    a = fake_domain(11, 2, 100);
    b = fake_domain(12, 1, 100);
    c = fake_domain(13, 1, 100);
}

static void three_down(void)
{
    CU_ASSERT_TRUE(fake_destroy(a));
    CU_ASSERT_TRUE(fake_destroy(b));
    CU_ASSERT_TRUE(fake_destroy(c));
}

static bool pending(const struct domain *d, port_t p)
{
    return d->shared_info->evtchn_pending[p / 64] >> (p % 64) & 1;
}

static bool upcall(const struct domain *d, unsigned v)
{
    return d->vcpus[v]->vcpu_info->evtchn_upcall_pending;
}

static void clear_events(struct domain *d)
{
    memset(d->shared_info->evtchn_pending, 0, sizeof(d->shared_info->evtchn_pending));
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        d->vcpus[i]->vcpu_info->evtchn_upcall_pending = 0;
        d->vcpus[i]->vcpu_info->evtchn_pending_sel = 0;
    }
}

/* a's port, b's port, connected. */
static void connect(port_t *pa, port_t *pb)
{
    CU_ASSERT_EQUAL_FATAL(evtchn_bind(a, EVTCHN_UNBOUND, b->domid, 0, pa), 0);
    CU_ASSERT_EQUAL_FATAL(evtchn_bind_interdomain(b, a, *pa, pb), 0);
}

static void send_reaches_the_peer_only(void)
{
    port_t pa, pb;

    three_up();
    connect(&pa, &pb);
    CU_ASSERT_TRUE(pending(b, pb)); /* set once by the bind */
    clear_events(b);
    CU_ASSERT_EQUAL(evtchn_send(a, pa), 0);
    CU_ASSERT_TRUE(pending(b, pb));
    CU_ASSERT_EQUAL(b->vcpus[0]->vcpu_info->evtchn_pending_sel, 1ull << (pb / 64));
    CU_ASSERT_TRUE(upcall(b, 0));
    CU_ASSERT_FALSE(pending(a, pa));
    CU_ASSERT_FALSE(upcall(c, 0));
    clear_events(b);
    CU_ASSERT_EQUAL(evtchn_send(b, pb), 0);
    CU_ASSERT_TRUE(pending(a, pa));
    CU_ASSERT_FALSE(pending(b, pb));
    three_down();
}

static void masked_ports_do_not_interrupt(void)
{
    port_t pa, pb;

    three_up();
    connect(&pa, &pb);
    clear_events(b);
    b->shared_info->evtchn_mask[0] = 1ull << pb;
    CU_ASSERT_EQUAL(evtchn_send(a, pa), 0);
    CU_ASSERT_TRUE(pending(b, pb));
    CU_ASSERT_FALSE(upcall(b, 0));
    CU_ASSERT_EQUAL(evtchn_unmask(b, pb), 0);
    CU_ASSERT_EQUAL(b->shared_info->evtchn_mask[0], 0);
    CU_ASSERT_TRUE(upcall(b, 0));
    three_down();
}

static void third_party_cannot_bind(void)
{
    port_t pa, pc = 0, pb;

    three_up();
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_UNBOUND, b->domid, 0, &pa), 0);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(c, a, pa, &pc), -XEN_EINVAL);
    CU_ASSERT_EQUAL(c->evtchn.active, 0);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(b, a, pa, &pb), 0);
    /* Taken: nobody else, not even the same domain again. */
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(b, a, pa, &pc), -XEN_EINVAL);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(b, a, 0, &pc), -XEN_EINVAL);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(b, a, 77, &pc), -XEN_EINVAL);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(b, a, ~0u, &pc), -XEN_EINVAL);
    CU_ASSERT_EQUAL(b->evtchn.active, 1);
    three_down();
}

static void close_leaves_the_peer_waiting(void)
{
    struct evtchn_status st = {0};
    port_t pa, pb, again;

    three_up();
    connect(&pa, &pb);
    CU_ASSERT_EQUAL(evtchn_close(b, pb), 0);
    CU_ASSERT_EQUAL(evtchn_status(a, pa, &st), 0);
    CU_ASSERT_EQUAL(st.status, EVTCHNSTAT_unbound);
    CU_ASSERT_EQUAL(st.u.unbound.dom, b->domid);
    CU_ASSERT_EQUAL(evtchn_send(a, pa), 0); /* lost, no error */
    CU_ASSERT_EQUAL(evtchn_close(b, pb), -XEN_EINVAL);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(b, a, pa, &again), 0);
    CU_ASSERT_EQUAL(again, pb); /* the lowest free */
    /* The other end first: the higher domid is locked second. */
    CU_ASSERT_EQUAL(evtchn_close(a, pa), 0);
    CU_ASSERT_EQUAL(evtchn_status(b, pb, &st), 0);
    CU_ASSERT_EQUAL(st.status, EVTCHNSTAT_unbound);
    three_down();
}

static void loopback(void)
{
    port_t p, q;

    three_up();
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_UNBOUND, a->domid, 0, &p), 0);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(a, a, p, &q), 0);
    clear_events(a);
    CU_ASSERT_EQUAL(evtchn_send(a, p), 0);
    CU_ASSERT_TRUE(pending(a, q));
    CU_ASSERT_EQUAL(evtchn_close(a, p), 0);
    CU_ASSERT_EQUAL(evtchn_close(a, q), 0);
    CU_ASSERT_EQUAL(a->evtchn.active, 0);
    three_down();
}

static void virqs(void)
{
    port_t p, q;

    three_up();
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_VIRQ, NR_VIRQS, 0, &p), -XEN_EINVAL);
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_VIRQ, VIRQ_TIMER, 2, &p), -XEN_ENOENT);
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_VIRQ, VIRQ_TIMER, 1, &p), 0);
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_VIRQ, VIRQ_TIMER, 1, &q), -XEN_EEXIST);
    CU_ASSERT_EQUAL(evtchn_bind_vcpu(a, p, 0), -XEN_EINVAL); /* per-vcpu ones stay */
    CU_ASSERT_EQUAL(evtchn_send(a, p), -XEN_EINVAL);         /* nobody sends them */
    evtchn_send_virq(a->vcpus[0], VIRQ_TIMER);
    CU_ASSERT_FALSE(pending(a, p));
    evtchn_send_virq(a->vcpus[1], VIRQ_TIMER);
    CU_ASSERT_TRUE(pending(a, p));
    CU_ASSERT_TRUE(upcall(a, 1));
    CU_ASSERT_FALSE(upcall(a, 0));
    CU_ASSERT_EQUAL(evtchn_close(a, p), 0);
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_VIRQ, VIRQ_TIMER, 1, &q), 0);
    three_down();
}

/* EV-12 */
static void global_virqs_are_the_control_domains(void)
{
    struct domain *dom0 = control_domain;
    port_t p, q;

    three_up();
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_VIRQ, VIRQ_CONSOLE, 0, &p), -XEN_EPERM);
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_VIRQ, VIRQ_DOM_EXC, 0, &p), -XEN_EPERM);
    CU_ASSERT_EQUAL(evtchn_bind(dom0, EVTCHN_VIRQ, VIRQ_DOM_EXC, 0, &p), 0);
    CU_ASSERT_EQUAL(evtchn_bind(dom0, EVTCHN_VIRQ, VIRQ_DOM_EXC, 0, &q), -XEN_EEXIST);
    CU_ASSERT_EQUAL(evtchn_bind_vcpu(dom0, p, 0), 0);
    clear_events(dom0);
    domain_shutdown(a, SHUTDOWN_poweroff);
    CU_ASSERT_TRUE(pending(dom0, p));
    CU_ASSERT_EQUAL(evtchn_close(dom0, p), 0);
    three_down();
}

static void ipis_go_to_their_vcpu(void)
{
    port_t p;

    three_up();
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_IPI, 0, 5, &p), -XEN_ENOENT);
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_IPI, 0, 1, &p), 0);
    CU_ASSERT_EQUAL(evtchn_bind_vcpu(a, p, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(evtchn_send(a, p), 0);
    CU_ASSERT_TRUE(upcall(a, 1));
    CU_ASSERT_FALSE(upcall(a, 0));
    three_down();
}

/* EV-7, EV-8: the quota and the ABI's bitmap end in -ENOSPC, and freeing one makes room for one. */
static void ports_run_out(void)
{
    struct evtchn_status status;
    port_t p, last = 0;
    unsigned n = 0;
    int rc;

    three_up();
    while ((rc = evtchn_bind(a, EVTCHN_UNBOUND, 0, 0, &p)) == 0) {
        n++;
        last = p;
    }
    CU_ASSERT_EQUAL(rc, -XEN_ENOSPC);
    CU_ASSERT_EQUAL(n, MAX_EVTCHNS - 1);
    CU_ASSERT_EQUAL(last, MAX_EVTCHNS - 1);
    CU_ASSERT_EQUAL(evtchn_send(a, MAX_EVTCHNS), -XEN_EINVAL);
    CU_ASSERT_EQUAL(evtchn_status(a, MAX_EVTCHNS, &status), -XEN_EINVAL);
    CU_ASSERT_EQUAL(evtchn_close(a, 100), 0);
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_UNBOUND, 0, 0, &p), 0);
    CU_ASSERT_EQUAL(p, 100);
    b->evtchn.max = 4;
    for (n = 0; evtchn_bind(b, EVTCHN_UNBOUND, 0, 0, &p) == 0; n++)
        ;
    CU_ASSERT_EQUAL(n, 3);
    three_down();
}

/* EV-4: preempted at every chance, reset still ends, and leaves no peer connected. */
static void reset_is_preemptible(void)
{
    port_t pa, pb;
    unsigned restarts = 0;

    three_up();
    for (unsigned i = 0; i < 500; i++)
        connect(&pa, &pb);
    fake_preempt_every = 1;
    while (evtchn_reset(a) == -XEN_ERESTART)
        restarts++;
    fake_preempt_every = 0;
    CU_ASSERT_TRUE(restarts >= 7);
    CU_ASSERT_EQUAL(a->evtchn.active, 0);
    for (port_t p = 1; p <= 500; p++)
        if (b->evtchn.pages[p / EVTCHNS_PER_PAGE][p % EVTCHNS_PER_PAGE].state != EVTCHN_UNBOUND)
            CU_FAIL("peer still connected");
    three_down();
}

/* LC-10 */
static void dying_domains_gain_no_port(void)
{
    port_t p;

    three_up();
    CU_ASSERT_EQUAL(evtchn_bind(b, EVTCHN_UNBOUND, a->domid, 0, &p), 0);
    a->dying = DOMAIN_DYING;
    CU_ASSERT_EQUAL(evtchn_bind(a, EVTCHN_UNBOUND, 0, 0, &p), -XEN_EINVAL);
    CU_ASSERT_EQUAL(evtchn_bind_interdomain(a, b, 1, &p), -XEN_EINVAL);
    CU_ASSERT_EQUAL(b->evtchn.pages[0][1].state, EVTCHN_UNBOUND); /* EV-2: as before */
    three_down();
}

/* --- through the hypercall --- */

static struct guest g;

static void guest_up(void)
{
    guest_init(&g, fake_domain(14, 1, 100));
    fake_run(g.d->vcpus[0]);
}

static void guest_down(void)
{
    fake_run(NULL);
    CU_ASSERT_TRUE(fake_destroy(g.d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

static long op(uint32_t cmd, void *arg, size_t size)
{
    long rc;

    memcpy(guest_ptr(&g, 10), arg, size);
    rc = fake_hypercall(__HYPERVISOR_event_channel_op, cmd, guest_va_at(10), 0, 0);
    memcpy(arg, guest_ptr(&g, 10), size);
    return rc;
}

static void hypercalls_check_rights(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = 0};
    struct evtchn_bind_pirq pirq = {.pirq = 1};
    struct evtchn_status status = {.dom = 0, .port = 1};
    struct evtchn_reset reset = {.dom = 0};
    struct evtchn_send send = {0};

    guest_up();
    CU_ASSERT_EQUAL(op(EVTCHNOP_alloc_unbound, &alloc, sizeof(alloc)), 0);
    CU_ASSERT_TRUE(alloc.port > 0);
    send.port = alloc.port;
    CU_ASSERT_EQUAL(op(EVTCHNOP_send, &send, sizeof(send)), 0);
    alloc.dom = 0;
    CU_ASSERT_EQUAL(op(EVTCHNOP_alloc_unbound, &alloc, sizeof(alloc)), -XEN_EPERM);
    CU_ASSERT_EQUAL(op(EVTCHNOP_status, &status, sizeof(status)), -XEN_EPERM);
    CU_ASSERT_EQUAL(op(EVTCHNOP_reset, &reset, sizeof(reset)), -XEN_EPERM);
    CU_ASSERT_EQUAL(op(EVTCHNOP_bind_pirq, &pirq, sizeof(pirq)), -XEN_EPERM);
    send.port = 0;
    CU_ASSERT_EQUAL(op(EVTCHNOP_send, &send, sizeof(send)), -XEN_EINVAL);
    reset.dom = DOMID_SELF;
    CU_ASSERT_EQUAL(op(EVTCHNOP_reset, &reset, sizeof(reset)), 0);
    CU_ASSERT_EQUAL(g.d->evtchn.active, 0);
    guest_down();
}

/* EV-10 */
static void fifo_is_refused(void)
{
    uint64_t junk[4] = {0};

    guest_up();
    for (uint32_t cmd = EVTCHNOP_init_control; cmd < 40; cmd++)
        CU_ASSERT_EQUAL(op(cmd, junk, sizeof(junk)), -XEN_ENOSYS);
    guest_down();
}

/* EV-2: a port whose number cannot be told to the caller does not stay. */
static void unwritable_result_closes_the_port(void)
{
    struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = 0};
    uint64_t *entry;
    long rc;

    guest_up();
    /* The argument lies in a page table of the guest: readable, not writable. */
    entry = &guest_ptr(&g, g.l1)[400];
    memcpy(entry, &alloc, sizeof(alloc));
    rc = fake_hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
                        guest_va_at(g.l1) + 400 * 8, 0, 0);
    *entry = 0;
    CU_ASSERT_EQUAL(rc, -XEN_EFAULT);
    CU_ASSERT_EQUAL(g.d->evtchn.active, 0);
    guest_down();
}

/* EV-1, EV-5: there is nothing beyond the last page of ports, not even something free. */
static void no_port_beyond_the_last(void)
{
    struct evtchn_status status;
    port_t last;

    three_up();
    last = a->evtchn.valid;
    CU_ASSERT_EQUAL(evtchn_status(a, last - 1, &status), 0);
    for (port_t p = last; p < last + 3; p++) {
        CU_ASSERT_EQUAL(evtchn_status(a, p, &status), -XEN_EINVAL);
        CU_ASSERT_EQUAL(evtchn_send(a, p), -XEN_EINVAL);
        CU_ASSERT_EQUAL(evtchn_close(a, p), -XEN_EINVAL);
        CU_ASSERT_FALSE(evtchn_port_is_valid(a, p));
    }
    three_down();
}

/* EV-11: who sends to a port that is pending already makes no work, for the receiver least of all.
 */
static void a_storm_is_one_event(void)
{
    port_t pa, pb;

    three_up();
    connect(&pa, &pb);
    clear_events(b);
    CU_ASSERT_EQUAL(evtchn_send(a, pa), 0);
    CU_ASSERT_TRUE(upcall(b, 0));
    /* It is in its handler: has taken the upcall, and not come to the port yet. */
    b->vcpus[0]->vcpu_info->evtchn_upcall_pending = 0;
    b->vcpus[0]->vcpu_info->evtchn_pending_sel = 0;
    this_cpu()->softirqs = 0;
    for (unsigned i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(evtchn_send(a, pa), 0);
    CU_ASSERT_FALSE(upcall(b, 0));
    CU_ASSERT_EQUAL(b->vcpus[0]->vcpu_info->evtchn_pending_sel, 0);
    CU_ASSERT_EQUAL(this_cpu()->softirqs, 0);
    clear_events(b);
    CU_ASSERT_EQUAL(evtchn_send(a, pa), 0);
    CU_ASSERT_TRUE(upcall(b, 0));
    three_down();
}

void suite_evtchn(void);
void suite_evtchn(void)
{
    CU_pSuite s = CU_add_suite("evtchn", NULL, NULL);

    CU_add_test(s, "a send reaches the peer and nobody else", send_reaches_the_peer_only);
    CU_add_test(s, "masked ports do not interrupt", masked_ports_do_not_interrupt);
    CU_add_test(s, "EV-6: a third party cannot bind", third_party_cannot_bind);
    CU_add_test(s, "EV-3: close leaves the peer waiting", close_leaves_the_peer_waiting);
    CU_add_test(s, "both ends in one domain", loopback);
    CU_add_test(s, "virtual interrupts", virqs);
    CU_add_test(s, "EV-1, EV-5: no port beyond the last", no_port_beyond_the_last);
    CU_add_test(s, "EV-11: a storm is one event", a_storm_is_one_event);
    CU_add_test(s, "EV-12: global virqs", global_virqs_are_the_control_domains);
    CU_add_test(s, "IPIs", ipis_go_to_their_vcpu);
    CU_add_test(s, "EV-7, EV-8: ports run out", ports_run_out);
    CU_add_test(s, "EV-4: reset is preemptible", reset_is_preemptible);
    CU_add_test(s, "LC-10, EV-2: dying domains gain no port", dying_domains_gain_no_port);
    CU_add_test(s, "hypercalls check rights", hypercalls_check_rights);
    CU_add_test(s, "EV-10: FIFO operations are refused", fifo_is_refused);
    CU_add_test(s, "EV-2: unwritable results", unwritable_result_closes_the_port);
}
