/* SPDX-License-Identifier: MIT */
/* Lab 3, grants: a solution. */
#include "task.h"

static bool used[LAST_REF + 1];

static int free_ref(void)
{
    for (int ref = FIRST_REF; ref <= LAST_REF; ref++) {
        if (!used[ref])
            return ref;
    }
    return -XEN_ENOSPC;
}

int my_grant(domid_t to, u64 frame, bool readonly)
{
    u16 flags = GTF_permit_access | (readonly ? GTF_readonly : 0);
    int ref = free_ref();

    if (ref < 0)
        return ref;
    used[ref] = true;
    SHARED_WRITE(lab_table[ref].domid, to);
    SHARED_WRITE(lab_table[ref].frame, frame);
    /* The flags make it a grant: whom and what for must be there before. */
    shared_wmb();
    SHARED_WRITE(lab_table[ref].flags, flags);
    shared_wmb();
    return ref;
}

int my_revoke(int ref)
{
    u16 flags = SHARED_READ(lab_table[ref].flags), found;

    for (;;) {
        if (flags & (GTF_reading | GTF_writing))
            return -XEN_EBUSY;
        /* Still as it was looked at? A mapping that began meanwhile has changed it. */
        found = SHARED_CMPXCHG(lab_table[ref].flags, flags, 0);
        if (found == flags)
            break;
        flags = found;
    }
    used[ref] = false;
    return 0;
}

int my_read(domid_t from, grant_ref_t ref, u64 *value)
{
    struct gnttab_map_grant_ref map = {.host_addr = LAB_WINDOW,
                                       .flags = GNTMAP_host_map | GNTMAP_readonly,
                                       .ref = ref,
                                       .dom = from};
    struct gnttab_unmap_grant_ref unmap = {.host_addr = LAB_WINDOW};
    long rc = hc_grant_table_op(GNTTABOP_map_grant_ref, &map, 1);

    /* The call may well go and the mapping not: each element has a status of its own. */
    if (rc || map.status != GNTST_okay)
        return rc ? (int)rc : map.status;
    *value = READ_ONCE(*(u64 *)LAB_WINDOW);
    unmap.handle = map.handle;
    rc = hc_grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
    return rc ? (int)rc : unmap.status;
}
