/* SPDX-License-Identifier: MIT */
/*
 * What guests and tools may do with the machine-to-physical table (m2p.c).
 */
#ifndef TENUE_PV_M2P_H
#define TENUE_PV_M2P_H

#include <tenue/domain.h>
#include <tenue/m2p.h>

/* MMU_MACHPHYS_UPDATE: owner says that its frame m is its pfn. -XEN_EINVAL: not owner's frame. */
int m2p_update_for(const struct domain *owner, mfn_t m, uint64_t pfn) must_check;

#endif
