/* SPDX-License-Identifier: MIT */
/*
 * xen.c - the fake hypervisor of the backends' hosted tests; see xen.h. Grants live in one memfd,
 * so that a "mapping" is a second mapping of the same page.
 */
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../../backends/common/evtchn.h"
#include "../../../backends/common/gntdev.h"
#include "../../../backends/common/log.h"

struct gntdev {
    unsigned domid;
};

struct evtchn {
    int fd;
};

static int memory = -1;
static uint8_t *guest; /* all pages, the guest's view */
static bool granted[FAKE_PAGES], writable[FAKE_PAGES];
static unsigned mapped, bound, notified;
static void (*on_notify)(int port);
static int fail_after = -1;
static int events[2] = {-1, -1}; /* backend's end, guest's end */
static char last_log[512];

/* Backends find their devices at fixed low descriptors: nothing else may be given those numbers. */
static void occupy_low_descriptors(void)
{
    int null = open("/dev/null", O_RDWR);

    for (int fd = 3; fd < 16; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            dup2(null, fd);
        }
    }
    if (null >= 16) {
        close(null);
    }
}

void fake_reset(void)
{
    occupy_low_descriptors();
    if (memory < 0) {
        memory = memfd_create("guest", 0);
        if (memory < 0 || ftruncate(memory, FAKE_PAGES * 4096l)) {
            abort();
        }
        guest = mmap(NULL, FAKE_PAGES * 4096ul, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    }
    memset(guest, 0, FAKE_PAGES * 4096ul);
    for (unsigned i = 0; i < FAKE_PAGES; i++) {
        granted[i] = writable[i] = true;
    }
    mapped = bound = notified = 0;
    on_notify = NULL;
    fail_after = -1;
    last_log[0] = 0;
    if (events[0] >= 0) {
        close(events[0]);
        close(events[1]);
    }
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, events)) {
        abort();
    }
}

uint8_t *fake_page(uint32_t ref)
{
    return guest + ref * 4096ul;
}

void fake_grant(uint32_t ref, bool is_granted, bool is_writable)
{
    granted[ref] = is_granted;
    writable[ref] = is_writable;
}

unsigned fake_mapped(void)
{
    return mapped;
}

unsigned fake_bound(void)
{
    return bound;
}

unsigned fake_notified(void)
{
    return notified;
}

void fake_on_notify(void (*act)(int port))
{
    on_notify = act;
}

void fake_fail_map_after(int n)
{
    fail_after = n;
}

const char *fake_last_log(void)
{
    return last_log;
}

void fake_kick(int port)
{
    uint32_t p = (uint32_t)port;

    /* A port that has fired, and was not looked at, cannot fire again. */
    if (write(events[1], &p, sizeof(p)) != sizeof(p) && errno != EAGAIN) {
        abort();
    }
}

uint32_t fake_unmasked(void)
{
    uint32_t p = 0;

    return read(events[1], &p, sizeof(p)) == sizeof(p) ? p : 0;
}

static long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

bool fake_storm_is_slowed(int port, long ms)
{
    long begin = now_us(), past;
    unsigned answered = 0;

    fake_kick(port);
    do {
        if (fake_unmasked()) {
            answered++;
            fake_kick(port);
        }
        past = now_us() - begin;
        /* Of a host that gives the other thread nothing meanwhile, more is waited for. */
    } while (past < ms * 1000 || (answered <= 32 && past < 30 * 1000000));
    if (answered <= 32 || answered > 34 + past / 1000) {
        printf("    %u notifications answered in %ld us\n", answered, past);
    }
    return answered > 32 && answered <= 34 + past / 1000;
}

/* ---- gntdev.h ---- */

int gntdev_open(struct gntdev **out, unsigned domid)
{
    *out = calloc(1, sizeof(**out));
    if (!*out) {
        return -ENOMEM;
    }
    (*out)->domid = domid;
    return 0;
}

void gntdev_close(struct gntdev *g)
{
    free(g);
}

