/* SPDX-License-Identifier: MIT */
/*
 * hal.h over the fake machine. What has a meaning on a laptop (roots, TLBs, guest copies, memory,
 * time) is modelled; devices answer like an empty bus.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "machine.h"
#include "tlb.h"

#include "../../hypervisor/core/page_priv.h"
#include "../../hypervisor/pv/root.h"

#include <tenue/entrypoints.h>
#include <tenue/log.h>
#include <tenue/options.h>

struct fake_counts fake_counts;
unsigned fake_preempt_every;
bool fake_verbose;
ns_t fake_time = NS_PER_SEC;
ns_t fake_timer[FAKE_CPUS];

#define METAL_AT_START ((struct fake_metal){.port_value = ~0u})
struct fake_metal fake_metal = METAL_AT_START;
uint64_t hal_xcr0_supported = 7;
uint32_t hal_tsc_khz = 1000000;
uint64_t hal_wallclock_at_boot = 1600000000;
unsigned hal_gsi_count = 24, hal_maddr_bits = 40;
bool hal_null_clears_base = true;

void fake_metal_reset(void)
{
    fake_metal = METAL_AT_START;
    hal_xcr0_supported = 7;
}

/* Through which frames each CPU's GDT and LDT windows show descriptors; 0: none. */
static struct {
    uint64_t gdt[GDT_GUEST_FRAMES], ldt[16];
} windows[FAKE_CPUS];

static struct cpu_user_regs regs[FAKE_CPUS];
static unsigned preempt_count, spin_count;

/* --- running vcpus --- */

void hal_vcpu_init(struct hal_vcpu *h)
{
    (void)h; /* nothing that a test could look at */
}

static uint64_t window_of(mfn_t m)
{
    return mfn_is_none(m) ? 0 : m.n;
}

static void windows_show(unsigned cpu, const struct pv_vcpu *pv)
{
    memset(&windows[cpu], 0, sizeof(windows[cpu]));
    if (!pv)
        return;
    for (unsigned i = 0; i < GDT_GUEST_FRAMES; i++)
        windows[cpu].gdt[i] = window_of(pv->gdt_frames[i]);
    for (unsigned i = 0; pv->ldt_entries && i < ARRAY_LEN(pv->ldt_frames); i++)
        windows[cpu].ldt[i] = window_of(pv->ldt_frames[i]);
}

static unsigned window_violations(const uint64_t *frames, unsigned count)
{
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++) {
        const uint64_t type = frames[i] ? page_of(mfn_make(frames[i]))->type : 0;

        if (!frames[i] || (type_of(type) == PGT_DESC && type_refs(type) != 0))
            continue;
        log_err("frame %#lx shows in a descriptor window, and is none", frames[i]);
        n++;
    }
    return n;
}

unsigned fake_window_audit(void)
{
    unsigned n = 0;

    for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++) {
        n += window_violations(windows[cpu].gdt, ARRAY_LEN(windows[cpu].gdt));
        n += window_violations(windows[cpu].ldt, ARRAY_LEN(windows[cpu].ldt));
    }
    return n;
}

void hal_context_switch(struct vcpu *next)
{
    struct cpu *c = this_cpu();
    struct vcpu *prev = c->current;

    if (prev == next)
        return;
    if (prev)
        prev->regs = regs[c->id];
    regs[c->id] = next->regs;
    next->is_running = 1 + c->id;
    c->current = next;
    windows_show(c->id, &next->pv);
    hal_load_root(next->pv.kernel_mode ? next->pv.root_kernel : next->pv.root_user);
    if (pv_owes_tables(next))
        softirq_raise(SOFTIRQ_TABLES);
    if (prev)
        prev->is_running = 0;
}

void hal_unload_current(void)
{
    struct cpu *c = this_cpu();

    if (!c->current)
        return;
    c->current->regs = regs[c->id];
    hal_load_root(MFN_NONE);
    windows_show(c->id, NULL);
    c->current->is_running = 0;
    c->current = NULL;
}

void hal_unload_remote(unsigned cpu, struct vcpu *v)
{
    struct cpu *self = fake_this_cpu;

    if (fake_metal.wait_for)
        fake_metal.wait_for(cpu);
    fake_this_cpu = cpus[cpu];
    if (this_cpu()->current == v && (this_cpu()->idle || !fake_metal.wait_for))
        hal_unload_current();
    fake_this_cpu = self;
}

struct cpu_user_regs *hal_guest_regs(void)
{
    return &regs[this_cpu()->id];
}

void hal_idle(void)
{
    if (!READ_ONCE(this_cpu()->softirqs))
        this_cpu()->runq.halts++;
    if (fake_metal.at_idle) {
        fake_metal.at_idle();
        return;
    }
    fake_time += NS_PER_SEC / 1000;
}

