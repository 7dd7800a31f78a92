/* SPDX-License-Identifier: MIT */
/*
 * The reachability table, tried with packets: which cells there are, what was found in each.
 */
#ifndef TENUE_NETVERIFY_H
#define TENUE_NETVERIFY_H

#include "netspec.h"

/* One cell. */
struct netcell {
    enum net_reach should;
    bool right;
    char found[64]; /* "yes", "no", "by forward", or what is wrong with that */
};

struct netrow {
    char network[NET_IFNAME]; /* or the bridge */
    enum net_kind kind;
    bool scratch; /* nobody is on such a network, so one was made for the moment */
    struct netcell cells[NET_PATHS];
};

/*
 * Tries the network of that name, or (NULL) every network there is and one of each kind that there
 * is not. The caller frees *rows.
 */
int netverify(const char *only, struct netrow **rows, size_t *nr, struct diag *d) MUST_CHECK;

#endif
