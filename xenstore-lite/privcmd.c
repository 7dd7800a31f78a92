/* SPDX-License-Identifier: MIT */
/*
 * What only the keeper may: hypercalls of the control domain, through libxencall.
 *
 * Owns: its handle, and memory that hypercalls may use.
 */
#include "privcmd.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/domctl.h>
#include <xencall.h>

#include "log.h"

static xencall_handle *call;
static struct xen_domctl *domctl;

int privcmd_domain_info(uint16_t domid, struct hv_domain_info *info)
{
    memset(domctl, 0, sizeof(*domctl));
    domctl->cmd = XEN_DOMCTL_getdomaininfo;
    domctl->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    domctl->domain = domid;
    if (xencall1(call, __HYPERVISOR_domctl, (uint64_t)(uintptr_t)domctl) < 0)
        return -errno;
    /* The operation answers for the next living domain if there is none of that id. */
    if (domctl->domain != domid)
        return -ESRCH;
    info->shutdown = domctl->u.getdomaininfo.flags & XEN_DOMINF_shutdown;
    info->dying = domctl->u.getdomaininfo.flags & XEN_DOMINF_dying;
    memcpy(info->handle, domctl->u.getdomaininfo.handle, sizeof(info->handle));
    return 0;
}

int privcmd_open(void)
{
    if ((call = xencall_open(NULL, 0)) && (domctl = xencall_alloc_buffer(call, sizeof(*domctl))))
        return 0;
    log_line(
        "cannot open %s: %s. Load the module xen-privcmd, or run with --no-rings where there is "
        "no hypervisor",
        call ? "hypercall memory" : "/dev/xen/privcmd", strerror(errno));
    return -ENODEV;
}
