/* SPDX-License-Identifier: MIT */
/*
 * Event channels: ports of a domain, what they are bound to, and how an event reaches a vcpu.
 *
 * Ports live in pages that are only added, up to `valid`, and freed with the domain (EV-1). So a
 * port below `valid` may be looked at without the lock; only what the lock protects may change.
 *
 * Locks: a table's lock covers its ports. A connection is made and broken under the locks of both
 * domains; one's own lock is therefore enough to send through it: the peer cannot go away. Whoever
 * takes two has connect_lock, under which it is known who is connected to whom, so their order does
 * not matter. Delivery itself takes no table lock: it sets bits in the shared page and wakes.
 * A virtual interrupt is delivered without any: if its port is closed at that moment, the domain
 * gets an event on a port that it just gave up, which it must expect anyway.
 *
 * The shared page is the guest's: bits are set there atomically and never trusted. Limits: 4096
 * ports by the ABI's bitmap, less if the domain's creator said so (EV-7).
 */
#include <tenue/evtchn.h>

#include <tenue/pirq.h>
#include <tenue/vcpu.h>

#include "lib.h"

static struct spinlock connect_lock = SPINLOCK_INIT(RANK_CONNECTIONS);

/* Ports handled between preemption points of a reset; also how many are worth one look. */
#define RESET_BATCH 64u

/* --- the table --- */

static struct evtchn *port_at(const struct domain *d, port_t port)
{
    return &d->evtchn.pages[port / EVTCHNS_PER_PAGE][port % EVTCHNS_PER_PAGE];
}

/* NULL when there is no such port. */
static struct evtchn *port_lookup(const struct domain *d, port_t port)
{
    uint32_t valid = __atomic_load_n(&d->evtchn.valid, __ATOMIC_ACQUIRE);

    if (unlikely(port == 0 || port >= valid))
        return NULL;
    return port_at(d, (port_t)index_nospec(port, MAX_EVTCHNS));
}

static bool is_open(const struct evtchn *e)
{
    return READ_ONCE(e->state) >= EVTCHN_UNBOUND;
}

int evtchn_init(struct domain *d)
{
    struct evtchn_table *t = &d->evtchn;

    spin_lock_init(&t->lock, RANK_EVTCHN);
    t->pages[0] = hv_alloc_page();
    if (!t->pages[0])
        return -XEN_ENOMEM;
    t->pages[0][0].state = EVTCHN_RESERVED;
    t->hint = 1;
    if (t->max == 0 || t->max > MAX_EVTCHNS)
        t->max = MAX_EVTCHNS;
    __atomic_store_n(&t->valid, EVTCHNS_PER_PAGE, __ATOMIC_RELEASE);
    return 0;
}

void evtchn_free(struct domain *d)
{
    for (unsigned i = 0; i < EVTCHN_PAGES; i++)
        hv_free_page(d->evtchn.pages[i]);
}

/* A free port, growing the table if need be; still FREE: the caller sets what it becomes. */
static int port_find_free(struct domain *d, port_t *port)
{
    struct evtchn_table *t = &d->evtchn;
    uint32_t limit = MIN(t->valid, t->max);

    for (port_t p = t->hint; p < limit; p++) {
        if (port_at(d, p)->state == EVTCHN_FREE) {
            t->hint = *port = p;
            return 0;
        }
    }
    t->hint = limit;
    if (t->valid >= t->max)
        return -XEN_ENOSPC;
    t->pages[t->valid / EVTCHNS_PER_PAGE] = hv_alloc_page();
    if (!t->pages[t->valid / EVTCHNS_PER_PAGE])
        return -XEN_ENOMEM;
    *port = t->valid;
    __atomic_store_n(&t->valid, t->valid + EVTCHNS_PER_PAGE, __ATOMIC_RELEASE);
    return 0;
}

/* Turn a free port into one of kind state for `what`, bound to vcpu. Dying domains gain none
 * (LC-10).
 */
static inline __attribute__((always_inline)) int
port_alloc(struct domain *d, enum evtchn_state state, uint32_t what, uint32_t vcpu, port_t *port)
{
    struct evtchn *e;
    int rc;

    if (domain_is_dying(d))
        return -XEN_EINVAL;
    if (!domain_vcpu(d, vcpu))
        return -XEN_ENOENT;
    rc = port_find_free(d, port);
    if (rc)
        return rc;
    e = port_at(d, *port);
    e->vcpu = (uint16_t)vcpu;
    e->state = (uint8_t)state;
    e->what = what;
    d->evtchn.active++;
    d->evtchn.hint = *port + 1;
    return 0;
}

