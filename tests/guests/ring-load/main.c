/* SPDX-License-Identifier: MIT */
/*
 * Contract: no test but a load, `workload = "ring"` of tenue lab: it keeps a disk's ring filled and
 * counts the answers, so that what is measured is the ring, its grants and its events, and neither
 * a guest kernel's block layer nor a program above it. Words on its command line:
 *
 *   lab.depth=N    requests under way, 1 to 32
 *   lab.pages=N    of each, 1 to 11; both together at most 256 pages
 *   lab.rw=read, write, randread or randwrite
 *   lab.ms=N       how long; lab.span=MS of each sample
 *
 * It prints, as the lab's other guests do, "lab begin", "sample VALUE MS" (requests a second, and
 * the hypervisor's time at its end, which all guests have alike) and "lab end STATUS". Its driver
 * does with grants what Linux's does: each page is granted for good if the backend maps for good,
 * and for its request else.
 *
 * A failure means: the answers are not what was asked for; the run has no figure then.
 * Sabotage: leave out the grant's end in give_back(): grants run out, "lab end 1".
 */
#include "guest.h"

#include "../../../frontends/core/device.h"

#include <tenue-front/port.h>

#define xen_mb() front_mb()
#define xen_rmb() front_rmb()
#define xen_wmb() front_wmb()
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

GUEST_RUN("vcpus=1");

#define XVDA 51712
#define MAX_DEPTH 32u
#define MAX_PAGES 11u
#define ALL_PAGES 256u
#define LOST_NS 60000000000UL

struct request {
    void *page[MAX_PAGES];
    int ref[MAX_PAGES]; /* -1: not granted now */
    bool busy;
};

static struct {
    struct front_dev dev;
    blkif_front_ring_t ring;
    evtchn_port_t port;
    struct request requests[MAX_DEPTH];
    u64 depth, pages, ms, span;
    u64 sectors, next, seed; /* of the disk; of a sequence; of a random one */
    bool writes, random, persistent;
    u64 done;
} load;

/* ---- the command line ---- */

static const char *word(const char *name)
{
    size_t len = strlen(name);

    for (const char *p = (const char *)front_si->cmd_line; *p; p++) {
        if (!strncmp(p, name, len) && p[len] == '=')
            return p + len + 1;
    }
    return "";
}

static u64 number(const char *name)
{
    const char *p = word(name);
    u64 v = 0;

    while (*p >= '0' && *p <= '9' && v < 1000000)
        v = v * 10 + (u64)(*p++ - '0');
    return v;
}

static const char *read_words(void)
{
    const char *rw = word("lab.rw");

    load.depth = number("lab.depth");
    load.pages = number("lab.pages");
    load.ms = number("lab.ms");
    load.span = number("lab.span");
    load.random = !strncmp(rw, "rand", 4);
    rw += load.random ? 4 : 0;
    load.writes = !strncmp(rw, "write", 5);
    if (!load.writes && strncmp(rw, "read", 4))
        return "lab.rw";
    if (!load.depth || load.depth > MAX_DEPTH)
        return "lab.depth";
    if (!load.pages || load.pages > MAX_PAGES || load.depth * load.pages > ALL_PAGES)
        return "lab.pages";
    if (!load.span || load.ms < load.span)
        return "lab.ms, lab.span";
    return NULL;
}

/* ---- connecting ---- */

static int share_ring(void)
{
    void *page = front_page_alloc();
    int ref, port;

    SHARED_RING_INIT((blkif_sring_t *)page);
    FRONT_RING_INIT(&load.ring, (blkif_sring_t *)page, FRONT_PAGE_SIZE);
    ref = front_grant_access(load.dev.backend_id, front_port_page_mfn(page), false);
    port = ref < 0 ? ref : front_evtchn_alloc(load.dev.backend_id);
    if (port < 0)
        return port;
    load.port = (evtchn_port_t)port;
    front_evtchn_unmask(load.port);
    ref = front_dev_set(&load.dev, "ring-ref", (u64)ref);
    return ref ? ref : front_dev_set(&load.dev, "event-channel", load.port);
}

static int connect(void)
{
    char path[DEV_PATH_MAX + 16];
    int rc = front_dev_find(&load.dev, "vbd", XVDA);

    if (!rc)
        rc = front_dev_begin(&load.dev);
    if (!rc)
        rc = share_ring();
    front_snprintf(path, sizeof(path), "%s/protocol", load.dev.node);
    if (!rc)
        rc = front_xs_write(path, "x86_64-abi");
    if (!rc)
        rc = front_dev_set(&load.dev, "feature-persistent", 1);
    load.persistent = front_dev_flag(load.dev.backend, "feature-persistent");
    if (!rc)
        rc = front_dev_set(&load.dev, "state", XenbusStateInitialised);
    if (!rc)
        rc = front_dev_wait(&load.dev, XenbusStateConnected, XenbusStateConnected);
    if (!rc)
        rc = front_dev_get(load.dev.backend, "sectors", &load.sectors);
    return rc ? rc : front_dev_set(&load.dev, "state", XenbusStateConnected);
}

