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

struct spec_plan spec_plan;
static struct spec_cpu boot_cpu;

static bool is_emulated(void)
{
    uint32_t r[4];

    cpuid(1, 0, r);
    if (!(r[2] >> 31))
        return false;
    cpuid(HYPERVISOR_LEAF, 0, r);
    return memcmp(&r[1], "TCGTCGTCGTCG", 12) == 0;
}

static enum spec_vendor vendor_of(const uint32_t r[4])
{
    if (is_emulated())
        return SPEC_EMULATED;
    if (memcmp(&r[1], "Auth", 4) == 0)
        return SPEC_AMD;
    if (memcmp(&r[1], "Hygo", 4) == 0)
        return SPEC_HYGON;
    return memcmp(&r[1], "Genu", 4) == 0 ? SPEC_INTEL : SPEC_OTHER;
}

static void read_family(struct spec_cpu *c)
{
    uint32_t r[4];

    cpuid(1, 0, r);
    c->stepping = r[0] & 0xf;
    c->model = r[0] >> 4 & 0xf;
    c->family = r[0] >> 8 & 0xf;
    if (c->family == 6 || c->family == 0xf)
        c->model |= r[0] >> 12 & 0xf0;
    if (c->family == 0xf)
        c->family += r[0] >> 20 & 0xff;
}

static void read_extended(struct spec_cpu *c)
{
    uint32_t r[4], max;

    cpuid(0x80000000, 0, r);
    max = r[0];
    if (max >= 0x80000008) {
        cpuid(0x80000008, 0, r);
        c->ext8_ebx = r[1];
    }
    if (max >= 0x80000021) {
        cpuid(0x80000021, 0, r);
        c->ext21_eax = r[0];
        c->ext21_ecx = r[2];
    }
}

static void read_cpu(struct spec_cpu *c)
{
    uint32_t r[4], max;

    *c = (struct spec_cpu){0};
    cpuid(0, 0, r);
    max = r[0];
    c->vendor = vendor_of(r);
    read_family(c);
    if (max >= 7) {
        uint32_t subleaves;

        cpuid(7, 0, r);
        subleaves = r[0];
        c->leaf7_ebx = r[1];
        c->leaf7_edx = r[3];
        if (subleaves >= 2) {
            cpuid(7, 2, r);
            c->leaf7_2_edx = r[3];
        }
    }
    read_extended(c);
    if (c->leaf7_edx & CPUID7_EDX_ARCH_CAPS)
        hal_rdmsr_safe(MSR_ARCH_CAPABILITIES, &c->arch_caps);
}

/* Bits of an APIC id that tell threads of a core apart. */
static uint32_t thread_bits(void)
{
    uint32_t r[4], max;

    cpuid(0, 0, r);
    max = r[0];
    if (max >= 0xb) {
        cpuid(0xb, 0, r);
        if (r[1] != 0)
            return (1u << (r[0] & 0x1f)) - 1;
    }
    cpuid(0x80000000, 0, r);
    if (cpu_features.amd && r[0] >= 0x8000001e) {
        cpuid(0x8000001e, 0, r);
        return r[1] >> 8 & 0xff ? 1 : 0;
    }
    return 0;
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

void spec_init(void)
{
    read_cpu(&boot_cpu);
    boot_cpu.smt = threads_share_cores();
    spec_decide(&boot_cpu, &spec_options, &spec_plan);
    spec_apply(&spec_plan);
}

void spec_init_cpu(void)
{
    struct spec_cpu c;

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
