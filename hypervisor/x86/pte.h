/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries of the hypervisor's own mappings. Guests' entries are pv/'s business.
 */
#ifndef TENUE_X86_PTE_H
#define TENUE_X86_PTE_H

#define PTE_P 0x1ull
#define PTE_RW 0x2ull
#define PTE_US 0x4ull
#define PTE_PWT 0x8ull
#define PTE_PCD 0x10ull
#define PTE_A 0x20ull
#define PTE_D 0x40ull
#define PTE_PS 0x80ull
#define PTE_G 0x100ull
#define PTE_NX (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

/* Leaves of ours, global: every root has the same (MM-17). Accessed and dirty are set beforehand.
 */
#define PTE_HV_RW (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_G | PTE_NX)
#define PTE_HV_RO (PTE_P | PTE_A | PTE_G | PTE_NX)
#define PTE_HV_RX (PTE_P | PTE_A | PTE_G)
#define PTE_HV_TABLE (PTE_P | PTE_RW | PTE_A)
/* The guests' read-only view of the machine-to-physical table. */
#define PTE_M2P_TABLE (PTE_P | PTE_US | PTE_A)
#define PTE_M2P_LEAF (PTE_P | PTE_US | PTE_A | PTE_G | PTE_NX)

#endif
