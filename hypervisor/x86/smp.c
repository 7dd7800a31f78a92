/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs: woken one after another by INIT and STARTUP, each runs boot.S into long mode,
 * then ap_start() here on a block of its own, and waits for its first vcpu.
 *
 * The first instructions need a page below 1 MiB: one that the memory map calls RAM is borrowed and
 * put back. A CPU that does not answer is left out.
 */
#include <tenue/entrypoints.h>
#include <tenue/vcpu.h>
#include <tenue/log.h>

#include "lib.h"
#include "machine.h"
#include "spec.h"

#define LOW_LIMIT 0x90000ull
#define BLOCK_ORDER 4
#define ANSWER_NS (200 * 1000 * 1000ull)

struct cpu *cpus[MAX_CPUS];
unsigned cpu_count;

/* boot.S */
extern uint8_t ap_code[], ap_code_end[];
uint64_t ap_block;
void ap_start(void);
noreturn_fn void enter_guest(void);

uint32_t hal_cpu_apic_id(unsigned cpu)
{
    return cpu < cpu_count ? pcpu_of(cpu)->apic_id : acpi.cpu_apic_ids[cpu];
}

/* A CPU without a vcpu sleeps until one is put on its queue. */
noreturn_fn void cpu_run(void)
{
    while (this_cpu()->current == NULL) {
        hal_idle();
        guest_exit_work();
    }
    enter_guest();
}

void ap_start(void)
{
    struct pcpu *c = this_pcpu();

    cpu_init(c);
    gdt_init_cpu(c);
    spec_init_cpu(c);
    idt_load_cpu(c);
    xcr0_load(c, hal_xcr0_supported);
    apic_init_cpu();
    __atomic_store_n(&c->online, 1, __ATOMIC_RELEASE);
    cpu_run();
}

static struct pcpu *make_block(unsigned cpu)
{
    void *p = hv_alloc_pages(BLOCK_ORDER), *gdt = hv_alloc_page();
    struct pcpu *c;

    if (p == NULL || gdt == NULL)
        return NULL;
    c = paging_map_block(cpu, ptr_to_mfn(p));
    c->cpu.id = cpu;
    c->gdt_page = gdt;
    c->cpu.root = hv_root;
    return c;
}

static bool wake(uint32_t apic_id, uint8_t page, const uint32_t *online)
{
    const ns_t end = hal_now() + ANSWER_NS;

    apic_command(apic_id, APIC_INIT);
    spin_ns(10 * 1000 * 1000);
    for (unsigned tries = 0; !__atomic_load_n(online, __ATOMIC_ACQUIRE); tries++) {
        if (tries < 2)
            apic_command(apic_id, APIC_STARTUP | page);
        if (hal_now() >= end)
            return false;
        spin_ns(200 * 1000);
    }
    return true;
}

static void bring_up(uint32_t apic_id, uint8_t page)
{
    struct pcpu *c = make_block(cpu_count);

    if (c == NULL) {
        log_warn("CPU with APIC id %u: no memory for its block: not used\n", apic_id);
        return;
    }
    ap_block = (uint64_t)c;
    cpus[cpu_count] = &c->cpu;
    if (wake(apic_id, page, &c->online)) {
        cpu_count++;
        return;
    }
    /* It may still wake up later, so its block stays its own. */
    log_warn("CPU with APIC id %u does not answer: not used\n", apic_id);
}

/* The highest whole page of RAM below LOW_LIMIT, 0 when there is none. */
static uint64_t low_page(void)
{
    uint64_t best = 0, start, end;

    for (unsigned i = 0; i < boot_info.e820_count; i++)
        if (ram_range(i, &start, &end) && start < LOW_LIMIT)
            best = MAX(best, MIN(end, LOW_LIMIT) - PAGE_SIZE);
    return best;
}

void smp_init(void)
{
    static uint8_t kept[PAGE_SIZE];
    uint64_t page = low_page();
    uint32_t self = this_pcpu()->apic_id;
    uint8_t *code;

    if (page == 0 || x86_options.maxcpus == 1 || acpi.cpus < 2)
        return;
    code = mfn_to_ptr(maddr_to_mfn(maddr_make(page)));
    memcpy(kept, code, PAGE_SIZE);
    memcpy(code, ap_code, (size_t)(ap_code_end - ap_code));
    for (unsigned i = 0; i < acpi.cpus && cpu_count < x86_options.maxcpus; i++)
        if (acpi.cpu_apic_ids[i] != self && !spec_cpu_parked(acpi.cpu_apic_ids[i]) &&
            (acpi.cpu_apic_ids[i] < 255 || cpu_features.x2apic))
            bring_up(acpi.cpu_apic_ids[i], (uint8_t)(page >> PAGE_SHIFT));
    memcpy(code, kept, PAGE_SIZE);
}
