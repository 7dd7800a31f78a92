/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs.
 */
#include <tenue/hal.h>

#include "machine.h"

struct cpu *cpus[MAX_CPUS];
unsigned cpu_count;

uint32_t hal_cpu_apic_id(unsigned cpu)
{
    return cpu < cpu_count ? pcpu_of(cpu)->apic_id : acpi.cpu_apic_ids[cpu];
}

void smp_init(void)
{
}
