/* SPDX-License-Identifier: MIT */
/*
 * The table of limits.
 *
 * Owns: names, defaults and present values.  The defaults are those that xenstored users know;
 *   output and depth are ours.
 * Leaves to others: the counting (domains.c, transaction.c) and the refusing (ops.c).
 */
#include "quota.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "journal.h"
#include "wire.h"

struct quota quota_table[QUOTA_COUNT] = {
    [QUOTA_NODES] = {"nodes", "nodes owned by a domain", 1000},
    [QUOTA_NODE_SIZE] = {"node-size", "bytes of a node's value", 2048},
    [QUOTA_NODE_PERMISSIONS] = {"node-permissions", "permission entries of a node", 5},
    [QUOTA_PATH_MAX] = {"path-max", "bytes of an absolute path", XENSTORE_ABS_PATH_MAX},
    [QUOTA_DEPTH] = {"depth", "components of a path", 128},
    [QUOTA_WATCHES] = {"watches", "watches of a domain", 128},
    [QUOTA_TRANSACTIONS] = {"transactions", "open transactions of a domain", 10},
    [QUOTA_TRANSACTION_NODES] = {"transaction-nodes", "nodes touched by a transaction", 1024},
    [QUOTA_MEMORY] = {"memory", "bytes of a domain's nodes, watches and transactions", 2621440},
    [QUOTA_OUTPUT] = {"output", "bytes of events waiting for a domain that does not read", 65536},
};

void quota_note(enum quota_id id)
{
    const struct journal_quota note = {.id = id, .limit = quota_table[id].limit};

    journal_put(JOURNAL_QUOTA, &note, sizeof(note), NULL, 0, NULL, 0);
}

int quota_set(const char *name, const char *value)
{
    uint64_t limit;

    for (int i = 0; i < QUOTA_COUNT; i++) {
        if (strcmp(quota_table[i].name, name))
            continue;
        if (wire_parse_number(value, INT32_MAX, &limit))
            return -EINVAL;
        quota_table[i].limit = (unsigned long)limit;
        quota_note((enum quota_id)i);
        return 0;
    }
    return -EINVAL;
}

int quota_set_pair(const char *pair)
{
    const char *equals = strchr(pair, '=');
    char name[64];

    if (!equals || (size_t)(equals - pair) >= sizeof(name))
        return -EINVAL;
    memcpy(name, pair, (size_t)(equals - pair));
    name[equals - pair] = '\0';
    return quota_set(name, equals + 1);
}
