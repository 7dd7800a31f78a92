/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor through Xen's stable libraries and the control domain's device nodes.
 *
 * Owns: the handles of libxenevtchn and libxengnttab.
 * Invariants: pages that come from here are shared with a guest (ring.c treats them so).
 * Leaves to others: policy, what takes more rights (keeper.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/sys/xenbus_dev.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "hv.h"
#include "keeper.h"
#include "log.h"

#define PAGE_BYTES 4096u

enum { MAPPED_GRANT, MAPPED_OWN };

static xenevtchn_handle *evtchn;
static xengnttab_handle *gnttab;

static int xen_map_ring(uint16_t domid, struct hv_ring_page *ring)
{
    ring->how = MAPPED_GRANT;
    ring->page =
        xengnttab_map_grant_ref(gnttab, domid, GNTTAB_RESERVED_XENSTORE, PROT_READ | PROT_WRITE);
    return ring->page ? 0 : errno ? -errno : -EINVAL;
}

static void xen_unmap_ring(struct hv_ring_page *ring)
{
    if (ring->how == MAPPED_GRANT)
        xengnttab_unmap(gnttab, ring->page, 1);
    else
        munmap(ring->page, PAGE_BYTES);
}

static int xen_bind(uint16_t domid, uint32_t remote_port)
{
    int port = xenevtchn_bind_interdomain(evtchn, domid ? domid : DOMID_SELF, remote_port);

    return port < 0 ? -errno : port;
}

static void xen_unbind(uint32_t port)
{
    xenevtchn_unbind(evtchn, port);
}

static void xen_notify(uint32_t port)
{
    xenevtchn_notify(evtchn, port);
}

static int map_own(int fd, struct hv_ring_page *ring)
{
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (page == MAP_FAILED)
        return -errno;
    ring->page = page;
    ring->how = MAPPED_OWN;
    return 0;
}

static int own_ring_by_device(struct hv_ring_page *ring, uint32_t *remote_port)
{
    int fd = open("/dev/xen/xenbus_backend", O_RDWR | O_CLOEXEC);
    int port, rc;

    if (fd < 0)
        return -errno;
    port = ioctl(fd, IOCTL_XENBUS_BACKEND_EVTCHN);
    rc = port < 0 ? -errno : map_own(fd, ring);
    close(fd);
    *remote_port = (uint32_t)port;
    return rc;
}

/* The older interface, in the xenfs file system. */
static int own_ring_by_xenfs(struct hv_ring_page *ring, uint32_t *remote_port)
{
    FILE *file = fopen("/proc/xen/xsd_port", "re");
    int fd, rc;

    if (!file)
        return -errno;
    rc = fscanf(file, "%u", remote_port) == 1 ? 0 : -EIO;
    fclose(file);
    if (rc)
        return rc;
    fd = open("/proc/xen/xsd_kva", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    rc = map_own(fd, ring);
    close(fd);
    return rc;
}

static int xen_own_ring(struct hv_ring_page *ring, uint32_t *remote_port)
{
    return own_ring_by_device(ring, remote_port) ? own_ring_by_xenfs(ring, remote_port) : 0;
}

static int xen_bind_death(void)
{
    int port = xenevtchn_bind_virq(evtchn, VIRQ_DOM_EXC);

    return port < 0 ? -errno : port;
}

static int xen_event_fd(void)
{
    return xenevtchn_fd(evtchn);
}

/*
 * The library hands out one port for each system call; the device it wraps hands out as many as
 * have fired, and takes them back the same way.
 */
static int xen_fired(uint32_t *ports, int max)
{
    ssize_t n = read(xenevtchn_fd(evtchn), ports, (size_t)max * sizeof(*ports));

    return n < 0 ? 0 : (int)((size_t)n / sizeof(*ports));
}

static void xen_unmask(const uint32_t *ports, int count)
{
    size_t bytes = (size_t)count * sizeof(*ports);

    if (count && write(xenevtchn_fd(evtchn), ports, bytes) != (ssize_t)bytes)
        log_line("cannot open event channels again: %s", strerror(errno));
}

static void say_missing(const char *what)
{
    log_line(
        "cannot open %s: %s. Load the modules xen-evtchn and xen-gntdev, or run with --no-rings "
        "where there is no hypervisor",
        what, strerror(errno));
}

const struct hv *hv_xen_open(void)
{
    static const struct hv xen = {
        .rings = true,
        .domain_info = keeper_domain_info,
        .map_ring = xen_map_ring,
        .unmap_ring = xen_unmap_ring,
        .bind = xen_bind,
        .unbind = xen_unbind,
        .notify = xen_notify,
        .own_ring = xen_own_ring,
        .bind_death = xen_bind_death,
        .event_fd = xen_event_fd,
        .fired = xen_fired,
        .unmask = xen_unmask,
    };
    const char *missing = NULL;

    if (!(evtchn = xenevtchn_open(NULL, 0)))
        missing = "/dev/xen/evtchn";
    else if (!(gnttab = xengnttab_open(NULL, 0)))
        missing = "/dev/xen/gntdev";
    if (missing)
        say_missing(missing);
    return missing ? NULL : &xen;
}