/* Any memory does here. */
static void *areas[GNT_LOCAL_AREAS];
static size_t area_bytes[GNT_LOCAL_AREAS];
static unsigned nr_areas;

void *gntdev_alloc_local(struct gntdev *g, unsigned pages, bool *plain)
{
    void *p;

    (void)g;
    if (nr_areas == GNT_LOCAL_AREAS) {
        return NULL;
    }
    p = mmap(NULL, pages * 4096ul, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (plain) {
        *plain = true;
    }
    area_bytes[nr_areas] = pages * 4096ul;
    areas[nr_areas++] = p;
    return p;
}

void gntdev_free_local(struct gntdev *g)
{
    (void)g;
    while (nr_areas) {
        nr_areas--;
        munmap(areas[nr_areas], area_bytes[nr_areas]);
    }
}

static bool may_access(uint32_t ref, bool write_access)
{
    return ref < FAKE_PAGES && granted[ref] && (writable[ref] || !write_access);
}

void *gntdev_map(struct gntdev *g, unsigned count, uint32_t *refs, bool write_access)
{
    uint8_t *base;

    (void)g;
    if (fail_after == 0) {
        errno = ENOMEM;
        return NULL;
    }
    fail_after -= fail_after > 0;
    for (unsigned i = 0; i < count; i++) {
        if (!may_access(refs[i], write_access)) {
            errno = EINVAL;
            return NULL;
        }
    }
    base = mmap(NULL, count * 4096ul, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned i = 0; i < count; i++) {
        mmap(base + i * 4096ul, 4096, write_access ? PROT_READ | PROT_WRITE : PROT_READ,
             MAP_SHARED | MAP_FIXED, memory, refs[i] * 4096l);
    }
    mapped += count;
    return base;
}

void gntdev_unmap(struct gntdev *g, void *addr, unsigned count)
{
    (void)g;
    munmap(addr, count * 4096ul);
    mapped -= count;
}

int gntdev_copy(struct gntdev *g, bool to_guest, const struct gnt_copy *pieces, unsigned count,
                bool *bad)
{
    int rc = 0;

    (void)g;
    for (unsigned i = 0; i < count; i++) {
        const struct gnt_copy *c = &pieces[i];
        bool ok = may_access(c->ref, to_guest) && c->offset + c->len <= 4096u;

        if (ok && to_guest) {
            memcpy(fake_page(c->ref) + c->offset, c->local, c->len);
        } else if (ok) {
            memcpy(c->local, fake_page(c->ref) + c->offset, c->len);
        } else {
            rc = -EFAULT;
        }
        if (bad) {
            bad[i] = !ok;
        }
    }
    return rc;
}

/* ---- evtchn.h ---- */

int evtchn_open(struct evtchn **out, unsigned domid)
{
    (void)domid;
    *out = calloc(1, sizeof(**out));
    if (!*out) {
        return -ENOMEM;
    }
    (*out)->fd = events[0];
    return 0;
}

void evtchn_close(struct evtchn *e)
{
    free(e);
}

int evtchn_fd(const struct evtchn *e)
{
    return e->fd;
}

int evtchn_bind(struct evtchn *e, uint32_t remote_port)
{
    (void)e;
    return remote_port == 0 ? -EINVAL : (int)(FAKE_PORT + bound++);
}

void evtchn_unbind(struct evtchn *e, int port)
{
    (void)e;
    (void)port;
    bound--;
}

void evtchn_notify(struct evtchn *e, int port)
{
    (void)e;
    notified++;
    if (on_notify) {
        on_notify(port);
    }
}

int evtchn_read(struct evtchn *e)
{
    uint32_t p;

    return read(e->fd, &p, sizeof(p)) == sizeof(p) ? (int)p : 0;
}

void evtchn_unmask(struct evtchn *e, int port)
{
    uint32_t p = (uint32_t)port;

    if (write(e->fd, &p, sizeof(p)) != sizeof(p)) {
        abort();
    }
}

/* ---- log.h ---- */

void log_line(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(last_log, sizeof(last_log), fmt, ap);
    va_end(ap);
}
