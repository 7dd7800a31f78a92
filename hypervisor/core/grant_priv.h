/* SPDX-License-Identifier: MIT */
/*
 * Shared by grant.c (entries), grant_pin.h (pins), grant_map.c (handles) and grant_op.c (the
 * hypercall). Status codes are the public header's GNTST_* (0 or negative); they live in an int
 * here.
 */
#ifndef TENUE_GRANT_PRIV_H
#define TENUE_GRANT_PRIV_H

#include <tenue/abi.h>
#include <tenue/domain.h>
#include <tenue/frame.h>
#include <tenue/grant.h>

#define MAPTRACK_INDEX_ORDER 3u

/* An entry of somebody's table in use, by a mapping or a copy. */
struct grant_use {
    struct domain *granter; /* counted */
    gref_t ref;
    bool readonly;
    uint16_t parts;          /* of an unmapped handle: GNTMAP_host_map, GNTMAP_device_map */
    grant_entry_v1_t *entry; /* grant_find(): these stay where they are */
    struct grant_active *active;
    mfn_t frame; /* while pinned: nothing changes it */
};

/* --- grant.c --- */
int grant_table_grow(struct domain *d, uint32_t frames) must_check; /* 0 or -XEN_E* */

/* --- grant_map.c --- */
int grant_map_ref(struct domain *mapper, struct gnttab_map_grant_ref *op) must_check;
/* host_addr/handle as GNTTABOP_unmap_grant_ref; replace_va as unmap_and_replace, else 0. u: a
 * mapping taken out of the tables whose references wait for the TLB flush. */
int grant_unmap_begin(struct domain *mapper, uint64_t host_addr, uint64_t dev_bus_addr,
                      ghandle_t handle, uint64_t replace_va, struct grant_use *u) must_check;
/* After the flush: references, pins and the granter's count go. */
void grant_unmap_finish(const struct grant_use *u);

#endif
