/* SPDX-License-Identifier: MIT */
/* Lab 6, block frontend. Copy this file to mine.c and fill it in; README.md has the steps. */
#include "task.h"

/* Step 1. A ring page, granted; a port; both told to the backend; and both sides connected. */
int my_connect(void)
{
    return -XEN_ENOSYS; /* your code here */
}

/* Step 2. BLKIF_OP_READ or BLKIF_OP_WRITE of so many sectors, from or to pages that begin at
 * `data`: 0, or -XEN_EIO when any part of it failed. Nothing is granted any more when it returns.
 */
int my_transfer(unsigned op, u64 sector, u8 *data, unsigned sectors)
{
    (void)op, (void)sector, (void)data, (void)sectors;
    return -XEN_EIO; /* your code here */
}

/* Step 3. Both sides close, and the ring's page is yours alone again. */
int my_close(void)
{
    return -XEN_EBUSY; /* your code here */
}
