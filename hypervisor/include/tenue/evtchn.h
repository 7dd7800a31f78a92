/* SPDX-License-Identifier: MIT */
/*
 * Event channels, 2-level ABI: ports, bindings, pending bits. Mechanism in core/evtchn.c, the
 * hypercall in core/evtchn_op.c. Errors as the public event_channel.h names them.
 */
#ifndef TENUE_EVTCHN_H
#define TENUE_EVTCHN_H

#include <tenue/abi.h>
#include <tenue/lock.h>

struct domain;
struct vcpu;

typedef uint32_t port_t; /* 1..MAX_EVTCHNS-1; 0 is never a port */

enum evtchn_state {
    EVTCHN_FREE,
    EVTCHN_RESERVED,
    EVTCHN_UNBOUND,
    EVTCHN_INTERDOMAIN,
    EVTCHN_PIRQ,
    EVTCHN_VIRQ,
    EVTCHN_IPI,
};

/* All fields: the owning domain's evtchn lock; those of a connected pair: both (EV-3). */
struct evtchn {
    uint8_t state;         /* enum evtchn_state */
    uint8_t pad;
    uint16_t vcpu;         /* vcpu notified */
    union {
        uint16_t unbound_domid;                               /* who may bind */
        struct { struct domain *remote; port_t remote_port; };/* INTERDOMAIN */
        uint32_t pirq;
        uint32_t virq;
    };
};

#define EVTCHNS_PER_PAGE (PAGE_SIZE / sizeof(struct evtchn))
#define EVTCHN_PAGES ((MAX_EVTCHNS + EVTCHNS_PER_PAGE - 1) / EVTCHNS_PER_PAGE)

struct evtchn_table {
    struct spinlock lock;               /* RANK_EVTCHN; two domains: lower domid first */
    struct evtchn *pages[EVTCHN_PAGES]; /* only grow (EV-1) */
    uint32_t valid;                     /* [release/acquire] ports below it exist */
    uint32_t active;                    /* ports not FREE, against the quota */
    uint32_t max;                       /* [I] quota: highest port number allowed + 1 */
};

int evtchn_init(struct domain *d) must_check;
/* Close every port; preemptible: -XEN_ERESTART until done (EV-4). */
int evtchn_destroy(struct domain *d) must_check;
void evtchn_free(struct domain *d); /* memory, after the last reference */

/* Raise virq on v (per-vcpu virqs) or on the domain (global virqs). Nothing if not bound. */
void evtchn_send_virq(struct vcpu *v, uint32_t virq);
void evtchn_send_global_virq(struct domain *d, uint32_t virq);
/* Pirq line asserted: mark its port pending. Returns false when none is bound. */
bool evtchn_send_pirq(struct domain *d, uint32_t pirq);
/* On behalf of the builder/toolstack. */
int evtchn_alloc_unbound(struct domain *d, uint16_t remote, port_t *port) must_check;
/* True when port is pending in d's shared info (poll). Port already range-checked. */
bool evtchn_port_is_pending(struct domain *d, port_t port);
/* The port exists and is not free. */
bool evtchn_port_is_valid(struct domain *d, port_t port);

long hc_event_channel_op(uint64_t cmd, uint64_t arg);
long hc_event_channel_op_compat(uint64_t arg);

#endif
