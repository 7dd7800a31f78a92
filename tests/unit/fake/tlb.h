/* SPDX-License-Identifier: MIT */
/*
 * The TLB model of one CPU (tlb.c).
 */
#ifndef TENUE_FAKE_TLB_H
#define TENUE_FAKE_TLB_H

#include <tenue/abi.h>
#include <tenue/frame.h>

void fake_tlb_flush_all(unsigned cpu);
void fake_tlb_flush_page(unsigned cpu, uint64_t va);
/* Where the CPU's next access to va goes: the cached translation if it permits the access, else by
 * a walk from root. NULL: page fault. */
uint8_t *fake_translate(unsigned cpu, mfn_t root, uint64_t va, bool write);

#endif
