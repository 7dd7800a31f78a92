/* SPDX-License-Identifier: MIT */
/*
 * The image: linked high, loaded at HV_IMAGE_PHYS as one piece. It begins with the ELF and
 * Multiboot headers (x86/boot.S); sections are page aligned because each gets its own rights.
 */
#include "layout.h"

OUTPUT_FORMAT("elf64-x86-64")
ENTRY(start32)

PHDRS
{
    image PT_LOAD FLAGS(7);
}

SECTIONS
{
    . = HV_VIRT_BASE + HV_IMAGE_PHYS;
    image_start = .;
    .text : AT(ADDR(.text) - HV_VIRT_BASE)
    {
        *(.boot.header)
        *(.boot.text)
        *(EXCLUDE_FILE(*entry.S.o) .text EXCLUDE_FILE(*entry.S.o *isolation.S.o) .text.*)
        /* What a guest's tables map under page-table isolation: whole pages of their own. */
        . = ALIGN(4096);
        entry_text_start = .;
        *entry.S.o(.text)
        *(.text.entry)
        . = ALIGN(4096);
        entry_text_end = .;
        . = ALIGN(4096);
    } :image
    image_rodata = .;
    .rodata : AT(ADDR(.rodata) - HV_VIRT_BASE)
    {
        *(.rodata .rodata.*)
        . = ALIGN(16);
        extable_start = .;
        *(.extable)
        extable_end = .;
        spec_sites_start = .;
        *(.spec_sites)
        spec_sites_end = .;
        . = ALIGN(4096);
    } :image
    image_data = .;
    .data : AT(ADDR(.data) - HV_VIRT_BASE)
    {
        *(.data .data.* .data.rel.ro .data.rel.ro.* .got .got.plt)
        . = ALIGN(4096);
    } :image
    image_file_end = .;
    .bss (NOLOAD) : AT(ADDR(.bss) - HV_VIRT_BASE)
    {
        *(.bss.page_aligned)
        *(.bss .bss.* COMMON)
        . = ALIGN(BLOCK_SIZE);
        *(.boot_block)
        . = ALIGN(4096);
    } :image
    image_end = .;
    image_file_size = image_file_end - image_start;
    image_memory_size = image_end - image_start;

    ASSERT((boot_block & (BLOCK_SIZE - 1)) == 0, "the boot block must be aligned to its size")

    /DISCARD/ : { *(.comment) *(.note*) *(.eh_frame*) *(.interp) *(.dynamic) }
}
