/* SPDX-License-Identifier: MIT */
/*
 * A PV kernel image: an ELF64 file with Xen notes, or with the legacy __xen_guest section. Pure
 * functions over a buffer that nobody else writes; all arithmetic on file values is checked
 * (LC-11).
 */
#ifndef TENUE_PV_ELF_H
#define TENUE_PV_ELF_H

#include <tenue/abi.h>

#define PV_SEGMENTS_MAX 16u
#define PV_ADDR_UNSET (~0ull)

struct pv_segment {
    uint64_t offset, filesz; /* bytes in the file */
    uint64_t start, memsz;   /* guest-physical bytes from the start of the domain */
};

struct pv_image {
    const uint8_t *file;
    uint64_t size;
    uint64_t virt_base;                          /* VA of guest pfn 0 */
    uint64_t entry;                              /* VA */
    uint64_t hypercall_page;                     /* VA, PV_ADDR_UNSET when none */
    uint64_t init_p2m;                           /* VA, PV_ADDR_UNSET: after the kernel */
    bool mod_start_pfn;                          /* the ramdisk need not be mapped */
    uint64_t end;                                /* guest-physical end of the image, bytes */
    struct pv_segment segments[PV_SEGMENTS_MAX]; /* none overlaps another */
    unsigned segment_count;
    const char *field; /* of a refused image: the value that is wrong, NULL when it is none */
    uint64_t value;
};

/*
 * Parse and check. NULL, or what is wrong and what to do, for the console: about the file, or about
 * img->field when that is set. What was accepted lies, for each address alone, in guest space; if
 * all that is put there fits is known when it is laid out.
 */
const char *pv_image_parse(struct pv_image *img, const void *file, uint64_t size) must_check;
/* Refuse for a value of the file's: sets field and value, returns why. */
const char *pv_image_refuse(struct pv_image *img, const char *field, uint64_t value,
                            const char *why);

#endif
