/* SPDX-License-Identifier: MIT */
/*
 * Single words of guest memory: the fake machine's answer, by the copies that its tests watch.
 */
#ifndef TENUE_HAL_ACCESS_H
#define TENUE_HAL_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

uint64_t hal_copy_from_guest(void *dst, uint64_t src, uint64_t bytes);
uint64_t hal_copy_to_guest(uint64_t dst, const void *src, uint64_t bytes);

static inline bool hal_guest_load32(uint32_t *v, uint64_t va)
{
    return hal_copy_from_guest(v, va, sizeof(*v)) == 0;
}

static inline bool hal_guest_store64(uint64_t va, uint64_t v)
{
    return hal_copy_to_guest(va, &v, sizeof(v)) == 0;
}

static inline bool hal_guest_load_call(uint64_t w[5], uint64_t va)
{
    uint64_t element[7];

    if (hal_copy_from_guest(element, va, sizeof(element)) != 0)
        return false;
    w[0] = element[0];
    for (unsigned i = 0; i < 4; i++)
        w[1 + i] = element[2 + i];
    return true;
}

#endif
