/* SPDX-License-Identifier: MIT */
/*
 * The plan against speculation faults, as the machine layer carries it out (spec.c).
 */
#ifndef TENUE_X86_SPEC_H
#define TENUE_X86_SPEC_H

#include <tenue/spec.h>

#include "pcpu.h"

void spec_init(void);               /* boot CPU, once ACPI's tables are read */
void spec_init_cpu(struct pcpu *c); /* each other CPU, between gdt_init_cpu and idt_load_cpu */
void spec_done(void);               /* all CPUs are up: say what came of it */
bool spec_works_on_entry(void);     /* entries have more to do than change roots */
/* A second thread of a core, which smt=off leaves alone. */
bool spec_cpu_parked(uint32_t apic_id);

#endif
