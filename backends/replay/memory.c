/* SPDX-License-Identifier: MIT */
/*
 * memory.c - see memory.h. A page is mapped by mapping it once more, so that both sides' views are
 * one. A port that fired is masked until the backend writes it back; if it was rung meanwhile it
 * fires again then, as real ones do.
 */
#include "memory.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../common/evtchn.h"
#include "../common/gntdev.h"

struct gntdev {
    uint8_t unused;
};

struct evtchn {
    int fd;
};

static int memory = -1;
static uint8_t *pages;
static int events[2] = {-1, -1}; /* the backend's end, the front's: ports that fired, unmasked */
static int bell = -1;            /* rung by the backend */
static bool masked[MEMORY_PORTS + 1], pending[MEMORY_PORTS + 1]; /* the front thread's */

int memory_open(void)
{
    const size_t bytes = (size_t)MEMORY_PAGES * GNT_PAGE;

    memory = memfd_create("pages", MFD_CLOEXEC);
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (memory < 0 || bell < 0 || ftruncate(memory, (off_t)bytes) ||
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, events)) {
        return -errno;
    }
    pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    return pages == MAP_FAILED ? -errno : 0;
}

uint8_t *memory_page(uint32_t ref)
{
    return pages + (size_t)ref * GNT_PAGE;
}

/* Nobody else holds these descriptors, and they have room for more than is ever under way. */
static void must(bool done)
{
    if (!done) {
        abort();
    }
}

void memory_notify(unsigned port)
{
    uint32_t p = port;

    if (masked[port]) {
        pending[port] = true;
        return;
    }
    masked[port] = true;
    must(write(events[1], &p, sizeof(p)) == sizeof(p));
}

static void take_unmasked(void)
{
    uint32_t ports[64];
    ssize_t n = read(events[1], ports, sizeof(ports));

    for (ssize_t i = 0; i < n / (ssize_t)sizeof(ports[0]); i++) {
        uint32_t p = ports[i];

        if (p && p <= MEMORY_PORTS && masked[p]) {
            masked[p] = false;
            if (pending[p]) {
                pending[p] = false;
                memory_notify(p);
            }
        }
    }
}

void memory_wait(uint64_t ns)
{
    const struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    struct pollfd fds[2] = {{.fd = bell, .events = POLLIN}, {.fd = events[1], .events = POLLIN}};
    uint64_t rung;

    if (ppoll(fds, 2, &t, NULL) <= 0) {
        return;
    }
    if (fds[1].revents) {
        take_unmasked();
    }
    if (fds[0].revents) {
        must(read(bell, &rung, sizeof(rung)) == sizeof(rung));
    }
}

/* ---- gntdev.h ---- */

int gntdev_open(struct gntdev **out, unsigned domid)
{
    (void)domid;
    *out = calloc(1, sizeof(**out));
    return *out ? 0 : -ENOMEM;
}

void gntdev_close(struct gntdev *g)
{
    free(g);
}

/* Any memory does; it lives as long as the process. */
void *gntdev_alloc_local(struct gntdev *g, unsigned nr, bool *plain)
{
    void *p = mmap(NULL, (size_t)nr * GNT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);

    (void)g;
    if (plain) {
        *plain = false; /* no copy is slower for it */
    }
    return p == MAP_FAILED ? NULL : p;
}

void gntdev_free_local(struct gntdev *g)
{
    (void)g;
}

void *gntdev_map(struct gntdev *g, unsigned count, uint32_t *refs, bool writable)
{
    const int prot = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    uint8_t *base = mmap(NULL, (size_t)count * GNT_PAGE, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void)g;
    for (unsigned i = 0; base != MAP_FAILED && i < count; i++) {
        if (refs[i] >= MEMORY_PAGES ||
            mmap(base + (size_t)i * GNT_PAGE, GNT_PAGE, prot, MAP_SHARED | MAP_FIXED, memory,
                 (off_t)refs[i] * GNT_PAGE) == MAP_FAILED) {
            munmap(base, (size_t)count * GNT_PAGE);
            base = MAP_FAILED;
        }
    }
    return base == MAP_FAILED ? NULL : base;
}

void gntdev_unmap(struct gntdev *g, void *addr, unsigned count)
{
    (void)g;
    munmap(addr, (size_t)count * GNT_PAGE);
}

int gntdev_copy(struct gntdev *g, bool to_guest, const struct gnt_copy *pieces, unsigned count,
                bool *bad)
{
    int rc = 0;

    (void)g;
    for (unsigned i = 0; i < count; i++) {
        const struct gnt_copy *c = &pieces[i];
        bool ok = c->ref < MEMORY_PAGES && c->offset + c->len <= (int)GNT_PAGE;

        if (ok && to_guest) {
            memcpy(memory_page(c->ref) + c->offset, c->local, c->len);
        } else if (ok) {
            memcpy(c->local, memory_page(c->ref) + c->offset, c->len);
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
    if (*out) {
        (*out)->fd = events[0];
    }
    return *out ? 0 : -ENOMEM;
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
    return remote_port && remote_port <= MEMORY_PORTS ? (int)remote_port : -EINVAL;
}

void evtchn_unbind(struct evtchn *e, int port)
{
    (void)e;
    (void)port;
}

void evtchn_notify(struct evtchn *e, int port)
{
    const uint64_t one = 1;

    (void)e;
    (void)port;
    must(write(bell, &one, sizeof(one)) == sizeof(one));
}

int evtchn_read(struct evtchn *e)
{
    uint32_t p;

    return read(e->fd, &p, sizeof(p)) == sizeof(p) ? (int)p : 0;
}

void evtchn_unmask(struct evtchn *e, int port)
{
    const uint32_t p = (uint32_t)port;

    must(write(e->fd, &p, sizeof(p)) == sizeof(p));
}
