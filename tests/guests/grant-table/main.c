/* SPDX-License-Identifier: MIT */
/*
 * Contract: the table itself. setup_table grows it to the frames asked for, up to the limit
 * query_size tells, and returns frames that the guest may map; version 1 is what there is;
 * a table is another domain's business only with privilege; unknown operations are -ENOSYS.
 *
 * Invariants: GT-8, GT-9, GT-14, HC-8, MM-12.
 * A failure means: frontends cannot share anything, or see what the frames held before.
 * Sabotage: ask setup_table for 0 frames in grow(): the frame number stays zero.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static xen_pfn_t frames[64];

static s16 setup(domid_t dom, u32 nr, long *rc)
{
    struct gnttab_setup_table op = {.dom = dom, .nr_frames = nr, .status = 99};

    set_xen_guest_handle(op.frame_list, frames);
    *rc = hc_grant_table_op(GNTTABOP_setup_table, &op, 1);
    return op.status;
}

static struct gnttab_query_size query(domid_t dom)
{
    struct gnttab_query_size op = {.dom = dom};

    op.status = 99;
    check_eq(hc_grant_table_op(GNTTABOP_query_size, &op, 1), 0);
    return op;
}

static void grow(void)
{
    struct gnttab_query_size size = query(DOMID_SELF);
    u64 *entry;
    long rc;

    check_eq(size.status, GNTST_okay);
    check(size.max_nr_frames >= 4 && size.max_nr_frames <= 4096, "max %u", size.max_nr_frames);
    check_eq(setup(DOMID_SELF, 4, &rc), GNTST_okay);
    check_eq(rc, 0);
    for (unsigned i = 0; i < 4; i++) {
        u64 va = 0x0000100000000000UL + i * 4096;

        check(frames[i] != 0, "frame %u is not given", i);
        check_eq(front_map(va, frames[i], PTE_KERN), 0);
        for (entry = (u64 *)va; entry < (u64 *)(va + 4096); entry++) {
            if (!check(*entry == 0, "frame %u is not zero at %lx", i, (u64)entry))
                break;
        }
        check_eq(front_try_write((void *)(va + 8 * 20), 0), FAULT_NONE);
    }
    check(query(DOMID_SELF).nr_frames >= 4, "%u frames", query(DOMID_SELF).nr_frames);
    check(setup(DOMID_SELF, size.max_nr_frames + 1, &rc) < 0 || rc < 0, "beyond the limit");
    check(setup(DOMID_SELF, ~0U, &rc) < 0 || rc < 0, "all ones");
    check(setup(77, 1, &rc) == GNTST_bad_domain && !rc, "another domain");
    check_eq(query(77).status, GNTST_bad_domain);
    check_eq(query(0).status, GNTST_okay); /* by number: it is ourselves */
}

static void version(void)
{
    gnttab_get_version_t get = {.dom = DOMID_SELF};
    gnttab_set_version_t set = {.version = 1};

    check_eq(hc_grant_table_op(GNTTABOP_get_version, &get, 1), 0);
    check_eq(get.version, 1);
    check_eq(hc_grant_table_op(GNTTABOP_set_version, &set, 1), 0);
    check_eq(set.version, 1);
    set.version = 3;
    check(hc_grant_table_op(GNTTABOP_set_version, &set, 1) < 0, "version 3");
    if (guest_on_xen())
        return; /* Xen has version 2; we decline it */
    set.version = 2;
    check_eq(hc_grant_table_op(GNTTABOP_set_version, &set, 1), -XEN_ENOSYS);
    check_eq(hc_grant_table_op(GNTTABOP_get_version, &get, 1), 0);
    check_eq(get.version, 1);
}

static void refusals(void)
{
    u8 junk[64] = {0};

    check_eq(hc_grant_table_op(99, junk, 1), -XEN_ENOSYS);
    check_eq(hc_grant_table_op(99, junk, 0), -XEN_ENOSYS);
    check(hc_grant_table_op(GNTTABOP_setup_table, junk, 2) < 0, "two setups in one call");
    check_eq(hc_grant_table_op(GNTTABOP_query_size, 0x8000000000000000UL, 1), -XEN_EFAULT);
    check_eq(hc_grant_table_op(GNTTABOP_setup_table, 0x8000000000000000UL, 1), -XEN_EFAULT);
    check(hc_grant_table_op(GNTTABOP_copy, junk, ~0U) < 0, "2^32 - 1 copies");
}

void guest_test(void)
{
    grow();
    version();
    refusals();
}