static void make_requests(void)
{
    for (u64 i = 0; i < load.depth; i++) {
        for (u64 k = 0; k < load.pages; k++) {
            load.requests[i].page[k] = front_page_alloc();
            load.requests[i].ref[k] = -1;
        }
    }
}

/* ---- requests ---- */

/* A place for one, as far from others as the disk allows. */
static u64 place(void)
{
    u64 len = load.pages * 8, places = load.sectors / len;

    load.seed = load.seed * 6364136223846793005UL + 1442695040888963407UL;
    return (load.random ? (load.seed >> 33) % places : load.next++ % places) * len;
}

static bool grant(struct request *r)
{
    for (u64 k = 0; k < load.pages; k++) {
        if (r->ref[k] < 0)
            r->ref[k] = front_grant_access(load.dev.backend_id, front_port_page_mfn(r->page[k]),
                                           load.writes && !load.persistent);
        if (r->ref[k] < 0)
            return false;
    }
    return true;
}

static bool give_back(struct request *r)
{
    for (u64 k = 0; k < load.pages && !load.persistent; k++) {
        if (front_grant_end(r->ref[k]))
            return false;
        r->ref[k] = -1;
    }
    return true;
}

static bool send(u64 id)
{
    blkif_request_t *to = RING_GET_REQUEST(&load.ring, load.ring.req_prod_pvt);

    if (!grant(&load.requests[id]))
        return false;
    to->operation = load.writes ? BLKIF_OP_WRITE : BLKIF_OP_READ;
    to->nr_segments = (u8)load.pages;
    to->handle = (blkif_vdev_t)XVDA;
    to->id = id;
    to->sector_number = place();
    for (u64 k = 0; k < load.pages; k++) {
        to->seg[k].gref = (grant_ref_t)load.requests[id].ref[k];
        to->seg[k].first_sect = 0;
        to->seg[k].last_sect = 7;
    }
    load.ring.req_prod_pvt++;
    load.requests[id].busy = true;
    return true;
}

static bool take(const blkif_response_t *got)
{
    struct request *r;

    if (got->id >= load.depth || !load.requests[got->id].busy || got->status != BLKIF_RSP_OKAY)
        return false;
    r = &load.requests[got->id];
    r->busy = false;
    load.done++;
    return give_back(r);
}

/* Every answer that is there is taken and another request sent in its place. */
static bool turn(void)
{
    RING_IDX prod = READ_ONCE(load.ring.sring->rsp_prod);
    int notify;

    front_rmb();
    if (prod - load.ring.rsp_cons > load.depth)
        return false;
    for (; load.ring.rsp_cons != prod; load.ring.rsp_cons++) {
        blkif_response_t got;

        memcpy(&got, RING_GET_RESPONSE(&load.ring, load.ring.rsp_cons), sizeof(got));
        if (!take(&got) || !send(got.id))
            return false;
    }
    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&load.ring, notify);
    if (notify)
        front_evtchn_send(load.port);
    return true;
}

static bool wait(void)
{
    u64 lost = front_port_now() + LOST_NS;
    int more;

    for (;;) {
        front_irq_disable();
        RING_FINAL_CHECK_FOR_RESPONSES(&load.ring, more);
        if (more || front_port_now() >= lost) {
            front_irq_enable();
            return more;
        }
        front_port_sleep(lost);
    }
}

static bool run(void)
{
    u64 begin, next;

    for (u64 id = 0; id < load.depth; id++) {
        if (!send(id))
            return false;
    }
    begin = front_port_now();
    next = begin + load.span * 1000000;
    while (next <= begin + load.ms * 1000000) {
        u64 now;

        if (!turn() || !wait())
            return false;
        now = front_port_now();
        if (now >= next) {
            /* Of the time that it was, which the last answer's may have made longer. */
            u64 ns = now - (next - load.span * 1000000);

            front_printf("sample %lu %lu\n", load.done * 1000000000 / ns, now / 1000000);
            load.done = 0;
            next = now + load.span * 1000000;
        }
    }
    return true;
}

void guest_test(void)
{
    const char *wrong = read_words();
    int rc;

    if (front_is_initdomain() || wrong) {
        guest_skip("a load: started by tenue lab (%s)", wrong ? wrong : "needs a disk");
        return;
    }
    front_irq_enable();
    rc = connect();
    make_requests();
    front_printf("lab begin\n");
    if (rc)
        front_printf("xvda does not open: %d\n", rc);
    front_printf("lab end %d\n", rc == 0 && load.sectors >= load.pages * 8 && run() ? 0 : 1);
    for (;;) { /* the lab destroys it */
        front_irq_disable();
        front_port_sleep(front_port_now() + LOST_NS);
    }
}
