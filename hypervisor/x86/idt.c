/* SPDX-License-Identifier: MIT */
/*
 * The IDT, shared by all CPUs, and each CPU's SYSCALL stub.
 *
 * All gates are interrupt gates (ENT-13). DPL 3 only for 3, 4 and 0x80: every other `int n` of a
 * guest is #GP, decoded in pv/. NMI, machine check, double fault and debug use IST stacks (ENT-6).
 *
 * LSTAR points to code in the CPU's own block, which finds the stack without SWAPGS or any guest
 * register: it stores and loads RSP relative to itself.
 */
#include <tenue/assert.h>
#include <tenue/hal.h>

#include "asm.h"
#include "lib.h"
#include "machine.h"

#define GATE_INTERRUPT 0xeull

struct gate {
    uint64_t lo, hi;
};

extern uint8_t idt_stubs[], idt_stubs_end[];
extern uint8_t syscall_entry[], syscall32_entry[], sysenter_entry[];

static struct gate idt[256] __attribute__((aligned(4096)));

static unsigned gate_dpl(unsigned vector)
{
    return vector == VEC_BP || vector == VEC_OF || vector == VEC_INT80 ? 3 : 0;
}

static enum ist_stack gate_ist(unsigned vector)
{
    switch (vector) {
    case VEC_DB:
        return IST_DB;
    case VEC_NMI:
        return IST_NMI;
    case VEC_DF:
        return IST_DF;
    case VEC_MC:
        return IST_MC;
    default:
        return IST_NONE;
    }
}

void idt_init(void)
{
    BUG_ON(idt_stubs_end - idt_stubs != 256 * 16);
    for (unsigned v = 0; v < 256; v++) {
        uint64_t to = (uint64_t)idt_stubs + 16 * v;

        idt[v].lo = (to & 0xffff) | (uint64_t)SEL_HV_CS << 16 | (uint64_t)gate_ist(v) << 32 |
                    GATE_INTERRUPT << 40 | (uint64_t)gate_dpl(v) << 45 | 1ull << 47 |
                    (to >> 16 & 0xffff) << 48;
        idt[v].hi = to >> 32;
    }
}

static uint8_t *emit_rel32(uint8_t *at, uint8_t *rip_alias, const uint8_t *target)
{
    int64_t rel = target - (rip_alias + 4);

    BUG_ON(rel != (int32_t)rel);
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)((uint32_t)rel >> (8 * i));
    return at + 4;
}

/* mov %rsp, scratch(%rip); lea stack(%rip), %rsp; jmp target. Written at w, executed at x. */
static uint8_t *emit_stub(uint8_t *w, uint8_t *x, struct pcpu *c, const uint8_t *target)
{
    const uint8_t *const start = w;
    const uint8_t stack[] = {0x48, 0x8d, 0x25}, scratch[] = {0x48, 0x89, 0x25};

    memcpy(w, scratch, 3);
    w = emit_rel32(w + 3, x + (w + 3 - start), (uint8_t *)&c->scratch_rsp);
    memcpy(w, stack, 3);
    w = emit_rel32(w + 3, x + (w + 3 - start), (uint8_t *)c->tss.rsp[0]);
    *w++ = 0xe9;
    return emit_rel32(w, x + (w - start), target);
}

/* stub_alias: where the stub page can be written. */
static void syscall_init_cpu(struct pcpu *c, uint8_t *stub_alias)
{
    uint8_t *x = (uint8_t *)c + BLOCK_STUB_OFF;
    uint8_t *end = emit_stub(stub_alias, x, c, syscall_entry);

    wrmsr(MSR_LSTAR, (uint64_t)x);
    wrmsr(MSR_CSTAR, (uint64_t)(x + (end - stub_alias)));
    emit_stub(end, x + (end - stub_alias), c, syscall32_entry);
    wrmsr(MSR_STAR, (uint64_t)FLAT_RING3_CS32 << 48 | (uint64_t)SEL_HV_CS << 32);
    wrmsr(MSR_FMASK, EFLAGS_TF | EFLAGS_IF | EFLAGS_DF | EFLAGS_IOPL | EFLAGS_NT | EFLAGS_RF |
                         EFLAGS_VM | EFLAGS_AC);
    if (cpu_features.sysenter) {
        wrmsr(MSR_SYSENTER_CS, SEL_HV_CS);
        wrmsr(MSR_SYSENTER_ESP, c->tss.rsp[0]);
        wrmsr(MSR_SYSENTER_EIP, (uint64_t)sysenter_entry);
    }
}

void idt_load_cpu(struct pcpu *c)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr = {sizeof(idt) - 1, (uint64_t)idt};
    maddr_t stub = paging_maddr_of((uint64_t)c + BLOCK_STUB_OFF);

    __asm__ volatile("lidt %0" ::"m"(idtr));
    syscall_init_cpu(c, mfn_to_ptr(maddr_to_mfn(stub)));
}
