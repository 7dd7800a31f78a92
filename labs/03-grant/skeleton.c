/* SPDX-License-Identifier: MIT */
/* Lab 3, grants. Copy this file to mine.c and fill it in; README.md has the steps. */
#include "task.h"

/* Step 1. Lets `to` map the frame: the grant's reference, or -XEN_ENOSPC. */
int my_grant(domid_t to, u64 frame, bool readonly)
{
    (void)to, (void)frame, (void)readonly;
    return -XEN_ENOSPC; /* your code here */
}

/* Step 2. Takes it back: 0, or -XEN_EBUSY while the other side has it mapped. */
int my_revoke(int ref)
{
    (void)ref;
    return -XEN_EBUSY; /* your code here */
}

/* Step 3. The other side: maps what `from` granted at LAB_WINDOW, reads the first eight bytes of
 * it, and unmaps it. 0, or a negative number (GNTST_*, -XEN_E*). */
int my_read(domid_t from, grant_ref_t ref, u64 *value)
{
    (void)from, (void)ref;
    *value = 0;
    return GNTST_general_error; /* your code here */
}
