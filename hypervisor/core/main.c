/* SPDX-License-Identifier: MIT */
/*
 * Bring-up in order, once the machine layer has memory, clocks, interrupts and the other CPUs. What
 * goes wrong here is said in one line that names the thing and the remedy, then the machine halts.
 */
#include <tenue/assert.h>
#include <tenue/entrypoints.h>
#include <tenue/log.h>
#include <tenue/options.h>
#include <tenue/pv.h>

#include "lib.h"

#define MIB_OF(frames) ((frames) >> (20 - PAGE_SHIFT))

noreturn_fn void boot_fail(const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    fmt_vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_err("cannot boot: %s", text);
    log_err("halted");
    hal_halt();
}

static void say_hello(void)
{
    log_info("Tenue, a paravirtualization hypervisor speaking the Xen 4.17 ABI");
    log_info("options: %s", boot_info.cmdline[0] ? boot_info.cmdline : "none");
    log_info("%u CPUs, %lu MiB of RAM managed, TSC %u.%03u MHz", cpu_count,
             MIB_OF(READ_ONCE(heap_total_frames)), hal_tsc_khz / 1000, hal_tsc_khz % 1000);
}

static void check_modules(void)
{
    if (boot_info.module_count == 0)
        boot_fail("no module given; pass the control domain's kernel (a PV ELF) as the first "
                  "module, its ramdisk as the second");
    log_info("control domain: kernel \"%s\", ramdisk \"%s\", arguments \"%s\"",
             boot_info.modules[0].name, boot_info.module_count > 1 ? boot_info.modules[1].name : "",
             boot_info.modules[0].args);
}

static void start_control_domain(void)
{
    struct domain *d;

    if (pv_build_control_domain(&boot_info))
        boot_fail("the control domain could not be built (reason above)");
    d = control_domain;
    BUG_ON(!d || !d->vcpus[0]);
    log_info("memory: control domain %lu MiB, free %lu MiB, hypervisor and tables %lu KiB",
             MIB_OF((uint64_t)d->pages.total), MIB_OF(READ_ONCE(heap_free_frames)),
             (READ_ONCE(heap_total_frames) - READ_ONCE(heap_free_frames) - d->pages.total)
                 << (PAGE_SHIFT - 10));
    for (uint32_t i = 0; options.dom0_vcpus_pin && i < d->max_vcpus; i++)
        BUG_ON(sched_set_affinity(d->vcpus[i], (cpumask_t)1 << i % cpu_count) != 0);
    d->vcpus[0]->initialised = true;
    vcpu_pause_clear(d->vcpus[0], VPF_DOWN);
    domain_unpause_by_controller(d);
}

void tenue_main(void)
{
    options_parse(boot_info.cmdline, true);
    say_hello();
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        sched_cpu_init(cpu);
    check_modules();
    start_control_domain();
}
