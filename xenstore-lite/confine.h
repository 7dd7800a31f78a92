/* SPDX-License-Identifier: MIT */
/*
 * What is left to the store's two processes once they serve (docs/confinement.md).
 *
 * The store, which reads what guests write, keeps its clients, the event channels, the grant device
 * and one socket to the keeper. The keeper (keeper.h) has what the store must not have.
 */
#ifndef XSL_CONFINE_H
#define XSL_CONFINE_H

#include "../backends/common/sandbox.h"

#define CONFINE_UID 199999u /* right below the backends' users */

extern const struct sandbox_profile confine_store, confine_keeper;

/* For good; logs what is weaker than it should be. 0 or -errno, told in the log. */
int confine_enter(const struct sandbox_profile *profile, uid_t uid);

#endif
