/* SPDX-License-Identifier: MIT */
/*
 * Stores to read-only L1 tables on a guest kernel's behalf (contract 3.5): the emulator decodes the
 * instruction and applies it through the same validator as mmu_update (EMU-6); this finds the
 * entry.
 *
 * va names the 8-byte entry (aligned down by the callee) through v's kernel root. v is current.
 */
#ifndef TENUE_PV_PTWR_H
#define TENUE_PV_PTWR_H

#include <tenue/vcpu.h>

/*
 * Where the entry that va names lies, if va is mapped read-only and in an L1 table of v's domain:
 * then *entry is what it holds. Else 0. mmu_l1_write(MMU_COMPARE) changes it; a store of less than
 * 8 bytes is a loop of merge and that.
 */
maddr_t ptwr_find(struct vcpu *v, uint64_t va, uint64_t *entry) must_check;

#endif
