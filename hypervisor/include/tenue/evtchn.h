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

/*
 * All fields: the owning domain's evtchn lock; making or breaking a connection: both domains' locks
 * (EV-3), so either one is enough to rely on a connection.
 */
struct evtchn {
    peeked uint8_t state; /* enum evtchn_state */
    uint8_t pad;
    peeked uint16_t vcpu; /* vcpu notified; delivery may read it without the lock */
    union {
        uint32_t unbound_domid; /* UNBOUND: who may bind */
        port_t remote_port;     /* INTERDOMAIN */
        uint32_t pirq;
        uint32_t virq;
        uint32_t what; /* any of these */
    };
    struct domain *remote; /* INTERDOMAIN: alive while connected */
};
STATIC_ASSERT(evtchn_size, sizeof(struct evtchn) == 16);

#define EVTCHNS_PER_PAGE (PAGE_SIZE / sizeof(struct evtchn))
#define EVTCHN_PAGES ((MAX_EVTCHNS + EVTCHNS_PER_PAGE - 1) / EVTCHNS_PER_PAGE)

struct evtchn_table {
    struct spinlock lock;               /* RANK_EVTCHN; two domains: under connect_lock */
    struct evtchn *pages[EVTCHN_PAGES]; /* only grow (EV-1) */
    uint32_t valid;                     /* [release/acquire] ports below it exist */
    peeked uint32_t active;             /* ports not FREE, against the quota */
    uint32_t max;                       /* [I] quota: highest port number allowed + 1 */
    uint32_t hint;                      /* [lock] no port below it is free */
};

int evtchn_init(struct domain *d) must_check;
void evtchn_free(struct domain *d); /* memory, after the last reference */

/* Raise virq on v (per-vcpu virqs) or on the domain (global virqs). Nothing if not bound. */
void evtchn_send_virq(struct vcpu *v, uint32_t virq);
void evtchn_send_global_virq(struct domain *d, uint32_t virq);
/* Mark d's port pending and tell its vcpu: for pirq.c, which knows the port. */
void evtchn_deliver(struct domain *d, port_t port);
/*
 * One function per operation; d is the domain whose port it is, its caller (or the builder) has
 * the right to it. 0 or -XEN_E*; on error nothing has changed (EV-2).
 */
/* A port of kind state, for vcpu. what: who may connect to an unbound one (bind_interdomain is for
 * connecting), or the number of the physical or virtual interrupt. */
int evtchn_bind(struct domain *d, enum evtchn_state state, uint32_t what, uint32_t vcpu,
                port_t *port) must_check;
int evtchn_bind_interdomain(struct domain *d, struct domain *remote, port_t remote_port,
                            port_t *port) must_check;
int evtchn_bind_vcpu(struct domain *d, port_t port, uint32_t vcpu) must_check;
int evtchn_close(struct domain *d, port_t port) must_check;
int evtchn_send(struct domain *d, port_t port) must_check;
int evtchn_unmask(struct domain *d, port_t port) must_check;
int evtchn_status(struct domain *d, port_t port, struct evtchn_status *status) must_check;
/* Close every port; preemptible: -XEN_ERESTART, and the next call goes on (EV-4). */
int evtchn_reset(struct domain *d) must_check;
/* True when port is pending in d's shared info (poll). Port already range-checked. */
bool evtchn_port_is_pending(struct domain *d, port_t port);
/* The port exists and is not free. */
bool evtchn_port_is_valid(struct domain *d, port_t port);

long hc_event_channel_op(uint32_t cmd, uint64_t arg);
long hc_event_channel_op_compat(uint64_t arg);

#endif
