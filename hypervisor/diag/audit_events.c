/* SPDX-License-Identifier: MIT */
/* The audit of event channels: what is kept in two places says the same in both (audit.h). */
#include "audit.h"

#include <tenue/log.h>
#include <tenue/pirq.h>

static unsigned violations;

static void port_violation(const struct domain *d, port_t port, const char *what)
{
    violations++;
    log_err("audit: domain %u port %u: %s", d->domid, port, what);
}

static const struct evtchn *port_of(const struct domain *d, port_t port)
{
    if (port == 0 || port >= d->evtchn.valid)
        return NULL;
    return &d->evtchn.pages[port / EVTCHNS_PER_PAGE][port % EVTCHNS_PER_PAGE];
}

static bool is_listed(const struct domain *wanted)
{
    bool found = false;
    struct domain *d;

    for (uint32_t id = 0; !found && (d = domain_next(id)) != NULL; domain_put(d)) {
        id = d->domid + 1u;
        found = d == wanted;
    }
    return found;
}

static void check_peer(const struct domain *d, port_t port, const struct evtchn *e)
{
    const struct evtchn *peer;

    if (!is_listed(e->remote)) {
        port_violation(d, port, "connected to a domain that is gone");
        return;
    }
    peer = port_of(e->remote, e->remote_port);
    if (!peer || peer->state != EVTCHN_INTERDOMAIN || peer->remote != d ||
        peer->remote_port != port)
        port_violation(d, port, "its peer is not connected to it");
}

static void check_virq(const struct domain *d, port_t port, const struct evtchn *e)
{
    for (uint32_t i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i] && e->virq < NR_VIRQS && d->vcpus[i]->virq_port[e->virq] == port)
            return;
    port_violation(d, port, "virtual interrupt that no vcpu has bound");
}

static void check_port(const struct domain *d, port_t port, const struct evtchn *e)
{
    if (e->vcpu >= d->max_vcpus || !d->vcpus[e->vcpu])
        port_violation(d, port, "bound to a vcpu that does not exist");
    switch ((enum evtchn_state)e->state) {
    case EVTCHN_INTERDOMAIN:
        check_peer(d, port, e);
        break;
    case EVTCHN_VIRQ:
        check_virq(d, port, e);
        break;
    case EVTCHN_PIRQ:
        if (!pirq_is_valid(d, e->pirq) || pirq_port(e->pirq) != port)
            port_violation(d, port, "physical interrupt that goes elsewhere");
        break;
    case EVTCHN_UNBOUND:
    case EVTCHN_IPI:
        break;
    case EVTCHN_FREE:
    case EVTCHN_RESERVED:
        port_violation(d, port, "in no state");
    }
}

static void check_ports(const struct domain *d)
{
    uint32_t active = 0;

    for (port_t port = 1; port < d->evtchn.valid; port++) {
        const struct evtchn *e = port_of(d, port);

        if (e->state != EVTCHN_FREE) {
            active++;
            check_port(d, port, e);
        } else if (e->remote || port < d->evtchn.hint) {
            port_violation(d, port, "free, and not known as free");
        }
    }
    if (active != d->evtchn.active)
        port_violation(d, 0, "active ports are miscounted");
}

/* The other direction: what names a port. */
static void check_users(const struct domain *d)
{
    for (uint32_t i = 0; i < d->max_vcpus; i++)
        for (uint32_t virq = 0; d->vcpus[i] && virq < NR_VIRQS; virq++) {
            const port_t port = d->vcpus[i]->virq_port[virq];
            const struct evtchn *e = port_of(d, port);

            if (port && (!e || e->state != EVTCHN_VIRQ || e->virq != virq))
                port_violation(d, port, "a vcpu takes it for its virtual interrupt");
        }
    for (uint32_t pirq = 0; pirq < MAX_PIRQS; pirq++) {
        const port_t port = pirq_is_valid(d, pirq) ? pirq_port(pirq) : 0;
        const struct evtchn *e = port_of(d, port);

        if (port && (!e || e->state != EVTCHN_PIRQ || e->pirq != pirq))
            port_violation(d, port, "a physical interrupt goes to it");
    }
}

unsigned evtchn_audit(void)
{
    struct domain *d;

    violations = 0;
    for_each_domain (d) {
        check_ports(d);
        check_users(d);
    }
    return violations;
}
