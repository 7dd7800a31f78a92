/* SPDX-License-Identifier: MIT */
/*
 * Copies to and from a guest's virtual addresses, but for the plain ones (guestmem.h).
 *
 * Guest space is canonical and outside [HV_START, HV_END): the lower half, and the upper half above
 * the hypervisor's slots. The machine-to-physical table inside our range is not a legitimate
 * argument. A range check never reads memory, so an address accepted here may still fault: the
 * copy then reports it (HC-1).
 */
#include <tenue/guestmem.h>

int guest_clear(guest_va dst, uint64_t bytes)
{
    static const uint8_t zeros[256];
    int rc = 0;

    for (uint64_t n; rc == 0 && bytes != 0; bytes -= n, dst = guest_va_add(dst, n)) {
        n = MIN(bytes, sizeof(zeros));
        rc = guest_write(dst, zeros, n);
    }
    return rc;
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
