/* SPDX-License-Identifier: MIT */
/*
 * The whole virtual layout. Ours are L4 slots 256..271, the same in every root; the rest of both
 * halves is the guest's. docs/memory-layout.md says why each part is where it is.
 *
 *   slot  from                 what                                          guest    ours
 *   256   0xffff800000000000   machine-to-physical table, guest's view       r        r
 *   257   0xffff808000000000   image, linked at this + its physical address   -        by section
 *         0xffff8080 40000000  per CPU: block, GDT and LDT windows             -        rw
 *         0xffff8080 60000000  devices and firmware tables, as they are met    -        rw
 *   258   0xffff810000000000   direct map of RAM                               -        rw
 *   ..271
 */
#ifndef TENUE_X86_LAYOUT_H
#define TENUE_X86_LAYOUT_H

#define M2P_GUEST_VIRT 0xffff800000000000
#define HV_VIRT_BASE 0xffff808000000000
#define HV_IMAGE_PHYS 0x200000
#define PERCPU_VIRT 0xffff808040000000
#define DEVICE_VIRT 0xffff808060000000
#define DEVICE_VIRT_END 0xffff808080000000
#define DIRECT_MAP_VIRT 0xffff810000000000
#define DIRECT_MAP_SIZE 0x0000070000000000 /* 7 TiB */

#define L4_SLOT_IMAGE 257
#define L4_SLOT_DIRECT 258

/*
 * One CPU's area: its block (aligned to its size, so that any stack pointer in it finds its start,
 * where struct pcpu lies) and its two descriptor windows.
 */
#define PERCPU_STRIDE 0x40000
#define PERCPU_GDT_OFF 0x20000 /* the LDT window follows */
#define WINDOW_PAGES 16

#define BLOCK_SIZE 0x10000
#define BLOCK_ENTRY_OFF 0x1000 /* what a guest's root shows of the block's data; a small stack */
#define BLOCK_ENTRY_TOP 0x2000
#define BLOCK_STUB_OFF 0x2000 /* SYSCALL stub: read, execute */
#define BLOCK_NMI_TOP 0x4000  /* IST stacks, one page each, by their upper ends */
#define BLOCK_MC_TOP 0x5000
#define BLOCK_DF_TOP 0x6000
#define BLOCK_DB_TOP 0x7000
#define BLOCK_GUARD_OFF 0x7000 /* not mapped: the end of the stack below it */
#define BLOCK_STACK_TOP 0x10000

#endif
