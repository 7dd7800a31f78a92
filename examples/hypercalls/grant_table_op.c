/* SPDX-License-Identifier: MIT */
/* Contract: the operations of grant_table_op, one example each (example.h). Invariants: GT-1. */
#include "example.h"

#define EXAMPLE_NUMBER(name) GNTTABOP_##name

#define WINDOW 0x0000100000000000UL

static void *page, *other;
static int ref;
static grant_handle_t handle;

EXAMPLE(setup_table)
{
    xen_pfn_t frames[1] = {0};
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = 1};

    set_xen_guest_handle(op.frame_list, frames);
    check_eq(hc_grant_table_op(GNTTABOP_setup_table, &op, 1), 0);
    check_eq(op.status, GNTST_okay);
    check(frames[0]);
}

EXAMPLE(query_size)
{
    struct gnttab_query_size op = {.dom = DOMID_SELF};

    check_eq(hc_grant_table_op(GNTTABOP_query_size, &op, 1), 0);
    check_eq(op.status, GNTST_okay);
    check(op.max_nr_frames >= op.nr_frames);
}

EXAMPLE(set_version)
{
    struct gnttab_set_version op = {.version = 1};

    check_eq(hc_grant_table_op(GNTTABOP_set_version, &op, 1), 0);
}

EXAMPLE(get_version)
{
    struct gnttab_get_version op = {.dom = DOMID_SELF};

    check_eq(hc_grant_table_op(GNTTABOP_get_version, &op, 1), 0);
    check_eq(op.version, 1);
}

/* A page granted to ourselves, and an address with a page table. */
static void prepare(void)
{
    page = front_page_alloc();
    other = front_page_alloc();
    check_eq(front_grant_init(), 0);
    ref = front_grant_access(0, front_va_to_mfn(page), false);
    check_eq(front_map(WINDOW, front_va_to_mfn(other), PTE_KERN), 0);
    check_eq(front_map(WINDOW + FRONT_PAGE_SIZE, front_va_to_mfn(other), PTE_KERN), 0);
    check_eq(front_unmap(WINDOW), 0);
}

EXAMPLE(map_grant_ref)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = WINDOW, .flags = GNTMAP_host_map, .ref = (grant_ref_t)ref, .dom = 0};

    check_eq(hc_grant_table_op(GNTTABOP_map_grant_ref, &op, 1), 0);
    check_eq(op.status, GNTST_okay);
    handle = op.handle;
}

EXAMPLE(unmap_grant_ref)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = WINDOW, .handle = handle};

    check_eq(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    check_eq(op.status, GNTST_okay);
}

EXAMPLE(unmap_and_replace)
{
    struct gnttab_unmap_and_replace op = {.host_addr = WINDOW,
                                          .new_addr = WINDOW + FRONT_PAGE_SIZE};

    example_map_grant_ref();
    op.handle = handle;
    check_eq(hc_grant_table_op(GNTTABOP_unmap_and_replace, &op, 1), 0);
    check_eq(op.status, GNTST_okay);
}

EXAMPLE(copy)
{
    struct gnttab_copy op = {
        .source = {.u.ref = (grant_ref_t)ref, .domid = 0, .offset = 0},
        .dest = {.u.gmfn = front_va_to_mfn(other), .domid = DOMID_SELF, .offset = 64},
        .len = 64,
        .flags = GNTCOPY_source_gref,
    };

    *(u64 *)page = 0x60d;
    check_eq(hc_grant_table_op(GNTTABOP_copy, &op, 1), 0);
    check_eq(op.status, GNTST_okay);
    check_eq(((u64 *)other)[8], 0x60d);
}

EXAMPLE(cache_flush)
{
    struct gnttab_cache_flush op = {.a.dev_bus_addr = front_va_to_mfn(page) << FRONT_PAGE_SHIFT,
                                    .length = 64,
                                    .op = GNTTAB_CACHE_CLEAN};

    check_eq(hc_grant_table_op(GNTTABOP_cache_flush, &op, 1), 0);
}

EXAMPLES({"", EXAMPLE_ANY, prepare}, LISTED(setup_table), LISTED(query_size), LISTED(set_version),
         LISTED(get_version), LISTED(map_grant_ref), LISTED(unmap_grant_ref),
         LISTED(unmap_and_replace), LISTED(copy), LISTED(cache_flush));
