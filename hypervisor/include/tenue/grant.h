/* SPDX-License-Identifier: MIT */
/*
 * Grant tables, version 1 only (GT-9). Mechanism: core/grant.c (shared and active entries, pins),
 * core/grant_map.c (who mapped what); hypercall: core/grant_op.c.
 */
#ifndef TENUE_GRANT_H
#define TENUE_GRANT_H

#include <tenue/abi.h>
#include <tenue/frame.h>
#include <tenue/lock.h>

struct domain;

typedef uint32_t gref_t;
typedef uint32_t ghandle_t;
#define GHANDLE_NONE (~0u)

#define GRANT_FRAMES_DEFAULT 64u   /* when the creator does not say */
#define GRANT_FRAMES_MAX 256u
#define GRANTS_PER_FRAME (PAGE_SIZE / sizeof(grant_entry_v1_t))
#define MAPTRACK_FRAMES_DEFAULT 1024u

struct grant_active; /* private copy of an entry in use */
struct grant_maptrack;

struct grant_table {
    struct spinlock lock;        /* RANK_GRANT; two tables: lower domid first */
    uint32_t frames, max_frames; /* [lock] shared frames now, [I] at most */
    grant_entry_v1_t **shared;   /* [lock to grow] one page each */
    struct grant_active **active;/* [lock to grow] */
    struct grant_maptrack **maptrack; /* [lock] handles this domain holds */
    uint32_t maptrack_frames, maptrack_max, maptrack_free, maptrack_used;
};

int grant_table_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack) must_check;
/* Release every handle the dying domain holds; preemptible. */
int grant_table_release_mappings(struct domain *d) must_check;
void grant_table_free(struct domain *d);
/* Shared frame idx as the guest maps it, growing the table up to it: for XENMEM_acquire_resource. */
int grant_table_frame(struct domain *d, uint32_t idx, mfn_t *mfn) must_check;

long hc_grant_table_op(uint64_t cmd, uint64_t uop, uint64_t count);

#endif
