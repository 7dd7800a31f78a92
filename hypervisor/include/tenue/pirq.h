/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts given to the control domain as event channels. pirq n is GSI n; message
 * signalled ones have numbers from MAX_PIRQS down while they are mapped. Mechanism: core/pirq.c.
 * Callers hold d's evtchn lock, but for those that only ask, and pirq_eoi().
 */
#ifndef TENUE_PIRQ_H
#define TENUE_PIRQ_H

#include <tenue/abi.h>

struct domain;

/* d may use pirq n at all (IRQ-1). */
bool pirq_is_valid(const struct domain *d, uint32_t pirq);
bool pirq_is_gsi(const struct domain *d, uint32_t pirq);
/* PHYSDEVOP_unmap_pirq: a message ends; nothing is done to a GSI. */
int pirq_unmap(struct domain *d, uint32_t pirq) must_check;
/* PHYSDEVOP_setup_gsi: trigger mode and polarity, once per pin; -XEN_EEXIST when set otherwise. */
int pirq_setup(struct domain *d, uint32_t gsi, bool level, bool active_low) must_check;
/* EVTCHNOP_bind_pirq: route the line to a port. */
int pirq_bind(struct domain *d, uint32_t pirq, uint32_t port) must_check;
void pirq_unbind(uint32_t pirq);
uint32_t pirq_port(uint32_t pirq); /* 0: none */
/* PHYSDEVOP_eoi: the handler is done, the line may interrupt again. */
int pirq_eoi(struct domain *d, uint32_t pirq) must_check;
bool pirq_needs_eoi(uint32_t pirq);

#endif
