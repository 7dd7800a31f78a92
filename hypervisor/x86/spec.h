/* SPDX-License-Identifier: MIT */
/*
 * The plan against speculation faults, as the machine layer carries it out (spec.c).
 */
#ifndef TENUE_X86_SPEC_H
#define TENUE_X86_SPEC_H

#include <tenue/spec.h>

#include "pcpu.h"

void spec_init(void);                 /* boot CPU, once ACPI's tables are read */
void spec_init_cpu(struct pcpu *c);   /* each other CPU, between gdt_init_cpu and idt_load_cpu */
void spec_done(void);                 /* all CPUs are up: say what came of it */
bool spec_works_on_entry(void);       /* entries have anything to do */
bool spec_works_on_transitions(void); /* entries or exits have anything to do */
/* A second thread of a core, which smt=off leaves alone. */
bool spec_cpu_parked(uint32_t apic_id);

/* Has the plan one of bits? A no-op where not: the site becomes a jump when it has (spec.c). */
static inline __attribute__((always_inline)) bool spec_has(uint32_t bits)
{
    __asm__ goto("1: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n\t"
                 ".pushsection .spec_sites, \"a\"\n\t"
                 ".quad 1b, %l[yes]\n\t"
                 ".long %c0, 0\n\t"
                 ".popsection"
                 :
                 : "i"(bits)
                 :
                 : yes);
    return false;
yes:
    return true;
}

#endif
