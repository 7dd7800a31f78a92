/* SPDX-License-Identifier: MIT */
/*
 * The TLB model of one CPU (tlb.c).
 */
#ifndef TENUE_FAKE_TLB_H
#define TENUE_FAKE_TLB_H

#include <tenue/abi.h>
#include <tenue/frame.h>

#define FAKE_TAGS 2u

void fake_tlb_flush_all(unsigned cpu);
/* Of the tag in force, which is 0 without tags. */
void fake_tlb_flush_page(unsigned cpu, uint64_t va);
void fake_tlb_flush_tag(unsigned cpu, uint64_t tag);
/* Of a tag, what an address needs: INVPCID leaves the tables of others. */
void fake_tlb_flush_tagged_page(unsigned cpu, uint64_t tag, uint64_t va);
void fake_tlb_set_tag(unsigned cpu, uint64_t tag);
/* Where the CPU's next access to va goes: the cached translation if it permits the access, else by
 * a walk from root. NULL: page fault. */
uint8_t *fake_translate(unsigned cpu, mfn_t root, uint64_t va, bool write);

#endif
