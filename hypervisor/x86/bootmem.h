/* SPDX-License-Identifier: MIT */
/* RAM before the frame allocator: see bootmem.c. */
#ifndef TENUE_X86_BOOTMEM_H
#define TENUE_X86_BOOTMEM_H

#include <tenue/frame.h>

void bootmem_init(void);
/* From now on all RAM is mapped, not only the first 4 GiB. */
void bootmem_reach_all(void);
/* size bytes, aligned; ends the boot with a message when there is none. */
maddr_t early_alloc(uint64_t size, uint64_t align);
bool early_alloc_open(void);
/* Give what is left to the frame allocator. */
void early_alloc_finish(void);
/* And the boot modules' frames, once nobody reads them any more. */
void bootmem_give_modules(void);

#endif
