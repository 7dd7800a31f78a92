/* SPDX-License-Identifier: MIT */
/*
 * Frame numbers and addresses as distinct types: mixing them is a compile error. This is the only
 * place where one is made from an integer or turned into another kind.
 *
 *   mfn_t    machine frame number (what gfn means for a PV guest)    maddr_t  machine byte address
 */
#ifndef TENUE_FRAME_H
#define TENUE_FRAME_H

#include <tenue/abi.h>

typedef struct {
    uint64_t n;
} mfn_t;
typedef struct {
    uint64_t a;
} maddr_t;

#define MFN_NONE ((mfn_t){~0ull})

static inline mfn_t mfn_make(uint64_t n)
{
    return (mfn_t){n};
}
static inline maddr_t maddr_make(uint64_t a)
{
    return (maddr_t){a};
}
static inline mfn_t mfn_add(mfn_t m, uint64_t n)
{
    return (mfn_t){m.n + n};
}
static inline bool mfn_eq(mfn_t a, mfn_t b)
{
    return a.n == b.n;
}
static inline bool mfn_is_none(mfn_t m)
{
    return m.n == ~0ull;
}
static inline maddr_t mfn_to_maddr(mfn_t m)
{
    return (maddr_t){m.n << PAGE_SHIFT};
}
static inline mfn_t maddr_to_mfn(maddr_t a)
{
    return (mfn_t){a.a >> PAGE_SHIFT};
}
static inline unsigned maddr_offset(maddr_t a)
{
    return (unsigned)(a.a & (PAGE_SIZE - 1));
}

/* All RAM is mapped here; set once at bring-up by the metal or the fake machine. */
extern uint8_t *hal_direct_map;

/* Hypervisor pointer to RAM frame m. Only for frames below the frame table's end. */
static inline void *mfn_to_ptr(mfn_t m)
{
    return hal_direct_map + (m.n << PAGE_SHIFT);
}
/* The same for a byte of it. */
static inline void *maddr_to_ptr(maddr_t a)
{
    return hal_direct_map + a.a;
}
/* The frame behind a pointer into the direct map (not one into the image). */
static inline mfn_t ptr_to_mfn(const void *p)
{
    return (mfn_t){(uint64_t)((const uint8_t *)p - hal_direct_map) >> PAGE_SHIFT};
}

#endif
