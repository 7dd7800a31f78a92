/* SPDX-License-Identifier: MIT */
/*
 * What the loader told us, in one form for Multiboot 1 and 2. Filled by x86/multiboot.c (or by the
 * fake machine), read by core/main.c and pv/build.c. Strings are copies, NUL-terminated.
 */
#ifndef TENUE_BOOTINFO_H
#define TENUE_BOOTINFO_H

#include <tenue/abi.h>
#include <tenue/frame.h>

#define E820_MAX 128u
#define E820_RAM 1u
#define E820_RESERVED 2u
#define E820_ACPI 3u
#define E820_NVS 4u
#define E820_UNUSABLE 5u

struct e820_region {     /* as guests read it */
    uint64_t addr, size; /* bytes; sorted, not overlapping */
    uint32_t type;
} __attribute__((packed));

#define BOOT_MODULES_MAX 8u
#define BOOT_STRING_MAX 1024u

struct boot_module {
    maddr_t start;              /* of its first byte */
    uint64_t size;              /* bytes */
    char name[64];              /* first word of the module string (the file), may be cut */
    char args[BOOT_STRING_MAX]; /* the rest: the guest's command line */
};

struct boot_info {
    char cmdline[2 * BOOT_STRING_MAX]; /* our options, without our own file name */
    char loader[64];
    struct e820_region e820[E820_MAX]; /* as the firmware gave it, sanitised */
    uint32_t e820_count;
    struct boot_module modules[BOOT_MODULES_MAX];
    uint32_t module_count;
    maddr_t rsdp;                   /* 0: not told (search the legacy area) */
    maddr_t image_start, image_end; /* where we are: not to be given out */
};

extern struct boot_info boot_info;

#endif