static void port_free(struct domain *d, port_t port, peeked struct evtchn *e)
{
    *e = (struct evtchn){.state = EVTCHN_FREE};
    bit_test_and_clear(d->shared_info->evtchn_pending, port);
    d->evtchn.active--;
    d->evtchn.hint = MIN(d->evtchn.hint, port);
}

/* --- two tables at once --- */

/* connect_lock held. */
static void lock_both(struct domain *a, struct domain *b)
{
    spin_lock(&a->evtchn.lock);
    if (a != b)
        spin_lock_nested(&b->evtchn.lock);
}

static void unlock_both(struct domain *a, struct domain *b)
{
    if (a != b)
        spin_unlock(&b->evtchn.lock);
    spin_unlock(&a->evtchn.lock);
}

/* --- delivery --- */

static void wake_pollers(struct domain *d, port_t port)
{
    uint32_t mask = READ_ONCE(d->poll_mask);

    while (mask) {
        unsigned id = (unsigned)__builtin_ctz(mask);
        struct vcpu *v = d->vcpus[id];

        mask &= mask - 1;
        if (v->poll.nr != 1 || v->poll.ports[0] == port)
            vcpu_poll_end(v);
    }
}

/* The port's pending bit is set: tell the vcpu it is bound to, unless it is masked. */
static void notify(struct domain *d, port_t port, struct vcpu *v)
{
    uint64_t *sel;

    if (bit_test(d->shared_info->evtchn_mask, port))
        return;
    sel = &v->vcpu_info->evtchn_pending_sel;
    if (!bit_test_and_set(sel, port / 64))
        vcpu_mark_event_pending(v);
}

static void set_pending(struct domain *d, port_t port, struct vcpu *v)
{
    if (bit_test_and_set(d->shared_info->evtchn_pending, port))
        return;
    notify(d, port, v);
    if (unlikely(READ_ONCE(d->poll_mask)))
        wake_pollers(d, port);
}

/* The vcpu field always names a vcpu that exists: checked when it was set. */
static struct vcpu *bound_vcpu(const struct domain *d, const struct evtchn *e)
{
    return d->vcpus[READ_ONCE(e->vcpu)];
}

int evtchn_send(struct domain *d, port_t port)
{
    struct evtchn *e = port_lookup(d, port);
    struct domain *rd;
    port_t rport;
    int rc = 0;

    if (unlikely(!e))
        return -XEN_EINVAL;
    spin_lock(&d->evtchn.lock);
    if (likely(e->state == EVTCHN_INTERDOMAIN)) {
        rd = e->remote;
        rport = e->remote_port;
        this_cpu()->sends = true;
        set_pending(rd, rport, bound_vcpu(rd, port_at(rd, rport)));
        this_cpu()->sends = false;
    } else if (e->state == EVTCHN_IPI) {
        set_pending(d, port, bound_vcpu(d, e));
    } else if (e->state != EVTCHN_UNBOUND) { /* to nobody yet: lost, as the ABI says */
        rc = -XEN_EINVAL;
    }
    spin_unlock(&d->evtchn.lock);
    return rc;
}

void evtchn_send_virq(struct vcpu *v, uint32_t virq)
{
    port_t port = READ_ONCE(v->virq_port[virq]);

    if (port)
        set_pending(v->domain, port, v);
}

void evtchn_send_global_virq(struct domain *d, uint32_t virq)
{
    const struct vcpu *v = d->vcpus[0];
    port_t port = v ? READ_ONCE(v->virq_port[virq]) : 0;

    if (port)
        set_pending(d, port, bound_vcpu(d, port_at(d, port)));
}

bool evtchn_port_is_pending(struct domain *d, port_t port)
{
    return bit_test(d->shared_info->evtchn_pending, port);
}

bool evtchn_port_is_valid(struct domain *d, port_t port)
{
    const struct evtchn *e = port_lookup(d, port);

    return e && is_open(e);
}

void evtchn_deliver(struct domain *d, port_t port)
{
    set_pending(d, port, bound_vcpu(d, port_at(d, port)));
}

