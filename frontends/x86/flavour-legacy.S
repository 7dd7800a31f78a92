/* SPDX-License-Identifier: MIT */
/*
 * Flavour `legacy`: no ELF notes, only the older `__xen_guest` string section. HYPERCALL_PAGE is a
 * page number counted from VIRT_BASE; guest.lds puts the page first in the image, at 1 MiB.
 */
    .section __xen_guest, "a"
    .ascii  "GUEST_OS=tenue-front,GUEST_VER=1,XEN_VER=xen-3.0"
    .ascii  ",VIRT_BASE=0xffffffff80000000,ELF_PADDR_OFFSET=0x0"
    .ascii  ",HYPERCALL_PAGE=0x101,PAE=yes[extended-cr3],LOADER=generic"
    .byte   0

    .section .text.hypercall_page, "ax"
    .balign 4096
    .globl  front_hypercall_page
front_hypercall_page:
    .fill   4096, 1, 0xc3

    .section .note.GNU-stack, "", @progbits