bool hal_preempt_point(void)
{
    ASSERT(this_cpu()->held_count == 0);
    fake_counts.preempt_polls++;
    spin_count = 0;
    if (fake_metal.at_preempt_point)
        fake_metal.at_preempt_point();
    if (!fake_preempt_every || ++preempt_count < fake_preempt_every)
        return false;
    preempt_count = 0;
    return true;
}

void hal_take_interrupts(void)
{
    ASSERT(this_cpu()->held_count == 0);
    if (fake_metal.at_preempt_point)
        fake_metal.at_preempt_point();
}

/* Nobody else runs while we do: whoever waits here waits for ever. */
void hal_spin_wait(void)
{
    fake_counts.spins++;
    if (++spin_count > 1000) {
        fprintf(stderr, "fake machine: CPU %u spins for something that cannot happen\n",
                this_cpu()->id);
        abort();
    }
}

void hal_send_softirq_ipi(unsigned cpu)
{
    (void)cpu; /* the bit is set; the CPU sees it when a test runs it */
}

void hal_fast_paths(bool allowed)
{
    fake_metal.fast_paths = allowed;
}

/* --- roots and TLBs --- */

static bool tagged;

void fake_tags(bool on)
{
    tagged = on;
    for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++) {
        fake_tlb_flush_all(cpu);
        fake_tlb_set_tag(cpu, 0);
        for (unsigned tag = 0; tag < FAKE_TAGS; tag++)
            cpus[cpu]->tags[tag] = tag;
    }
}

void hal_cr3_write(uint64_t v)
{
    const unsigned cpu = this_cpu()->id;
    const uint64_t tag = v & ~PAGE_MASK;

    if (!tagged || tag >= FAKE_TAGS || (v & PTE_ADDR) >> PAGE_SHIFT != this_cpu()->root.n) {
        fprintf(stderr, "fake: CPU %u would load %#lx into CR3\n", cpu, v);
        abort();
    }
    fake_counts.root_loads++;
    fake_tlb_set_tag(cpu, tag);
    if (v >> 63)
        return;
    fake_counts.tag_flushes++;
    fake_tlb_flush_tag(cpu, tag);
}

/* The metal's faults on an address that is not canonical. */
void hal_invpcid(uint64_t tag, uint64_t va)
{
    if (!tagged || tag >= FAKE_TAGS || (uint64_t)((int64_t)(va << 16) >> 16) != va) {
        fprintf(stderr, "fake: INVPCID of %#lx, tag %lu\n", va, tag);
        abort();
    }
    fake_tlb_flush_tagged_page(this_cpu()->id, tag, va);
}

static void load_plain(mfn_t m)
{
    const uint32_t taken = tlb_flush_begin();

    this_cpu()->root = m;
    fake_counts.root_loads++;
    fake_tlb_flush_all(this_cpu()->id);
    tlb_flush_end(taken);
}

void hal_load_root(mfn_t m)
{
    fake_counts.full_flushes++;
    if (!tagged) {
        load_plain(m);
        return;
    }
    tags_load_root(mfn_is_none(m) ? mfn_make(0) : m);
    this_cpu()->root = m;
}

void hal_switch_root(mfn_t m)
{
    if (tagged)
        tags_switch_root(m);
    else
        hal_load_root(m);
}

void hal_tlb_flush_local(void)
{
    hal_load_root(this_cpu()->root);
}

void hal_invlpg_local(uint64_t va)
{
    fake_counts.invlpgs++;
    if (tagged)
        tags_invlpg(va);
    else
        fake_tlb_flush_page(this_cpu()->id, va);
}

void fake_once(void (**hook)(void))
{
    void (*const call)(void) = *hook;

    *hook = NULL;
    if (call)
        call();
}

void hal_tlb_flush(cpumask_t mask)
{
    struct cpu *const self = fake_this_cpu;

    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        fake_this_cpu = cpus[cpu];
        if (mask >> cpu & 1)
            hal_tlb_flush_local();
    }
    fake_this_cpu = self;
    fake_once(&fake_metal.after_flush);
}

/* One page on each; the metal flushes others whole. */
void hal_invlpg(cpumask_t mask, uint64_t va)
{
    struct cpu *const self = fake_this_cpu;

    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        fake_this_cpu = cpus[cpu];
        if (mask >> cpu & 1)
            hal_invlpg_local(va);
    }
    fake_this_cpu = self;
}

/* Slots that a test recognises; the user bit off, so that no guest access goes through them. */
static uint64_t root_template[TABLE_ENTRIES];
const uint64_t *hal_root_template = root_template;

