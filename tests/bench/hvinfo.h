/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor says of its memory, asked through the control domain's privcmd device, so
 * that one program reads both hypervisors to the page.
 */
#ifndef HVINFO_H
#define HVINFO_H

#include <stdint.h>

struct hvinfo {
    uint64_t total_pages;  /* what the hypervisor counts as the machine's memory */
    uint64_t free_pages;   /* what it would give to a new domain */
    uint64_t domain_pages; /* what all domains own, the control domain's included */
    unsigned domains;
};

/* Returns 0, or -1 with errno set: not a control domain, or the call was refused. */
int hvinfo_read(struct hvinfo *info);

#endif
