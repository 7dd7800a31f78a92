/* SPDX-License-Identifier: MIT */
/*
 * Speculation faults on the metal: what the boot CPU is, and what the plan (tenue/spec.h) means
 * here. The boot CPU decides, writes its MSRs and patches code; every other CPU writes and reads
 * back its own before it runs a guest (SPEC-7). Sites are patched once, before other CPUs start.
 */
#include <tenue/hal.h>
#include <tenue/log.h>
#include <tenue/spec.h>

#include "asm.h"
#include "lib.h"
#include "machine.h"
#include "spec.h"

#define HYPERVISOR_LEAF 0x40000000u

/* Five bytes become a jump to `to`; or, without one, three become insn, or a jump of two bytes
 * goes. */
struct spec_site {
    uint64_t at, to;
    uint32_t bits; /* of the plan, or SITE_...: where one of them is on */
    uint32_t insn;
};
extern const struct spec_site spec_sites_start[], spec_sites_end[];
extern uint8_t thunks_start[];

#define THUNK_SIZE 32u

static struct spec_cpu boot_cpu;
/* What isolation.S writes to MSR_SPEC_CTRL. */
uint32_t spec_ctrl_entry, spec_ctrl_exit;

static bool is_emulated(void)
{
    uint32_t r[4];

    hal_cpuid(1, 0, r);
    if (!(r[2] >> 31))
        return false;
    hal_cpuid(HYPERVISOR_LEAF, 0, r);
    return memcmp(&r[1], "TCGTCGTCGTCG", 12) == 0;
}

static void read_family(struct spec_cpu *c)
{
    uint32_t r[4];

    hal_cpuid(1, 0, r);
    c->stepping = r[0] & 0xf;
    c->model = r[0] >> 4 & 0xf;
    c->family = r[0] >> 8 & 0xf;
    if (c->family == 6 || c->family == 0xf)
        c->model |= r[0] >> 12 & 0xf0;
    if (c->family == 0xf)
        c->family += r[0] >> 20 & 0xff;
}

static void read_cpu(struct spec_cpu *c)
{
    uint32_t r[4];

    *c = (struct spec_cpu){.vendor = is_emulated() ? SPEC_EMULATED : cpu_features.vendor};
    read_family(c);
    cpuid_if_there(7, 0, r);
    c->leaf7_ebx = r[1];
    c->leaf7_edx = r[3];
    if (r[0] >= 2) { /* subleaves */
        hal_cpuid(7, 2, r);
        c->leaf7_2_edx = r[3];
    }
    cpuid_if_there(0x80000008, 0, r);
    c->ext8_ebx = r[1];
    cpuid_if_there(0x80000021, 0, r);
    c->ext21_eax = r[0];
    c->ext21_ecx = r[2];
    if (c->leaf7_edx & CPUID7_EDX_ARCH_CAPS)
        hal_rdmsr_safe(MSR_ARCH_CAPABILITIES, &c->arch_caps);
}

/* Bits of an APIC id that tell threads of a core apart. */
static uint32_t thread_bits(void)
{
    uint32_t r[4];

    cpuid_if_there(0xb, 0, r);
    if (r[1] != 0)
        return (1u << (r[0] & 0x1f)) - 1;
    cpuid_if_there(0x8000001e, 0, r);
    return cpu_is_amd() && (r[1] >> 8 & 0xff);
}

bool spec_cpu_parked(uint32_t apic_id)
{
    return spec_plan.on & SPEC_SMT_OFF && apic_id & thread_bits();
}

static bool threads_share_cores(void)
{
    const uint32_t bits = thread_bits();

    for (unsigned i = 0; i < acpi.cpus; i++)
        if (acpi.cpu_apic_ids[i] & bits)
            return true;
    return false;
}

/* Code is read-only in the image mapping; the direct map has it writable. */
static uint8_t *writable(uint64_t code)
{
    return hal_direct_map + (code - HV_VIRT_BASE);
}

static void patch_sites(void)
{
    static const uint8_t nop2[] = {0x66, 0x90};
    const uint32_t on = spec_plan.on | (host_cr4 & CR4_SMAP ? SITE_SMAP : 0) |
                        (host_cr4 & CR4_PCIDE ? SITE_TAGS : 0);

    for (const struct spec_site *s = spec_sites_start; s != spec_sites_end; s++) {
        int32_t rel = (int32_t)(s->to - (s->at + 5));
        uint8_t *p = writable(s->at);

        if (!(on & s->bits))
            continue;
        if (s->to != 0) {
            p[0] = 0xe9;
            memcpy(p + 1, &rel, sizeof(rel));
        } else if (s->insn != 0) {
            memcpy(p, &s->insn, 3);
        } else {
            memcpy(p, nop2, sizeof(nop2));
        }
    }
}

/* [lfence;] jmp *%reg */
static void patch_thunks(void)
{
    if (spec_plan.thunk == THUNK_RETPOLINE)
        return;
    for (unsigned reg = 0; reg < 16; reg++) {
        static const uint8_t lfence[] = {0x0f, 0xae, 0xe8};
        uint8_t *p = writable((uint64_t)thunks_start + reg * THUNK_SIZE);

        if (spec_plan.thunk == THUNK_LFENCE) {
            memcpy(p, lfence, sizeof(lfence));
            p += sizeof(lfence);
        }
        if (reg >= 8)
            *p++ = 0x41;
        *p++ = 0xff;
        *p = (uint8_t)(0xe0 | (reg & 7));
    }
}

/* Once the CPU has its descriptor windows; before that, no guest. */
static void isolate(struct pcpu *c)
{
    if (!(spec_plan.on & SPEC_PTI))
        return;
    isolation_init_cpu(c);
    c->cr4 = host_cr4;
    cr4_write(host_cr4);
}

void spec_init(void)
{
    struct pcpu *c = this_pcpu();

    read_cpu(&boot_cpu);
    boot_cpu.smt = threads_share_cores();
    spec_decide(&boot_cpu, &spec_options, &spec_plan);
    spec_apply(&spec_plan);
    spec_ctrl_entry = (uint32_t)(spec_plan.spec_ctrl | SPEC_CTRL_IBRS);
    spec_ctrl_exit = (uint32_t)spec_plan.spec_ctrl;
    if (spec_plan.on & SPEC_PTI)
        host_cr4 &= ~(uint64_t)(CR4_PGE | CR4_PCIDE);
    patch_sites();
    patch_thunks();
    isolate(c);
    idt_load_cpu(c);
}

void spec_init_cpu(struct pcpu *p)
{
    struct spec_cpu c;

    isolate(p);
    read_cpu(&c);
    c.smt = boot_cpu.smt;
    if (spec_issues(&c) & ~spec_issues(&boot_cpu))
        log_err("speculation: CPU %u has faults that the boot CPU has not, beyond the plan: %#x",
                this_cpu()->id, spec_issues(&c) & ~spec_issues(&boot_cpu));
    spec_apply(&spec_plan);
}

void spec_done(void)
{
    spec_report(&boot_cpu, &spec_plan);
}
