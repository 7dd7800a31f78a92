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

/* Pages of ours, and what each is called in a copy. */
struct local_area {
    uint8_t *start;
    size_t bytes;
    uint32_t *refs; /* NULL: ordinary memory */
};

struct gntdev {
    xengnttab_handle *handle;
    xengntshr_handle *share; /* NULL: not opened, or not to be had */
    unsigned domid;
    unsigned nr_areas;
    struct local_area area[GNT_LOCAL_AREAS];
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
        gntdev_free_local(g);
        xengnttab_close(g->handle);
        free(g);
    }
}

#define OWN_DOMID 0 /* backends run in the control domain */

static void *share_pages(struct gntdev *g, unsigned pages, uint32_t *refs)
{
    if (!g->share) {
        g->share = xengntshr_open(NULL, 0);
    }
    return g->share ? xengntshr_share_pages(g->share, OWN_DOMID, (int)pages, refs, 1) : NULL;
}

void *gntdev_alloc_local(struct gntdev *g, unsigned pages, bool *plain)
{
    struct local_area *a = &g->area[g->nr_areas];
    void *p;

    if (g->nr_areas == GNT_LOCAL_AREAS) {
        return NULL;
    }
    a->bytes = pages * (size_t)GNT_PAGE;
    a->refs = calloc(pages, sizeof(*a->refs));
    a->start = a->refs ? share_pages(g, pages, a->refs) : NULL;
    if (!a->start) {
        free(a->refs);
        a->refs = NULL;
        p = mmap(NULL, a->bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        a->start = p == MAP_FAILED ? NULL : p;
    }
    if (plain) {
        *plain = !a->refs;
    }
    g->nr_areas += a->start != NULL;
    return a->start;
}

void gntdev_free_local(struct gntdev *g)
{
    while (g->nr_areas) {
        struct local_area *a = &g->area[--g->nr_areas];

        if (a->refs) {
            xengntshr_unshare(g->share, a->start, (uint32_t)(a->bytes / GNT_PAGE));
        } else {
            munmap(a->start, a->bytes);
        }
        free(a->refs);
    }
    if (g->share) {
        xengntshr_close(g->share);
        g->share = NULL;
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

/* By its grant, if it is within one page of an area that has them. */
static bool name_local(const struct gntdev *g, const struct gnt_copy *c,
                       union xengnttab_copy_ptr *local)
{
    for (unsigned i = 0; i < g->nr_areas; i++) {
        const struct local_area *a = &g->area[i];
        size_t at = (size_t)((uint8_t *)c->local - a->start);

        if (a->refs && at < a->bytes && at % GNT_PAGE + c->len <= GNT_PAGE) {
            local->foreign.ref = a->refs[at / GNT_PAGE];
            local->foreign.offset = (uint16_t)(at % GNT_PAGE);
            local->foreign.domid = OWN_DOMID;
            return true;
        }
    }
    return false;
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
    seg->len = c->len;
    seg->flags = to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
    if (name_local(g, c, local)) {
        seg->flags = GNTCOPY_dest_gref | GNTCOPY_source_gref;
    } else {
        local->virt = c->local;
    }
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