/* Clear the mask; an event that came meanwhile is delivered now. */
int evtchn_unmask(struct domain *d, port_t port)
{
    struct evtchn *e = port_lookup(d, port);

    if (!e)
        return -XEN_EINVAL;
    spin_lock(&d->evtchn.lock);
    if (bit_test_and_clear(d->shared_info->evtchn_mask, port) && e->state != EVTCHN_FREE &&
        bit_test(d->shared_info->evtchn_pending, port))
        notify(d, port, bound_vcpu(d, e));
    spin_unlock(&d->evtchn.lock);
    return 0;
}

/* --- binding --- */

static bool virq_is_global(uint32_t virq)
{
    return !(virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF ||
             virq == VIRQ_XENPMU);
}

/* Where the port of a virtual interrupt is kept; a global one's on vcpu 0, wherever it was moved.
 */
static port_t *virq_slot(struct domain *d, uint32_t virq, uint32_t vcpu)
{
    return &domain_vcpu(d, virq_is_global(virq) ? 0 : vcpu)
                ->virq_port[index_nospec(virq, NR_VIRQS)];
}

/* Global interrupts are the control domain's, first bound on its vcpu 0 (EV-12). */
static noinline_fn int may_bind(const struct domain *d, enum evtchn_state state, uint32_t what,
                                uint32_t vcpu)
{
    if (state == EVTCHN_PIRQ)
        return pirq_is_valid(d, what) ? 0 : -XEN_EPERM;
    if (what >= NR_VIRQS)
        return -XEN_EINVAL;
    if (virq_is_global(what) && !d->is_control)
        return -XEN_EPERM;
    return virq_is_global(what) && vcpu ? -XEN_EINVAL : 0;
}

/* An interrupt learns of its port. */
static noinline_fn int attach(struct domain *d, enum evtchn_state state, uint32_t what,
                              uint32_t vcpu, port_t port)
{
    if (state == EVTCHN_PIRQ)
        return pirq_bind(d, what, port);
    if (*virq_slot(d, what, vcpu))
        return -XEN_EEXIST;
    WRITE_ONCE(*virq_slot(d, what, vcpu), port);
    return 0;
}

int evtchn_bind(struct domain *d, enum evtchn_state state, uint32_t what, uint32_t vcpu,
                port_t *port)
{
    const bool interrupt = state == EVTCHN_PIRQ || state == EVTCHN_VIRQ;
    int rc = interrupt ? may_bind(d, state, what, vcpu) : 0;

    if (rc)
        return rc;
    spin_lock(&d->evtchn.lock);
    rc = port_alloc(d, state, what, vcpu, port);
    if (rc == 0 && unlikely(interrupt)) {
        rc = attach(d, state, what, vcpu, *port);
        if (rc)
            port_free(d, *port, port_at(d, *port));
    }
    spin_unlock(&d->evtchn.lock);
    return rc;
}

/* Only the domain that the port was reserved for may connect to it (EV-6). */
int evtchn_bind_interdomain(struct domain *d, struct domain *remote, port_t remote_port,
                            port_t *port)
{
    struct evtchn *re = port_lookup(remote, remote_port), *e;
    int rc = -XEN_EINVAL;

    if (!re)
        return rc;
    spin_lock(&connect_lock);
    lock_both(d, remote);
    if (re->state != EVTCHN_UNBOUND || re->unbound_domid != d->domid)
        goto out;
    rc = port_alloc(d, EVTCHN_INTERDOMAIN, remote_port, 0, port);
    if (rc)
        goto out;
    e = port_at(d, *port);
    e->remote = remote;
    re->state = EVTCHN_INTERDOMAIN;
    re->remote = d;
    re->remote_port = *port;
    /* What was sent before the connection existed is lost: let the binder look once. */
    set_pending(d, *port, bound_vcpu(d, e));
out:
    unlock_both(d, remote);
    spin_unlock(&connect_lock);
    return rc;
}

/* Per-vcpu interrupts and IPIs stay where they were bound. */
static bool may_move(const struct evtchn *e)
{
    return e->state == EVTCHN_UNBOUND || e->state == EVTCHN_INTERDOMAIN ||
           e->state == EVTCHN_PIRQ || (e->state == EVTCHN_VIRQ && virq_is_global(e->virq));
}

