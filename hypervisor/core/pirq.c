/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts for the control domain: which GSI is set up how, and which port hears it.
 * pirq n is GSI n; messages (msi.c) have numbers from the top down, as they are mapped.
 *
 * A level interrupt stays held back by the machine layer from pirq_interrupt() until pirq_eoi();
 * an edge one needs nothing, and to end it does nothing. A line that nobody listens to is masked
 * when it fires.
 *
 * Locks: the domain's evtchn lock covers the table (binding a pirq is binding a port); callers
 * hold it.
 * pirq_interrupt() comes with interrupts just taken and no lock: it reads the port, in one piece.
 */
#include <tenue/pirq.h>

#include <tenue/vcpu.h>
#include <tenue/entrypoints.h>

#include "msi.h"

#define ISA_LINES 16u

struct pirq {
    port_t port;                        /* 0: none */
    bool configured, level, active_low; /* trigger mode and polarity, once they were set */
};

static struct pirq lines[MAX_PIRQS]; /* the control domain's */

static struct pirq *line_of(uint32_t pirq)
{
    return &lines[index_nospec(pirq, MAX_PIRQS)];
}

bool pirq_is_gsi(const struct domain *d, uint32_t pirq)
{
    return d->is_control && pirq < MIN(hal_gsi_count, MSI_FIRST);
}

bool pirq_is_valid(const struct domain *d, uint32_t pirq)
{
    return pirq_is_gsi(d, pirq) || (d->is_control && msi_is_mapped(pirq));
}

int pirq_setup(struct domain *d, uint32_t gsi, bool level, bool active_low)
{
    struct pirq *p = line_of(gsi);
    int rc;

    if (!pirq_is_gsi(d, gsi))
        return -XEN_EINVAL;
    if (p->configured && p->level == level && p->active_low == active_low)
        return 0;
    if (p->port)
        return -XEN_EEXIST;
    rc = hal_gsi_setup(gsi, level, active_low);
    if (rc == 0)
        *p = (struct pirq){.configured = true, .level = level, .active_low = active_low};
    return rc;
}

int pirq_unmap(struct domain *d, uint32_t pirq)
{
    if (!msi_is_mapped(pirq))
        return pirq_is_gsi(d, pirq) ? 0 : -XEN_EINVAL;
    if (line_of(pirq)->port)
        return -XEN_EBUSY;
    msi_unmap(pirq);
    return 0;
}

/* A line that ACPI said nothing about is what its bus makes it: ISA edge high, PCI level low. */
int pirq_bind(struct domain *d, uint32_t pirq, uint32_t port)
{
    struct pirq *p = line_of(pirq);
    bool pci = pirq >= ISA_LINES;
    int rc;

    if (p->port)
        return -XEN_EEXIST;
    if (!msi_is_mapped(pirq)) { /* unless it was unmapped meanwhile */
        rc = p->configured ? 0 : pirq_setup(d, pirq, pci, pci);
        if (rc)
            return rc;
    }
    WRITE_ONCE(p->port, port);
    if (pirq >= MSI_FIRST)
        msi_mask(pirq, false);
    else
        hal_gsi_change(pirq, GSI_UNMASK);
    return 0;
}

uint32_t pirq_port(uint32_t pirq)
{
    return line_of(pirq)->port;
}

void pirq_unbind(uint32_t pirq)
{
    if (pirq >= MSI_FIRST)
        msi_mask(pirq, true);
    else
        hal_gsi_change(pirq, GSI_MASK);
    WRITE_ONCE(line_of(pirq)->port, 0);
    hal_gsi_change(pirq, GSI_END);
}

int pirq_eoi(struct domain *d, uint32_t pirq)
{
    if (!pirq_is_valid(d, pirq))
        return -XEN_EINVAL;
    hal_gsi_change(pirq, GSI_END);
    return 0;
}

bool pirq_needs_eoi(uint32_t pirq)
{
    return line_of(pirq)->level;
}

/* A message that nobody hears is dropped: it is masked, but for devices that have no mask. */
void pirq_interrupt(unsigned gsi)
{
    struct domain *d = control_domain;
    port_t port = d && gsi < MAX_PIRQS ? READ_ONCE(line_of(gsi)->port) : 0;

    if (port) {
        evtchn_deliver(d, port);
    } else if (gsi < MSI_FIRST) {
        hal_gsi_change(gsi, GSI_MASK);
        hal_gsi_change(gsi, GSI_END);
    }
}
