/* SPDX-License-Identifier: MIT */
/* Lab 7, block backend. Copy this file to mine.c and fill it in; README.md has the steps. */
#include "task.h"

/* Step 1. May it be done? BLKIF_RSP_OKAY, BLKIF_RSP_ERROR, or BLKIF_RSP_EOPNOTSUPP. */
int my_check(const blkif_request_t *req)
{
    (void)req;
    return BLKIF_RSP_EOPNOTSUPP; /* your code here */
}

/* Step 2. Moves the data of a request that may be done, by GNTTABOP_copy: BLKIF_RSP_OKAY or _ERROR.
 * The frontend is domain 0. */
int my_move(const blkif_request_t *req)
{
    (void)req;
    return BLKIF_RSP_ERROR; /* your code here */
}

/* Step 3. An event has come: each request is answered, until there is none and the next one will
 * make an event. How many; -XEN_EINVAL when the ring's indices cannot be. */
int my_serve(blkif_back_ring_t *ring)
{
    (void)ring;
    return 0; /* your code here */
}
