/* SPDX-License-Identifier: MIT */
/* See control.h. */
#include "control.h"

#include <tenue/vcpu.h>

/* Longer maps are the caller's mistake; it bounds the clearing below. */
#define MAP_BITS_MAX 8192u

STATIC_ASSERT(mask_holds_all_cpus, MAX_CPUS <= 8 * sizeof(cpumask_t));

cpumask_t cpumask_online(void)
{
    return ~(cpumask_t)0 >> (8 * sizeof(cpumask_t) - cpu_count);
}

int cpumask_read(cpumask_t *mask, const struct xenctl_bitmap *map)
{
    uint32_t bits = MIN(map->nr_bits, MAX_CPUS);

    *mask = 0;
    if (bits == 0)
        return 0;
    if (guest_read(mask, guest_va_of(map->bitmap), (bits + 7) / 8))
        return -XEN_EFAULT;
    *mask &= ~(cpumask_t)0 >> (8 * sizeof(cpumask_t) - bits);
    return 0;
}

int cpumask_write(const struct xenctl_bitmap *map, cpumask_t mask)
{
    uint64_t bytes = (map->nr_bits + 7ull) / 8, ours = MIN(bytes, sizeof(mask));

    if (map->nr_bits > MAP_BITS_MAX)
        return -XEN_EINVAL;
    if (guest_write(guest_va_of(map->bitmap), &mask, ours))
        return -XEN_EFAULT;
    return guest_clear(guest_va_add(guest_va_of(map->bitmap), ours), bytes - ours);
}
