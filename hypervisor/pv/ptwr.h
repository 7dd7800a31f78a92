/* SPDX-License-Identifier: MIT */
/*
 * Stores to read-only L1 tables on a guest kernel's behalf (contract 3.5): the emulator decodes the
 * instruction, these apply it through the same validator as mmu_update (EMU-6).
 *
 * va names the 8-byte entry (aligned down by the callee) through v's kernel root. v is current.
 */
#ifndef TENUE_PV_PTWR_H
#define TENUE_PV_PTWR_H

#include <tenue/vcpu.h>

/* Does va, mapped read-only, lie in an L1 table of v's domain? Then *entry is what it holds. */
bool ptwr_read(struct vcpu *v, uint64_t va, uint64_t *entry) must_check;
/*
 * Store val there and give the former entry in *old, in one step.
 *   compare: only if the entry equals *old on the way in; else -XEN_EAGAIN with what is there.
 * 0; -XEN_ENOENT: not an L1 table mapped read-only; -XEN_EINVAL: val refused; nothing changed.
 * A store of less than 8 bytes is a loop of ptwr_read, merge, ptwr_store(compare).
 */
int ptwr_store(struct vcpu *v, uint64_t va, uint64_t val, bool compare, uint64_t *old) must_check;

#endif