int evtchn_bind_vcpu(struct domain *d, port_t port, uint32_t vcpu)
{
    struct evtchn *e = port_lookup(d, port);
    bool moved;

    if (!domain_vcpu(d, vcpu))
        return -XEN_ENOENT;
    if (!e)
        return -XEN_EINVAL;
    spin_lock(&d->evtchn.lock);
    moved = may_move(e);
    if (moved)
        WRITE_ONCE(e->vcpu, (uint16_t)vcpu);
    spin_unlock(&d->evtchn.lock);
    return moved ? 0 : -XEN_EINVAL;
}

/* --- unbinding --- */

/* The peer's end goes back to waiting for us. */
static void disconnect(struct domain *d, const struct evtchn *e)
{
    struct evtchn *re = port_at(e->remote, e->remote_port);

    re->state = EVTCHN_UNBOUND;
    re->remote = NULL;
    re->unbound_domid = d->domid;
}

/* What knows of port e of d forgets it. */
static void unbind(struct domain *d, const struct evtchn *e)
{
    if (e->state == EVTCHN_INTERDOMAIN)
        disconnect(d, e);
    else if (e->state == EVTCHN_PIRQ)
        pirq_unbind(e->pirq);
    else if (e->state == EVTCHN_VIRQ)
        WRITE_ONCE(*virq_slot(d, e->virq, e->vcpu), 0);
}

static inline __attribute__((always_inline)) int close_locked(struct domain *d, port_t port,
                                                              struct evtchn *e)
{
    if (!is_open(e))
        return -XEN_EINVAL;
    unbind(d, e);
    port_free(d, port, e);
    return 0;
}

/* A connection ends under the locks of both: as if it had just been found. */
static noinline_fn int close_connected(struct domain *d, port_t port)
{
    struct evtchn *e = port_at(d, port);
    struct domain *peer;
    int rc;

    spin_lock(&connect_lock);
    peer = e->state == EVTCHN_INTERDOMAIN ? e->remote : d;
    lock_both(d, peer);
    rc = close_locked(d, port, e);
    unlock_both(d, peer);
    spin_unlock(&connect_lock);
    return rc;
}

int evtchn_close(struct domain *d, port_t port)
{
    struct evtchn *e = port_lookup(d, port);
    int rc = -XEN_ERESTART;

    if (!e)
        return -XEN_EINVAL;
    spin_lock(&d->evtchn.lock);
    if (e->state != EVTCHN_INTERDOMAIN)
        rc = close_locked(d, port, e);
    spin_unlock(&d->evtchn.lock);
    return rc == -XEN_ERESTART ? close_connected(d, port) : rc;
}

/* The ABI counts kinds as we do, but for the two that it calls closed. */
STATIC_ASSERT(kinds_in_order, EVTCHNSTAT_unbound + EVTCHN_IPI - EVTCHN_UNBOUND == EVTCHNSTAT_ipi);

int evtchn_status(struct domain *d, port_t port, struct evtchn_status *status)
{
    struct evtchn *e = port_lookup(d, port);

    if (!e)
        return -XEN_EINVAL;
    spin_lock(&d->evtchn.lock);
    status->vcpu = e->vcpu;
    status->status = is_open(e) ? EVTCHNSTAT_unbound + (e->state - EVTCHN_UNBOUND)
                                : EVTCHNSTAT_closed;
    if (e->state == EVTCHN_INTERDOMAIN) {
        status->u.interdomain.dom = e->remote->domid;
        status->u.interdomain.port = e->remote_port;
    } else if (e->state == EVTCHN_UNBOUND) {
        status->u.unbound.dom = (domid_t)e->unbound_domid;
    } else if (e->state == EVTCHN_PIRQ || e->state == EVTCHN_VIRQ) {
        status->u.virq = e->virq; /* where a pirq stands, too */
    }
    spin_unlock(&d->evtchn.lock);
    return 0;
}

/* From the top down, so that `active` reaching zero ends it early; each call makes progress. */
int evtchn_reset(struct domain *d)
{
    uint32_t done = 0;

    for (port_t p = 1; READ_ONCE(d->evtchn.active) && p < d->evtchn.valid; p++) {
        if (READ_ONCE(port_at(d, p)->state) != EVTCHN_FREE && evtchn_close(d, p) == 0 &&
            ++done % RESET_BATCH == 0 && hal_preempt_point())
            return -XEN_ERESTART;
    }
    return 0;
}
