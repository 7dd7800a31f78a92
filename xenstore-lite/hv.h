/* SPDX-License-Identifier: MIT */
/*
 * All that the store asks of a hypervisor.  xen.c answers through Xen's stable libraries, hv_none()
 * without any hypervisor: then every domain id is believed to exist and rings do not.
 */
#ifndef XSL_HV_H
#define XSL_HV_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

struct hv_domain_info {
    bool shutdown;      /* ended or crashed, but still there */
    bool dying;         /* being taken apart: nothing of it may stay mapped */
    uint8_t handle[16]; /* tells one bearer of a domain id from the next */
};

struct hv_ring_page {
    struct xenstore_domain_interface *page;
    int how; /* private to the implementation */
};

struct hv {
    bool rings;
    /* 0, -ESRCH if there is no such domain, or another error if nobody can tell. */
    int (*domain_info)(uint16_t domid, struct hv_domain_info *info);
    /* The guest's ring page, by its reserved grant: what the toolstack granted us, and no frame. */
    int (*map_ring)(uint16_t domid, struct hv_ring_page *ring);
    void (*unmap_ring)(struct hv_ring_page *ring);
    /* Local port or negative errno. */
    int (*bind)(uint16_t domid, uint32_t remote_port);
    void (*unbind)(uint32_t port);
    void (*notify)(uint32_t port);
    /* The control domain's own kernel: its page and the port to bind to. */
    int (*own_ring)(struct hv_ring_page *ring, uint32_t *remote_port);
    /* Port on which the deaths of domains are told, or negative errno. */
    int (*bind_death)(void);
    /* Descriptor, readable when a port fires; what fired (up to max); open them again. */
    int (*event_fd)(void);
    int (*fired)(uint32_t *ports, int max);
    void (*unmask)(const uint32_t *ports, int count);
};

const struct hv *hv_none(void);

/* Opens the device nodes; NULL after logging which one is missing. */
const struct hv *hv_xen_open(void);

#endif
