/* SPDX-License-Identifier: MIT */
/* clang-format off */
/* The ELF notes of one flavour; included by flavour-high.S and flavour-low.S only. */
#define __ASSEMBLY__
#include <xen/xen.h>
#include <xen/elfnote.h>

    .macro NOTE type, body:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long   4, 8f - 7f, \type
    .asciz  "Xen"
7:  \body
8:  .balign 4
    .popsection
    .endm

    NOTE XEN_ELFNOTE_GUEST_OS, .asciz "tenue-front"
    NOTE XEN_ELFNOTE_GUEST_VERSION, .asciz "1"
    NOTE XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
    NOTE XEN_ELFNOTE_LOADER, .asciz "generic"
    NOTE XEN_ELFNOTE_VIRT_BASE, .quad FRONT_FLAVOUR_VIRT_BASE
    NOTE XEN_ELFNOTE_PADDR_OFFSET, .quad 0
    NOTE XEN_ELFNOTE_ENTRY, .quad _start
    NOTE XEN_ELFNOTE_FEATURES, .asciz "!writable_page_tables|pae_pgdir_above_4gb"
    NOTE XEN_ELFNOTE_PAE_MODE, .asciz "yes"
    NOTE XEN_ELFNOTE_SUSPEND_CANCEL, .long 1
#if FRONT_FLAVOUR_PAGE
    NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .quad front_hypercall_page

    .section .text.hypercall_page, "ax"
    .balign 4096
    .globl  front_hypercall_page
front_hypercall_page:
    .fill   4096, 1, 0xc3
#endif

    .section .note.GNU-stack, "", @progbits
