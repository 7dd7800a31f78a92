/* SPDX-License-Identifier: MIT */
/*
 * Image layout: loaded at physical 1 MiB, linked at FRONT_VIRT_BASE + 1 MiB, one read-write-execute
 * segment (a PV guest's first page tables are the builder's business, not the ELF header's).
 */
ENTRY(_start)
PHDRS
{
    all PT_LOAD FLAGS(7);
    note PT_NOTE FLAGS(4);
}
SECTIONS
{
    front_virt_base = FRONT_VIRT_BASE;
    . = FRONT_VIRT_BASE + 0x100000;
    front_image_start = .;
    .text : AT(ADDR(.text) - FRONT_VIRT_BASE) {
        *(.text.head)
        . = ALIGN(4096);
        *(.text.hypercall_page)
        *(.text .text.*)
    } :all
    .rodata : AT(ADDR(.rodata) - FRONT_VIRT_BASE) { *(.rodata .rodata.*) } :all
    __xen_guest : AT(ADDR(__xen_guest) - FRONT_VIRT_BASE) { *(__xen_guest) } :all
    .extable : AT(ADDR(.extable) - FRONT_VIRT_BASE) {
        front_extable_start = .;
        *(.front.extable)
        front_extable_end = .;
    } :all
    .note.Xen : AT(ADDR(.note.Xen) - FRONT_VIRT_BASE) { *(.note.Xen) } :all :note
    .data : AT(ADDR(.data) - FRONT_VIRT_BASE) { *(.data .data.*) *(.got .got.*) } :all
    .bss : AT(ADDR(.bss) - FRONT_VIRT_BASE) {
        *(.bss .bss.*) *(COMMON)
        . = ALIGN(4096);
    } :all
    front_image_end = .;
    /DISCARD/ : { *(.comment) *(.eh_frame*) *(.note.gnu*) *(.note.GNU-stack) }
}
