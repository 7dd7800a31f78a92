/* SPDX-License-Identifier: MIT */
/*
 * The machine-to-physical table: for each frame the owner's own number of it. Guests read it at
 * MACH2PHYS_VIRT_START and say what it holds, so it is guest data: written here, never believed
 * (MM-16).
 */
#ifndef TENUE_M2P_H
#define TENUE_M2P_H

#include <tenue/abi.h>
#include <tenue/frame.h>
#include <tenue/hal.h>

#define M2P_NONE (~0ull)

static inline void m2p_set(mfn_t m, uint64_t pfn)
{
    if (likely(m.n < hal_m2p_entries))
        WRITE_ONCE(hal_m2p[m.n], pfn);
}
/* The frames from m on are pfn, pfn + 1, ... */
static inline void m2p_set_block(mfn_t m, uint64_t pfn, uint64_t frames)
{
    uint64_t *const table = hal_m2p;
    const uint64_t end = MIN(m.n + frames, hal_m2p_entries);

    for (uint64_t i = m.n; i < end; i++)
        WRITE_ONCE(table[i], pfn++);
}
static inline void m2p_clear(mfn_t m)
{
    m2p_set(m, M2P_NONE);
}
static inline uint64_t m2p_get(mfn_t m)
{
    return m.n < hal_m2p_entries ? READ_ONCE(hal_m2p[m.n]) : M2P_NONE;
}

#endif
