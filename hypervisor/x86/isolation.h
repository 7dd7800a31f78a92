/* SPDX-License-Identifier: MIT */
/*
 * Page-table isolation: what a guest's CR3 maps of ours on a CPU that needs it (isolation.c).
 */
#ifndef TENUE_X86_ISOLATION_H
#define TENUE_X86_ISOLATION_H

#include <tenue/frame.h>

#include "pcpu.h"

/* On the CPU itself, after gdt_init_cpu() and before idt_load_cpu(), when the plan has SPEC_PTI. */
void isolation_init_cpu(struct pcpu *c);
/* The guest's slots of root, as the CPU's guests see them from now on. */
void isolation_copy_root(struct pcpu *c, mfn_t root);

/* The CPU's descriptor windows changed. */
void isolation_copy_windows(struct pcpu *c);

#endif
