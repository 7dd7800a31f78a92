/* SPDX-License-Identifier: MIT */
/*
 * Message signalled interrupts of the control domain's devices (msi.c): one slot each.
 */
#ifndef TENUE_CORE_MSI_H
#define TENUE_CORE_MSI_H

#include <tenue/abi.h>

#define MSI_SLOTS 128u

struct msi_request {
    uint16_t bdf; /* bus << 8 | devfn, segment 0 */
    bool x;       /* MSI-X: */
    uint16_t entry;
    uint64_t table_base; /* the BAR that holds the table, as the caller knows it */
};

/* A free slot, -XEN_ENOSPC when there is none. */
int msi_free_slot(void);
/* Program it, masked; interrupts arrive as pirq_interrupt(pirq). */
int msi_map(unsigned slot, const struct msi_request *r, unsigned pirq) must_check;
void msi_mask(unsigned slot, bool masked);
void msi_unmap(unsigned slot, unsigned pirq);
/* The device has forgotten everything (it was reset): all its slots are programmed again. */
void msi_restore(uint16_t bdf);

#endif
