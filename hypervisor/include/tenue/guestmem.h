/* SPDX-License-Identifier: MIT */
/*
 * The only way core and pv touch memory through a guest's virtual addresses, and the only callers
 * of hal_copy_*, but for lists whose whole range was checked before.
 *
 * A guest_va cannot be dereferenced. Each function checks the whole range first (canonical, no
 * wrap, outside the hypervisor's slots; HC-1), then copies with fault recovery through the page
 * tables that are loaded: the current vcpu's kernel root. Returns 0, or -XEN_EFAULT with part of
 * the range possibly copied. No lock may be held. Never reads the same guest byte twice.
 */
#ifndef TENUE_GUESTMEM_H
#define TENUE_GUESTMEM_H

#include <tenue/abi.h>
#include <tenue/hal.h>

#include "hal_access.h"

typedef struct {
    uint64_t va;
} guest_va;

static inline guest_va guest_va_make(uint64_t va)
{
    return (guest_va){va};
}
static inline guest_va guest_va_add(guest_va g, uint64_t bytes)
{
    return (guest_va){g.va + bytes};
}
static inline bool guest_va_is_null(guest_va g)
{
    return g.va == 0;
}
/* The address inside one of the public headers' guest handles. */
#define guest_va_of(handle) guest_va_make((uint64_t)(handle).p)

#define GUEST_LOW_END 0x0000800000000000ull    /* first non-canonical address */
#define GUEST_HIGH_START 0xffff880000000000ull /* end of L4 slot 271 */

/* True when [va, va + bytes) lies wholly in guest space (either half); also for bytes == 0. */
static inline bool guest_range_ok(guest_va g, uint64_t bytes)
{
    if (g.va >= GUEST_HIGH_START)
        return bytes <= 0 - g.va; /* up to the top of the address space */
    return g.va < GUEST_LOW_END && bytes <= GUEST_LOW_END - g.va;
}
/* The usual case of it, for hot callers: [va, va + bytes) lies wholly in the upper half. */
static inline bool guest_range_high(guest_va g, uint64_t bytes)
{
    return g.va - GUEST_HIGH_START <= 0 - GUEST_HIGH_START - bytes;
}
/* True when a is canonical and not in the hypervisor's range: fit for a handler or stack. */
static inline bool guest_addr_ok(uint64_t a)
{
    return a >= GUEST_HIGH_START || a < GUEST_LOW_END;
}

static inline must_check int guest_read(void *dst, guest_va src, uint64_t bytes)
{
    if (unlikely(!guest_range_ok(src, bytes)))
        return -XEN_EFAULT;
    return unlikely(hal_copy_from_guest(dst, src.va, bytes)) ? -XEN_EFAULT : 0;
}
static inline must_check int guest_write(guest_va dst, const void *src, uint64_t bytes)
{
    if (unlikely(!guest_range_ok(dst, bytes)))
        return -XEN_EFAULT;
    return unlikely(hal_copy_to_guest(dst.va, src, bytes)) ? -XEN_EFAULT : 0;
}
int guest_clear(guest_va dst, uint64_t bytes) must_check;
/* As above for element idx of an array of elements of elem bytes; overflow-checked. */
int guest_read_elem(void *dst, guest_va base, uint64_t idx, uint64_t elem) must_check;
int guest_write_elem(guest_va base, uint64_t idx, const void *src, uint64_t elem) must_check;

/* One word, without a call where it lies in the upper half, as kernels' own data do. */
static inline int must_check guest_load32(uint32_t *v, guest_va g)
{
    if (unlikely(!guest_range_high(g, sizeof(*v))))
        return guest_read(v, g, sizeof(*v));
    return hal_guest_load32(v, g.va) ? 0 : -XEN_EFAULT;
}

/*
 * For hot callers that have a constant size: the compiler turns these into the range check and
 * one call. The object is copied whole into *obj.
 */
#define guest_read_obj(obj, g) guest_read((obj), (g), sizeof(*(obj)))
#define guest_write_obj(g, obj) guest_write((g), (obj), sizeof(*(obj)))

#endif
