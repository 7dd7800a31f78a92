/* SPDX-License-Identifier: MIT */
/* Lab 8, balloon. Copy this file to mine.c and fill it in; README.md has the steps. */
#include "task.h"

/* Step 1. The frames of these pages go back to the hypervisor: how many did. One memory_op. */
unsigned my_give(void *const *pages, unsigned n)
{
    (void)pages, (void)n;
    return 0; /* your code here */
}

/* Step 2. Those of these pages that have no frame get one, as far as there are any: how many did.
 */
unsigned my_take(void *const *pages, unsigned n)
{
    (void)pages, (void)n;
    return 0; /* your code here */
}

/* Step 3. Gives or takes pages of lab_pages, so that the domain comes as near to `target` frames as
 * it can: how many it then has. */
u64 my_balloon(u64 target)
{
    (void)target;
    return 0; /* your code here */
}