static __attribute__((constructor)) void make_template(void)
{
    for (unsigned slot = 0; slot < TABLE_ENTRIES; slot++)
        root_template[slot] = 0x1000ull * slot | 0x63;
}

/* --- guest memory: page by page through the current TLB --- */

/* The metal copies wherever it is told to: that it is not told our own addresses is the core's
 * part. */
static void must_be_guests(uint64_t va, uint64_t bytes)
{
    if (bytes && !guest_range_ok(guest_va_make(va), bytes)) {
        fprintf(stderr, "fake: copy of %lu bytes at %#lx, which is not a guest's range\n", bytes,
                va);
        abort();
    }
}

static uint64_t copy_pages(uint8_t *here, uint64_t va, uint64_t bytes, bool to_guest)
{
    const struct cpu *c = this_cpu();

    while (bytes) {
        const uint64_t n = MIN(bytes, PAGE_SIZE - va % PAGE_SIZE);
        uint8_t *p = fake_translate(c->id, c->root, va, to_guest);

        if (!p)
            break;
        if (to_guest)
            memcpy(p, here, n);
        else
            memcpy(here, p, n);
        here += n;
        va += n;
        bytes -= n;
    }
    return bytes;
}

uint64_t hal_copy_from_guest(void *dst, uint64_t src, uint64_t bytes)
{
    uint64_t left;

    must_be_guests(src, bytes);
    left = copy_pages(dst, src, bytes, false);
    if (!left && fake_metal.after_guest_read)
        fake_metal.after_guest_read(src, bytes);
    return left;
}

uint64_t hal_copy_to_guest(uint64_t dst, const void *src, uint64_t bytes)
{
    uint8_t *copy = malloc(bytes + 1);
    uint64_t left;

    must_be_guests(dst, bytes);
    memcpy(copy, src, bytes);
    fake_output(copy, bytes);
    left = copy_pages(copy, dst, bytes, true);
    free(copy);
    return left;
}

bool fake_load(uint64_t va, uint64_t *value)
{
    return copy_pages((uint8_t *)value, va, sizeof(*value), false) == 0;
}

bool fake_store(uint64_t va, uint64_t value)
{
    return copy_pages((uint8_t *)&value, va, sizeof(value), true) == 0;
}

/* --- state that only metal holds --- */

static uint64_t segbases[FAKE_CPUS][3];

uint64_t hal_segbase_read(enum hal_segbase which)
{
    return segbases[this_cpu()->id][which];
}
void hal_segbase_write(enum hal_segbase which, uint64_t base)
{
    segbases[this_cpu()->id][which] = base;
}
void hal_swapgs(void)
{
    uint64_t *b = segbases[this_cpu()->id], t = b[HAL_GS_BASE];

    b[HAL_GS_BASE] = b[HAL_GS_BASE_INACTIVE];
    b[HAL_GS_BASE_INACTIVE] = t;
    fake_metal.swapgs++;
}
void hal_load_gs_user_sel(uint16_t sel)
{
    fake_metal.gs_user_sel = sel;
}
void hal_read_selectors(struct cpu_user_regs *r)
{
    r->ds = fake_metal.selectors[0];
    r->es = fake_metal.selectors[1];
    r->fs = fake_metal.selectors[2];
    r->gs = fake_metal.selectors[3];
}
void hal_descriptors_changed(void)
{
    windows_show(this_cpu()->id, &this_cpu()->current->pv);
}
void hal_set_ts(bool ts)
{
    fake_metal.ts = ts;
}
void hal_cr4_changed(void)
{
    fake_metal.cr4_changes++;
}
bool hal_xsetbv(uint64_t xcr0)
{
    return xcr0 & 1 && !(xcr0 & ~hal_xcr0_supported);
}
void hal_debugreg_changed(void)
{
    fake_metal.debugreg_changes++;
}

/* --- time --- */

ns_t hal_now(void)
{
    return fake_time;
}
uint64_t hal_rdtsc(void)
{
    return fake_time;
}
void hal_time_params(struct vcpu_time_info *t)
{
    *t = (struct vcpu_time_info){.tsc_timestamp = fake_time,
                                 .system_time = fake_time,
                                 .tsc_to_system_mul = 0x80000000u,
                                 .tsc_shift = 1,
                                 .flags = XEN_PVCLOCK_TSC_STABLE_BIT};
}
void hal_timer_arm(ns_t deadline)
{
    fake_timer[this_cpu()->id] = deadline;
}

/* --- interrupts, ports, registers --- */

