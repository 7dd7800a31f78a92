/* SPDX-License-Identifier: MIT */
/*
 * What the soak needs in the control domain and no shell can do:
 *
 *   soak-tool domains COUNT [DOMID]   makes and destroys empty domains (a vcpu, four frames, a
 * port), one after another, under the next ids or always under DOMID; says the last id soak-tool
 * store SECONDS           reads a node of the store as xenstore-read does, ten times a second, and
 * prints the microseconds each answer took, one a line
 *
 * Exit status 1 when anything is refused, or the store's answer is not what was written.
 */
#define __XEN_TOOLS__ 1
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/memory.h>
#include <xencall.h>
#include <xenstore.h>

#define FRAMES 4
#define PROBE "/tool/soak"
#define PERIOD_US 100000

/* ---- domains ---- */

static xencall_handle *call;
static union {
    struct xen_domctl domctl;
    struct {
        struct xen_memory_reservation op;
        xen_pfn_t list[FRAMES];
    } memory;
    struct evtchn_alloc_unbound port;
} * buffer;

static int domctl(uint32_t cmd, domid_t domid)
{
    buffer->domctl.cmd = cmd;
    buffer->domctl.domain = domid;
    buffer->domctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    return xencall1(call, __HYPERVISOR_domctl, (uintptr_t)buffer);
}

static void clear(void)
{
    memset(buffer, 0, sizeof(*buffer));
}

/* Ids of domains that live are skipped by the hypervisor; a DOMID that is taken is an error. */
static int create(domid_t *domid)
{
    int rc;

    clear();
    buffer->domctl.u.createdomain.max_vcpus = 1;
    buffer->domctl.u.createdomain.max_evtchn_port = 1023;
    buffer->domctl.u.createdomain.max_grant_frames = -1;
    buffer->domctl.u.createdomain.grant_opts = XEN_DOMCTL_GRANT_version(1);
    rc = domctl(XEN_DOMCTL_createdomain, *domid);
    *domid = buffer->domctl.domain;
    return rc;
}

static int furnish(domid_t domid)
{
    clear();
    buffer->domctl.u.max_vcpus.max = 1;
    if (domctl(XEN_DOMCTL_max_vcpus, domid))
        return -1;
    clear();
    buffer->domctl.u.max_mem.max_memkb = FRAMES * 4;
    if (domctl(XEN_DOMCTL_max_mem, domid))
        return -1;
    clear();
    buffer->memory.op.nr_extents = FRAMES;
    buffer->memory.op.domid = domid;
    set_xen_guest_handle(buffer->memory.op.extent_start, buffer->memory.list);
    for (xen_pfn_t i = 0; i < FRAMES; i++)
        buffer->memory.list[i] = i;
    if (xencall2(call, __HYPERVISOR_memory_op, XENMEM_populate_physmap, (uintptr_t)buffer) !=
        FRAMES)
        return -1;
    clear();
    buffer->port.dom = domid;
    return xencall2(call, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, (uintptr_t)buffer);
}

static int destroy(domid_t domid)
{
    int rc;

    do {
        clear();
        rc = domctl(XEN_DOMCTL_destroydomain, domid);
    } while (rc && (errno == EAGAIN || errno == EINTR));
    return rc;
}

static int domains(unsigned long count, domid_t wanted)
{
    domid_t domid = 0;

    call = xencall_open(NULL, 0);
    buffer = call ? xencall_alloc_buffer(call, sizeof(*buffer)) : NULL;
    if (!buffer) {
        perror("soak-tool: privcmd");
        return 1;
    }
    for (unsigned long i = 0; i < count; i++) {
        bool bad;

        domid = wanted;
        if (create(&domid)) {
            perror("soak-tool: createdomain");
            return 1;
        }
        bad = furnish(domid) != 0;
        if (bad)
            perror("soak-tool: furnishing");
        if (destroy(domid)) {
            perror("soak-tool: destroydomain");
            return 1;
        }
        if (bad)
            return 1;
    }
    printf("%u\n", domid);
    return 0;
}

/* ---- the store ---- */

static long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

/* A connection of its own for each, as the command line tool has. */
static bool answered(const char *want)
{
    struct xs_handle *xs = xs_open(0);
    unsigned len = 0;
    char *got = xs ? xs_read(xs, XBT_NULL, PROBE, &len) : NULL;
    bool right = got && len == strlen(want) && memcmp(got, want, len) == 0;

    if (!right)
        fprintf(stderr, "soak-tool: %s reads '%.*s', not '%s'\n", PROBE, (int)len, got ? got : "",
                want);
    free(got);
    if (xs)
        xs_close(xs);
    return right;
}

static int store(long seconds)
{
    long end = now_us() + seconds * 1000000L;
    char value[32];
    struct xs_handle *xs = xs_open(0);

    snprintf(value, sizeof(value), "%ld", end);
    if (!xs || !xs_write(xs, XBT_NULL, PROBE, value, (unsigned)strlen(value))) {
        perror("soak-tool: " PROBE);
        return 1;
    }
    while (now_us() < end) {
        long begin = now_us();

        if (!answered(value))
            return 1;
        printf("%ld\n", now_us() - begin);
        fflush(stdout);
        usleep(PERIOD_US);
    }
    xs_rm(xs, XBT_NULL, PROBE);
    xs_close(xs);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && !strcmp(argv[1], "domains"))
        return domains(strtoul(argv[2], NULL, 10), argc > 3 ? (domid_t)atoi(argv[3]) : 0);
    if (argc == 3 && !strcmp(argv[1], "store"))
        return store(atol(argv[2]));
    fprintf(stderr, "usage: soak-tool domains COUNT [DOMID] | soak-tool store SECONDS\n");
    return 2;
}
