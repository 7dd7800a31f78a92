/* SPDX-License-Identifier: MIT */
/*
 * hvinfo.h by two sysctls. The argument buffer is locked memory: the hypervisor reads it by virtual
 * address and cannot wait for the kernel to bring a page in.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/sysctl.h>
#include <xen/sys/privcmd.h>

#include "hvinfo.h"

#define DOMAINS_MAX 64

struct buffer {
    struct xen_sysctl op;
    struct xen_domctl_getdomaininfo list[DOMAINS_MAX];
};

static int sysctl_call(int fd, struct xen_sysctl *op)
{
    privcmd_hypercall_t call = {.op = __HYPERVISOR_sysctl, .arg = {(uintptr_t)op}};

    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return ioctl(fd, IOCTL_PRIVCMD_HYPERCALL, &call) < 0 ? -1 : 0;
}

static int ask(int fd, struct buffer *b, struct hvinfo *info)
{
    memset(&b->op, 0, sizeof(b->op));
    b->op.cmd = XEN_SYSCTL_physinfo;
    if (sysctl_call(fd, &b->op))
        return -1;
    info->total_pages = b->op.u.physinfo.total_pages;
    info->free_pages = b->op.u.physinfo.free_pages;

    memset(&b->op, 0, sizeof(b->op));
    b->op.cmd = XEN_SYSCTL_getdomaininfolist;
    b->op.u.getdomaininfolist.max_domains = DOMAINS_MAX;
    set_xen_guest_handle(b->op.u.getdomaininfolist.buffer, b->list);
    if (sysctl_call(fd, &b->op))
        return -1;
    info->domains = b->op.u.getdomaininfolist.num_domains;
    info->domain_pages = 0;
    for (unsigned i = 0; i < info->domains; i++)
        info->domain_pages += b->list[i].tot_pages;
    return 0;
}

int hvinfo_read(struct hvinfo *info)
{
    struct buffer *b;
    int fd, rc;

    fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
    if (b == MAP_FAILED) {
        close(fd);
        return -1;
    }
    rc = ask(fd, b, info);
    munmap(b, sizeof(*b));
    close(fd);
    return rc;
}
