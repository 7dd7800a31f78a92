/* SPDX-License-Identifier: MIT */
/*
 * Copies to and from a guest's virtual addresses (guestmem.h): the only caller of hal_copy_*.
 *
 * Guest space is canonical and outside [HV_START, HV_END): the lower half, and the upper half above
 * the hypervisor's slots. The machine-to-physical table inside our range is not a legitimate
 * argument. A range check never reads memory, so an address accepted here may still fault: the
 * copy then reports it (HC-1).
 */
#include <tenue/guestmem.h>
#include <tenue/hal.h>

#define LOW_END 0x0000800000000000ull    /* first non-canonical address */
#define HIGH_START 0xffff880000000000ull /* end of L4 slot 271 */

bool guest_range_ok(guest_va g, uint64_t bytes)
{
    if (g.va < LOW_END)
        return bytes <= LOW_END - g.va;
    if (g.va >= HIGH_START)
        return bytes <= 0 - g.va; /* up to the top of the address space */
    return false;
}

bool guest_addr_ok(uint64_t a)
{
    return a < LOW_END || a >= HIGH_START;
}

int guest_read(void *dst, guest_va src, uint64_t bytes)
{
    if (unlikely(!guest_range_ok(src, bytes)))
        return -XEN_EFAULT;
    return hal_copy_from_guest(dst, src.va, bytes) ? -XEN_EFAULT : 0;
}

int guest_write(guest_va dst, const void *src, uint64_t bytes)
{
    if (unlikely(!guest_range_ok(dst, bytes)))
        return -XEN_EFAULT;
    return hal_copy_to_guest(dst.va, src, bytes) ? -XEN_EFAULT : 0;
}

int guest_clear(guest_va dst, uint64_t bytes)
{
    if (unlikely(!guest_range_ok(dst, bytes)))
        return -XEN_EFAULT;
    return hal_clear_guest(dst.va, bytes) ? -XEN_EFAULT : 0;
}

/* Address of element idx, or false when that leaves the address space. */
static bool elem_va(guest_va base, uint64_t idx, uint64_t elem, guest_va *out)
{
    uint64_t offset;

    return !__builtin_mul_overflow(idx, elem, &offset) &&
           !__builtin_add_overflow(base.va, offset, &out->va);
}

int guest_read_elem(void *dst, guest_va base, uint64_t idx, uint64_t elem)
{
    guest_va at;

    if (!elem_va(base, idx, elem, &at))
        return -XEN_EFAULT;
    return guest_read(dst, at, elem);
}

int guest_write_elem(guest_va base, uint64_t idx, const void *src, uint64_t elem)
{
    guest_va at;

    if (!elem_va(base, idx, elem, &at))
        return -XEN_EFAULT;
    return guest_write(at, src, elem);
}
