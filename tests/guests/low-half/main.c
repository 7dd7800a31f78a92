/* SPDX-License-Identifier: MIT */
/*
 * Contract: a kernel in the lower half. With VIRT_BASE 0 the initial map starts at page 0, which
 * is ordinary memory and may be unmapped at once; there is no hypercall page; the rest of start of
 * day is as ever. Such a kernel may pin a whole new root and unpin the builder's.
 *
 * Invariants: MM-17, LC-11, SPEC-9.
 * A failure means: unikernels and boot loaders that live at low addresses do not start.
 * Sabotage: link it at the high base (FRONT_VIRT_BASE_low in frontends/rules.mk): not built.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

void guest_test(void)
{
    static u64 root[512] FRONT_PAGE_ALIGNED;
    const u64 *old = (u64 *)front_si->pt_base;
    u64 value = 0, *zero = NULL, *marker = front_page_alloc();

    check_eq((u64)front_virt_base, 0);
    check((u64)front_image_start < 1UL << 32);
    __asm__("" : "+r"(zero));
    check_eq(front_try_read(zero, &value), FAULT_NONE);
    check_eq(front_try_write(zero, 0x1010), FAULT_NONE);
    check_eq(front_mfn_to_pfn(front_p2m[0]), 0);
    check_eq(hc_update_va_mapping(0, 0, UVMF_INVLPG), 0);
    check_eq(front_try_read(zero, NULL), PF(0));
    memcpy(root, old, sizeof(root));
    for (unsigned s = 256; s < 272; s++)
        root[s] = 0;
    check_eq(front_page_ro(root), 0);
    check_eq(front_mmuext1(MMUEXT_PIN_L4_TABLE, front_va_to_mfn(root)), 0);
    check_eq(front_mmuext1(MMUEXT_NEW_BASEPTR, front_va_to_mfn(root)), 0);
    check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(old)), 0);
    check_eq(front_page_rw((void *)front_si->pt_base), 0);
    check_eq(front_try_write(marker, 1), FAULT_NONE);
    check_eq(front_mmuext1(MMUEXT_NEW_USER_BASEPTR, front_va_to_mfn(root)), 0);
}
