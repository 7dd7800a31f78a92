/* SPDX-License-Identifier: MIT */
/*
 * No hypervisor: the store as an ordinary program (--no-rings, tests).
 *
 * Every domain id exists for ever and nobody has a ring.
 */
#include <errno.h>
#include <stddef.h>

#include "hv.h"

static int none_domain_info(uint16_t domid, struct hv_domain_info *info)
{
    (void)domid;
    *info = (struct hv_domain_info){0};
    return 0;
}

static int none_bind_death(void)
{
    return -ENOSYS;
}

static int none_event_fd(void)
{
    return -1;
}

const struct hv *hv_none(void)
{
    static const struct hv none = {
        .rings = false,
        .domain_info = none_domain_info,
        .bind_death = none_bind_death,
        .event_fd = none_event_fd,
    };

    return &none;
}
