/* SPDX-License-Identifier: MIT */
/*
 * Message signalled interrupts of the control domain's devices (msi.c): pirqs from the top down, in
 * the order in which they are mapped. The control domain's evtchn lock is held, but for a look.
 */
#ifndef TENUE_CORE_MSI_H
#define TENUE_CORE_MSI_H

#include <tenue/abi.h>

#define MSI_SLOTS 128u
#define MSI_FIRST (MAX_PIRQS - MSI_SLOTS)

struct msi_request {
    uint16_t bdf; /* bus << 8 | devfn, segment 0 */
    bool x;       /* MSI-X: */
    uint16_t entry;
    uint64_t table_base; /* the BAR that holds the table, as the caller knows it */
};

/* Program it, masked; interrupts arrive as pirq_interrupt(*pirq). */
int msi_map(const struct msi_request *r, uint32_t *pirq) must_check;
bool msi_is_mapped(uint32_t pirq);
void msi_mask(uint32_t pirq, bool masked);
void msi_unmap(uint32_t pirq);
/* The device has forgotten everything (it was reset): all its interrupts are programmed again. */
void msi_restore(uint16_t bdf);

#endif
