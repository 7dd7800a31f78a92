/* SPDX-License-Identifier: MIT */
/*
 * The IDT, shared by all CPUs, and each CPU's SYSCALL stub.
 *
 * All gates are interrupt gates (ENT-13). DPL 3 only for 3, 4 and 0x80: every other `int n` of a
 * guest is #GP, decoded in pv/. NMI, machine check, double fault and debug use IST stacks (ENT-6).
 *
 * LSTAR points to code in the CPU's own block (stub.S).
 */
#include <tenue/assert.h>
#include <tenue/hal.h>

#include "asm.h"
#include "lib.h"
#include "machine.h"
#include "spec.h"

#define GATE_INTERRUPT 0xeull

extern uint8_t idt_stubs[], idt_stubs_end[];
extern uint8_t sysenter_entry[], fast_page_fault[];
/* stub.S */
extern const uint8_t stubs[], stubs_end[], stub_syscall[], stub_syscall32[], stub_fast[];
extern const uint8_t stub_isolated[], stub_isolated32[];
extern const uint32_t stub_jumps[], stub_jumps_end[]; /* where distances are, from stubs on */

struct gate idt[256] __attribute__((aligned(4096)));

/* Where c has its copy. */
static uint64_t stub_of_cpu(const struct pcpu *c, const uint8_t *stub)
{
    return (uint64_t)c + BLOCK_STUB_OFF + (uint64_t)(stub - stubs);
}

static void gate_set(unsigned v, const uint8_t *entry)
{
    static const uint8_t ist[VEC_EXCEPTIONS] = {
        [VEC_DB] = IST_DB, [VEC_NMI] = IST_NMI, [VEC_DF] = IST_DF, [VEC_MC] = IST_MC};
    const uint64_t stack = v < VEC_EXCEPTIONS ? ist[v] : IST_NONE;
    const uint64_t dpl = v == VEC_BP || v == VEC_OF || v == VEC_INT80 ? 3 : 0;
    uint64_t to = (uint64_t)entry;

    idt[v].lo = (to & 0xffff) | (uint64_t)SEL_HV_CS << 16 | stack << 32 | GATE_INTERRUPT << 40 |
                dpl << 45 | 1ull << 47 | (to >> 16 & 0xffff) << 48;
    idt[v].hi = to >> 32;
}

void idt_init(void)
{
    BUG_ON(idt_stubs_end - idt_stubs != 256 * 16);
    for (unsigned v = 0; v < 256; v++)
        gate_set(v, idt_stubs + 16 * v);
}

/* All CPUs share the gate: whoever allows fast.S last decides for all. Which of them a fault takes
 * is the same to the guest. fast.S does nothing about speculation. */
void hal_fast_paths(bool allowed)
{
    const bool fast = allowed && x86_options.fastpaths && !(spec_plan.on & SPEC_AT_TRANSITIONS);
    const uint8_t *general = spec_plan.on & SPEC_AT_ENTRY ? stub_isolated : stub_syscall;

    wrmsr(MSR_LSTAR, stub_of_cpu(this_pcpu(), fast ? stub_fast : general));
    gate_set(VEC_PF, fast ? fast_page_fault : idt_stubs + 16 * VEC_PF);
}

/* All of stub.S to the CPU's page; the jumps are relative, and lead to where they did. */
static void stubs_copy(const struct pcpu *c)
{
    const uint64_t to = stub_of_cpu(c, stubs);
    uint8_t *page = mfn_to_ptr(maddr_to_mfn(maddr_make(*paging_l1_of(to) & PTE_ADDR)));
    int32_t distance;

    STATIC_ASSERT(stub_jumps_reach, DEVICE_VIRT - HV_VIRT_BASE <= 1ull << 31);
    memcpy(page, stubs, (size_t)(stubs_end - stubs));
    for (const uint32_t *j = stub_jumps; j != stub_jumps_end; j++) {
        memcpy(&distance, stubs + *j, sizeof(distance));
        distance -= (int32_t)(to - (uint64_t)stubs);
        memcpy(page + *j, &distance, sizeof(distance));
    }
}

static void syscall_init_cpu(const struct pcpu *c)
{
    const uint8_t *stub32 = spec_plan.on & SPEC_AT_ENTRY ? stub_isolated32 : stub_syscall32;

    stubs_copy(c);
    hal_fast_paths(true);
    wrmsr(MSR_CSTAR, stub_of_cpu(c, stub32));
    wrmsr(MSR_STAR, (uint64_t)FLAT_RING3_CS32 << 48 | (uint64_t)SEL_HV_CS << 32);
    wrmsr(MSR_FMASK, EFLAGS_TF | EFLAGS_IF | EFLAGS_DF | EFLAGS_IOPL | EFLAGS_NT | EFLAGS_RF |
                         EFLAGS_VM | EFLAGS_AC);
    if (cpu_features.sysenter) {
        wrmsr(MSR_SYSENTER_CS, SEL_HV_CS);
        wrmsr(MSR_SYSENTER_ESP, c->entry.tss.rsp[0]);
        wrmsr(MSR_SYSENTER_EIP, (uint64_t)sysenter_entry);
    }
}

void idt_load_cpu(struct pcpu *c)
{
    const struct table_register idtr = {sizeof(idt) - 1, (uint64_t)idt};

    __asm__ volatile("lidt %0" ::"m"(idtr));
    syscall_init_cpu(c);
}
