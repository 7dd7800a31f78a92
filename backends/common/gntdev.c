/* SPDX-License-Identifier: MIT */
/*
 * gntdev.c - grant mapping and copying through libxengnttab.
 *
 * Owns the /dev/xen/gntdev handle. The kernel cannot restrict that handle to one domain (see
 * SECURITY); this file is the one place that puts the guest's domid into a request.
 */
#include "gntdev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct gntdev {
    xengnttab_handle *handle;
    unsigned domid;
};

int gntdev_open(struct gntdev **out, unsigned domid)
{
    struct gntdev *g = calloc(1, sizeof(*g));

    if (!g) {
        return -ENOMEM;
    }
    g->domid = domid;
    g->handle = xengnttab_open(NULL, 0);
    if (!g->handle) {
        int err = errno;

        free(g);
        return -err;
    }
    *out = g;
    return 0;
}

void gntdev_close(struct gntdev *g)
{
    if (g) {
        xengnttab_close(g->handle);
        free(g);
    }
}

void *gntdev_map(struct gntdev *g, unsigned count, uint32_t *refs, bool writable)
{
    int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;

    return xengnttab_map_domain_grant_refs(g->handle, count, g->domid, refs, prot);
}

void gntdev_unmap(struct gntdev *g, void *addr, unsigned count)
{
    xengnttab_unmap(g->handle, addr, count);
}

static void fill_segment(const struct gntdev *g, bool to_guest, const struct gnt_copy *c,
                         xengnttab_grant_copy_segment_t *seg)
{
    union xengnttab_copy_ptr *foreign = to_guest ? &seg->dest : &seg->source;
    union xengnttab_copy_ptr *local = to_guest ? &seg->source : &seg->dest;

    memset(seg, 0, sizeof(*seg));
    foreign->foreign.ref = c->ref;
    foreign->foreign.offset = c->offset;
    foreign->foreign.domid = (uint16_t)g->domid;
    local->virt = c->local;
    seg->len = c->len;
    seg->flags = to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
}

static int copy_batch(struct gntdev *g, bool to_guest, const struct gnt_copy *pieces,
                      unsigned count, bool *bad)
{
    xengnttab_grant_copy_segment_t segs[GNT_COPY_BATCH];
    int rc = 0;

    for (unsigned i = 0; i < count; i++) {
        fill_segment(g, to_guest, &pieces[i], &segs[i]);
    }
    if (xengnttab_grant_copy(g->handle, count, segs)) {
        rc = -errno;
        for (unsigned i = 0; bad && i < count; i++) {
            bad[i] = true;
        }
        return rc;
    }
    for (unsigned i = 0; i < count; i++) {
        bool failed = segs[i].status != GNTST_okay;

        if (failed) {
            rc = -EFAULT;
        }
        if (bad) {
            bad[i] = failed;
        }
    }
    return rc;
}

int gntdev_copy(struct gntdev *g, bool to_guest, const struct gnt_copy *pieces, unsigned count,
                bool *bad)
{
    int first = 0;

    for (unsigned done = 0; done < count; done += GNT_COPY_BATCH) {
        unsigned n = count - done < GNT_COPY_BATCH ? count - done : GNT_COPY_BATCH;
        int rc = copy_batch(g, to_guest, pieces + done, n, bad ? bad + done : NULL);

        if (rc && !first) {
            first = rc;
        }
    }
    return first;
}
