/* SPDX-License-Identifier: MIT */
/*
 * Bring-up of the machine, in order; then core's (tenue_main), then the control domain. Runs on CPU
 * 0's block, which is part of the image, so that this_cpu() holds from the first line.
 */

#include <tenue/entrypoints.h>
#include <tenue/hal.h>
#include <tenue/log.h>
#include <tenue/options.h>

#include "lib.h"
#include "machine.h"
#include "spec.h"

/* boot.S. */
void start(uint32_t magic, uint64_t info);

static void machine_start(void)
{
    struct pcpu *c = this_pcpu();

    cpu_detect();
    cpu_init(c);
    paging_init();
    gdt_init_cpu(c);
    idt_init();
    idt_load_cpu(c);
    extable_selftest();
    fpu_init(c);
    early_alloc_finish();
    acpi_init();
    spec_init();
    apic_init();
    apic_init_cpu();
    irq_init();
    clock_init();
    serial_start_receive();
}

void start(uint32_t magic, uint64_t info)
{
    struct pcpu *c = this_pcpu();

    c->cpu.id = 0;
    cpus[0] = &c->cpu;
    cpu_count = 1;
    serial_init();
    multiboot_parse(magic, info);
    options_parse(boot_info.cmdline, false);
    serial_init(); /* as the options say */
    machine_start();
    smp_init();
    spec_done();
    tenue_main();
    bootmem_give_modules();
    cpu_run();
}
