/* SPDX-License-Identifier: MIT */
/*
 * Grant table v1, guest side: one frame of 512 entries, of which the first eight stay reserved for
 * the builder (console, store). An entry is published by its flags word last and withdrawn by a
 * compare-and-swap that refuses while the other side still reads or writes the page.
 */
#include <tenue-front/front.h>
#include <tenue-front/port.h>
#include <xen/errno.h>

#define FIRST_REF 8
#define NR_REFS (FRONT_PAGE_SIZE / sizeof(grant_entry_v1_t))

static grant_entry_v1_t *table;
static bool used[NR_REFS];

int front_grant_init(void)
{
    xen_pfn_t frame = 0;
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = 1};
    long rc;

    if (table)
        return 0;
    set_xen_guest_handle(op.frame_list, &frame);
    rc = hc_grant_table_op(GNTTABOP_setup_table, &op, 1);
    if (rc || op.status)
        return rc ? (int)rc : -XEN_EINVAL;
    table = front_port_map(frame);
    return table ? 0 : -XEN_ENOMEM;
}

grant_entry_v1_t *front_grant_entry(int ref)
{
    return &table[ref];
}

int front_grant_access(domid_t to, u64 mfn, bool readonly)
{
    for (int ref = FIRST_REF; ref < (int)NR_REFS; ref++) {
        if (used[ref])
            continue;
        used[ref] = true;
        table[ref].domid = to;
        table[ref].frame = (u32)mfn;
        front_wmb();
        WRITE_ONCE(table[ref].flags, GTF_permit_access | (readonly ? GTF_readonly : 0));
        return ref;
    }
    return -XEN_ENOSPC;
}

int front_grant_end(int ref)
{
    u16 flags = READ_ONCE(table[ref].flags);

    do {
        if (flags & (GTF_reading | GTF_writing))
            return -XEN_EBUSY;
    } while (!__atomic_compare_exchange_n(&table[ref].flags, &flags, 0, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    used[ref] = false;
    return 0;
}
