/* SPDX-License-Identifier: MIT */
/*
 * Contract: an image without one ELF note, only the `__xen_guest` string section, is a guest like
 * any other: VIRT_BASE and the hypercall page (a page number from there) come from the string, the
 * entry point from the ELF header.
 *
 * Invariants: LC-11.
 * A failure means: Mini-OS and what is built on it does not start.
 * Sabotage: say HYPERCALL_PAGE=0x102 in flavour-legacy.S: code is overwritten, the domain dies.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 args=legacy");

void guest_test(void)
{
    check_eq(front_hypercall_by_page(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0, 0),
             4 << 16 | 17);
    check_eq(hc_xen_version(XENVER_version, 0), 4 << 16 | 17);
    check_eq((u64)front_virt_base, 0xffffffff80000000UL);
    check(!strcmp((const char *)front_si->cmd_line, "legacy"), "cmd_line '%s'", front_si->cmd_line);
    check_eq(front_mfn_to_pfn(front_va_to_mfn(front_image_start)),
             front_va_to_pfn(front_image_start));
    check_eq(FAULT("ud2", :), UD());
}
