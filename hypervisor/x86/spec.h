/* SPDX-License-Identifier: MIT */
/*
 * The plan against speculation faults, as the machine layer carries it out (spec.c).
 */
#ifndef TENUE_X86_SPEC_H
#define TENUE_X86_SPEC_H

#include <tenue/spec.h>

#include "pcpu.h"

/* Entries have anything to do; entries or exits have. */
#define SPEC_AT_ENTRY (SPEC_PTI | SPEC_IBRS | SPEC_IBPB_ENTRY | SPEC_RSB | SPEC_BHB_ENTRY)
#define SPEC_AT_TRANSITIONS (SPEC_AT_ENTRY | SPEC_DIV | SPEC_VERW)

void spec_init(void);               /* boot CPU, once ACPI's tables are read */
void spec_init_cpu(struct pcpu *c); /* each other CPU, between gdt_init_cpu and idt_load_cpu */
void spec_done(void);               /* all CPUs are up: say what came of it */
/* A second thread of a core, which smt=off leaves alone. */
bool spec_cpu_parked(uint32_t apic_id);

/* Page-table isolation (isolation.c): what a guest's CR3 maps of ours on a CPU that needs it. */
/* On the CPU itself, after gdt_init_cpu() and before idt_load_cpu(), when the plan has SPEC_PTI. */
void isolation_init_cpu(struct pcpu *c);
/* The guest's slots of root, as the CPU's guests see them from now on. */
void isolation_copy_root(struct pcpu *c, mfn_t root);
/* The CPU's descriptor windows changed. */
void isolation_copy_windows(struct pcpu *c);

/* Has the plan one of bits? A no-op where not: the site becomes a jump when it has (spec.c). */
static inline __attribute__((always_inline)) bool spec_has(uint32_t bits)
{
    __asm__ goto(SITE_YES(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00") : : "i"(bits) : : yes);
    return false;
yes:
    return true;
}

#endif