int hal_gsi_setup(unsigned gsi, bool level, bool active_low)
{
    (void)level, (void)active_low;
    return gsi < 24 ? 0 : -XEN_EINVAL;
}
void hal_gsi_change(unsigned gsi, enum hal_gsi_change change)
{
    (void)gsi, (void)change;
}
int hal_ioapic_read(uint64_t physbase, uint32_t reg, uint32_t *value)
{
    (void)physbase;
    *value = 0;
    return reg <= 2 ? 0 : -XEN_EINVAL;
}
static void port_log(uint16_t port, unsigned bytes, bool out, uint32_t value)
{
    if (fake_metal.port_count < FAKE_PORT_LOG)
        fake_metal.ports[fake_metal.port_count] =
            (struct fake_port_access){port, (uint8_t)bytes, out, value};
    fake_metal.port_count++;
}
uint32_t hal_port_in(uint16_t port, unsigned bytes)
{
    uint32_t value = fake_metal.port_value & (bytes == 4 ? ~0u : (1u << bytes * 8) - 1);

    port_log(port, bytes, false, value);
    return value;
}
void hal_port_out(uint16_t port, unsigned bytes, uint32_t value)
{
    port_log(port, bytes, true, value);
}
/* By the ports, unless a test has a device. */
uint32_t hal_pci_in(uint32_t address, unsigned offset, unsigned bytes)
{
    if (fake_metal.pci)
        return fake_metal.pci(address, offset, bytes, NULL);
    hal_port_out(0xcf8, 4, address);
    return hal_port_in((uint16_t)(0xcfc + offset), bytes);
}
void hal_pci_out(uint32_t address, unsigned offset, unsigned bytes, uint32_t value)
{
    if (fake_metal.pci) {
        fake_metal.pci(address, offset, bytes, &value);
        return;
    }
    hal_port_out(0xcf8, 4, address);
    hal_port_out((uint16_t)(0xcfc + offset), bytes, value);
}
volatile void *hal_device_page(mfn_t m)
{
    return m.n == FAKE_MMIO_FRAME ? fake_metal.device : NULL;
}
int hal_msi_route(unsigned pirq, uint64_t *address, uint32_t *data)
{
    if (fake_metal.msi_routes == fake_metal.msi_routes_max)
        return -XEN_ENOSPC;
    fake_metal.msi_routes++;
    *address = 0xfee01000;
    *data = pirq;
    return 0;
}
void hal_msi_unroute(unsigned pirq)
{
    (void)pirq;
    fake_metal.msi_routes--;
}
bool hal_port_is_ours(uint16_t port)
{
    return port >= 0x3f8 && port < 0x400;
}
bool hal_mmio_is_ours(mfn_t m)
{
    return m.n == FAKE_MMIO_FRAME + 1;
}
bool hal_rdmsr_safe(uint32_t msr, uint64_t *value)
{
    if (fake_metal.rdmsr)
        return fake_metal.rdmsr(msr, value);
    *value = fake_metal.msrs_exist ? 0x5500000000ull | msr : 0;
    fake_metal.msr_reads++;
    return fake_metal.msrs_exist;
}
bool hal_wrmsr_safe(uint32_t msr, uint64_t value)
{
    if (fake_metal.wrmsr)
        return fake_metal.wrmsr(msr, value);
    fake_metal.msr_writes++;
    return fake_metal.msrs_exist;
}
void hal_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof(out[0]));
    if (fake_metal.cpuid)
        fake_metal.cpuid(leaf, subleaf, out);
}
void hal_root_changed(mfn_t m)
{
    (void)m;
}
void hal_wbinvd(void)
{
    fake_metal.wbinvds++;
}
uint32_t hal_cpu_apic_id(unsigned cpu)
{
    return cpu;
}
const struct option hal_options[] = {{.name = NULL}};

/* --- console and the end --- */

static char log_text[4096];
static size_t log_used;

void hal_serial_write(const char *s, size_t len)
{
    const size_t n = MIN(len, sizeof(log_text) - 1 - log_used);

    for (size_t i = 0; i < n; i++)
        log_text[log_used++] = s[i] ? s[i] : '.'; /* read as a string */
    if (fake_verbose)
        fwrite(s, 1, len, stderr);
}

const char *fake_log_take(void)
{
    log_text[log_used] = '\0';
    log_used = 0;
    return log_text;
}

void (*fake_on_end)(const char *said);

static noreturn_fn void the_end(const char *what)
{
    if (fake_on_end)
        fake_on_end(fake_log_take());
    fprintf(stderr, "%s\nfake machine: %s\n", fake_log_take(), what);
    abort();
}

noreturn_fn void hal_reboot(void)
{
    the_end("reboot");
}
noreturn_fn void hal_halt(void)
{
    the_end("halt");
}
int hal_acpi_sleep(uint32_t sleep_state, uint32_t pm1a, uint32_t pm1b)
{
    (void)sleep_state, (void)pm1a, (void)pm1b;
    return -XEN_EINVAL;
}
