/* SPDX-License-Identifier: MIT */
/*
 * gntdev.h - map and copy the guest's granted pages.
 *
 * One per backend process, for one guest. Opened while privileged; works after privileges are gone.
 * The unit tests link another implementation of this header over an array of fake pages.
 */
#ifndef BACKENDS_COMMON_GNTDEV_H
#define BACKENDS_COMMON_GNTDEV_H

#include <stdbool.h>
#include <stdint.h>
#include <xengnttab.h>

struct gntdev;

#define GNT_PAGE 4096u

/* 0 or -errno. */
int gntdev_open(struct gntdev **out, unsigned domid);
void gntdev_close(struct gntdev *g);

/* All `count` grants at consecutive addresses, or NULL (errno set) and none. Unmap with the same
 * count. */
void *gntdev_map(struct gntdev *g, unsigned count, uint32_t *refs, bool writable);
void gntdev_unmap(struct gntdev *g, void *addr, unsigned count);

/*
 * Page-aligned memory of our own that copies are quickest with: the kernel need not look up and pin
 * the pages of each copy, as they are named by grants to this domain itself. Ordinary memory where
 * that cannot be had (no xen-gntalloc, or at its limit). Lives as long as the process; *plain, if
 * not NULL, tells. NULL: out of memory. At most GNT_LOCAL_AREAS times.
 */
#define GNT_LOCAL_AREAS 9u
void *gntdev_alloc_local(struct gntdev *g, unsigned pages, bool *plain);
void gntdev_free_local(struct gntdev *g);

/* One piece of one granted page; offset + len <= GNT_PAGE. */
struct gnt_copy {
    void *local;
    uint32_t ref;
    uint16_t offset;
    uint16_t len;
};

#define GNT_COPY_BATCH 128 /* most pieces that one call to the kernel takes */

/*
 * Copy pieces to the guest (or from it). Returns 0 when every piece succeeded, else -errno. `bad`,
 * if not NULL, receives one flag per piece so that a caller with several requests knows whose
 * failed.
 */
int gntdev_copy(struct gntdev *g, bool to_guest, const struct gnt_copy *pieces, unsigned count,
                bool *bad);

#endif
