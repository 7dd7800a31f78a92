/* SPDX-License-Identifier: MIT */
/*
 * What the builders of entry frames, trap dispatch and the exit path share.
 */
#ifndef TENUE_PV_BOUNCE_H
#define TENUE_PV_BOUNCE_H

#include <tenue/abi.h>

/*
 * regs->entry_vector when RCX and R11 are dead for the guest, so that SYSRET may load RIP and
 * RFLAGS through them: after a hypercall, and into every handler entered by a frame. Any other
 * value: all registers must be restored.
 */
#define PV_EXIT_SYSRET_OK 0x100u
/* The same, in a hypercall under way of which only the registers that it may change are saved with
 * their final meaning: hal_guest_regs() completes the frame and makes it the above. */
#define PV_EXIT_HYPERCALL 0x102u

/* Failsafe with the selectors the guest meant to have, when loading some of them failed. */
void pv_failsafe_selectors(struct cpu_user_regs *regs, uint16_t ds, uint16_t es, uint16_t fs,
                           uint16_t gs);

#endif
