/* SPDX-License-Identifier: MIT */
/*
 * Limits that hold for each unprivileged domain.  The control domain is not limited: it is the
 * machine's owner, and a limit there would only turn its mistakes into a broken machine.
 */
#ifndef XSL_QUOTA_H
#define XSL_QUOTA_H

#include <stddef.h>
#include <stdio.h>

enum quota_id {
    QUOTA_NODES,             /* nodes owned */
    QUOTA_NODE_SIZE,         /* bytes of a value */
    QUOTA_NODE_PERMISSIONS,  /* entries in a permission list */
    QUOTA_PATH_MAX,          /* bytes of an absolute path */
    QUOTA_DEPTH,             /* components of a path */
    QUOTA_WATCHES,           /* watches registered */
    QUOTA_TRANSACTIONS,      /* transactions open at once */
    QUOTA_TRANSACTION_NODES, /* nodes one transaction may touch */
    QUOTA_MEMORY,            /* bytes of nodes, watches and transactions together */
    QUOTA_OUTPUT,            /* bytes of events that wait for a slow reader */
    QUOTA_COUNT
};

struct quota {
    const char *name;
    const char *help;
    unsigned long limit;
};

extern struct quota quota_table[QUOTA_COUNT];

static inline unsigned long quota_limit(enum quota_id id)
{
    return quota_table[id].limit;
}

/* Sets one limit by name: 0, or -EINVAL for an unknown name or a bad number. */
int quota_set(const char *name, const char *value);

/* Notes the limit in the journal. */
void quota_note(enum quota_id id);

/* The same from "NAME=N". */
int quota_set_pair(const char *pair);

#endif
