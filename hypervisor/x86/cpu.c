/* SPDX-License-Identifier: MIT */
/*
 * What this CPU can do and how it is set up: the metal's side of the feature policy. What guests
 * are told is pv/cpuid.c's business.
 *
 * CR4 is one function of the host's policy and the guest's view (ENT-11): TSD, DE and FSGSBASE are
 * the guest's (what WRFSBASE loads is canonical, and is read back before another vcpu runs); UMIP
 * is off unless asked for, because user space may use SIDT and friends on a PV kernel.
 */
#include <tenue/vcpu.h>

#include "asm.h"
#include "lib.h"
#include "machine.h"

#define APIC_BASE_X2APIC (1u << 10)

struct cpu_features cpu_features;
uint64_t host_cr4;
static uint64_t cr4_guest = CR4_TSD | CR4_DE; /* FSGSBASE, too, where there is any */
unsigned hal_maddr_bits;
bool hal_null_clears_base;

static enum spec_vendor vendor_of(const char *ebx)
{
    static const char starts[][5] = {
        [SPEC_INTEL] = "Genu", [SPEC_AMD] = "Auth", [SPEC_HYGON] = "Hygo"};
    enum spec_vendor v = SPEC_INTEL;

    while (v < SPEC_OTHER && memcmp(ebx, starts[v], 4) != 0)
        v++;
    return v;
}

void cpu_detect(void)
{
    uint32_t r[4], pcid;

    hal_cpuid(0, 0, r);
    cpu_features.vendor = vendor_of((const char *)&r[1]);
    hal_cpuid(1, 0, r);
    cpu_features.xsave = r[2] >> 26 & 1;
    pcid = r[2] >> 17 & x86_options.pcid;
    host_cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    host_cr4 |= r[3] >> 7 & 1 ? CR4_MCE : 0;
    host_cr4 |= cpu_features.xsave ? CR4_OSXSAVE : 0;
    cpu_features.sysenter = cpu_features.vendor == SPEC_INTEL && (r[3] >> 11 & 1);
    cpu_features.x2apic = (r[2] >> 21 & 1) && (rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC);
    cpuid_if_there(7, 0, r);
    cr4_guest |= r[1] & 1 ? CR4_FSGSBASE : 0;
    host_cr4 |= r[1] >> 7 & x86_options.smep ? CR4_SMEP : 0;
    host_cr4 |= r[1] >> 20 & x86_options.smap ? CR4_SMAP : 0;
    host_cr4 |= r[2] >> 2 & x86_options.umip ? CR4_UMIP : 0;
    host_cr4 |= r[1] >> 10 & pcid ? CR4_PCIDE : 0; /* tags want INVPCID, too (ADR 65) */
    cpuid_if_there(0xd, 1, r);
    cpu_features.xsaveopt = cpu_features.xsave && (r[0] & 1);
    cpuid_if_there(0x80000001, 0, r);
    cpu_features.rdtscp = r[3] >> 27 & 1;
    cpuid_if_there(0x80000008, 0, r);
    hal_maddr_bits = r[0] != 0 ? r[0] & 0xff : 36;
    wrmsr(MSR_FS_BASE, 1);
    load_fs(0);
    hal_null_clears_base = rdmsr(MSR_FS_BASE) == 0;
    cpu_features.fx_leaks_pointers = cpu_is_amd() && !(r[1] >> 2 & 1);
}

void cpu_init(struct pcpu *c)
{
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
    wrmsr(MSR_PAT, HAL_PAT);
    __asm__ volatile("mov %0, %%cr0" ::"r"((uint64_t)CR0_OURS));
    c->cr0_ts = 0;
    c->cr4 = host_cr4;
    cr4_write(host_cr4);
    if (cpu_features.rdtscp)
        wrmsr(MSR_TSC_AUX, 0);
    __asm__ volatile("mov %0, %%dr7" ::"r"(0x400ull));
}

void hal_cr4_changed(void)
{
    const uint64_t v = host_cr4 | (this_cpu()->current->pv.cr4_guest & cr4_guest);
    struct pcpu *c = this_pcpu();

    if (c->cr4 == v)
        return;
    c->cr4 = v;
    cr4_write(v);
}

void hal_set_ts(bool ts)
{
    struct pcpu *c = this_pcpu();

    if (c->cr0_ts == ts)
        return;
    c->cr0_ts = ts;
    if (ts)
        __asm__ volatile("mov %0, %%cr0" ::"r"((uint64_t)CR0_OURS | CR0_TS));
    else
        __asm__ volatile("clts");
}
