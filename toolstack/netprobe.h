/* SPDX-License-Identifier: MIT */
/*
 * Stand-ins for guests: network namespaces plugged into a bridge as a guest's interface is, and
 * packets sent from one place to another. Namespaces have no name and go with the process, and
 * their interfaces with them.
 *
 * A socket belongs to the namespace it was made in, so one thread serves all of them.
 */
#ifndef TENUE_NETPROBE_H
#define TENUE_NETPROBE_H

#include "netlink.h"

/* A place packets come from and go to: a namespace, or (ns -1) the control domain itself. */
struct netplace {
    int ns;
    struct netlink *nl;        /* of that namespace */
    char near_end[NET_IFNAME]; /* of its cable, here */
    uint8_t mac[6];
    int listener, listener6, datagrams, datagrams6;
    uint16_t port; /* where all of them listen */
};
extern const struct netplace netplace_none;

/* A namespace whose eth0 is the far end of `near`, which stays here. bridge NULL: joins none. */
int netplace_make(struct netplace *p, struct netlink *here, const char *near_end,
                  const char *bridge, struct diag *d) MUST_CHECK;
/* The control domain as a place. */
int netplace_here(struct netplace *p, struct diag *d) MUST_CHECK;
/* Starts to listen; port 0: any that is free. */
int netplace_listen(struct netplace *p, uint16_t port, struct diag *d) MUST_CHECK;
/* Its cable goes at once, not when the kernel gets round to it. */
void netplace_close(struct netplace *p, struct netlink *here);
/* Goes there for good, in a child process. */
int netplace_enter(const struct netplace *p) MUST_CHECK;

/* One thing tried: both a connection and single datagrams. */
struct netprobe {
    const struct netplace *from;
    uint32_t to; /* 0: to6 instead */
    uint8_t to6[16];
    uint16_t port;
    bool wanted;  /* worth waiting for */
    bool both;    /* out: a connection was made and answered by a place */
    bool one_way; /* out: a datagram arrived at a place */
};

/*
 * Sends all of them until the wanted ones have arrived and then three times as long, and for
 * wait_ms at least, so that what should be lost has had time to arrive; for limit_ms at most.
 */
int netprobe_run(struct netprobe *probes, size_t nr, struct netplace *const places[],
                 size_t nr_places, unsigned wait_ms, unsigned limit_ms, struct diag *d) MUST_CHECK;

#endif
