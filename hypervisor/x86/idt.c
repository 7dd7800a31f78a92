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
#include "spec.h"

#define GATE_INTERRUPT 0xeull

struct gate {
    uint64_t lo, hi;
};

extern uint8_t idt_stubs[], idt_stubs_end[];
extern uint8_t syscall_entry[], syscall32_entry[], sysenter_entry[];
extern uint8_t isolation_syscall[], isolation_syscall32[];
extern uint8_t fast_syscall[], fast_page_fault[];

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

static void gate_set(unsigned v, const uint8_t *entry)
{
    uint64_t to = (uint64_t)entry;

    idt[v].lo = (to & 0xffff) | (uint64_t)SEL_HV_CS << 16 | (uint64_t)gate_ist(v) << 32 |
                GATE_INTERRUPT << 40 | (uint64_t)gate_dpl(v) << 45 | 1ull << 47 |
                (to >> 16 & 0xffff) << 48;
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
    const struct pcpu *c = this_pcpu();
    const bool fast = allowed && x86_options.fastpaths && !spec_works_on_transitions();

    wrmsr(MSR_LSTAR, fast ? c->syscall_fast : c->syscall_general);
    gate_set(VEC_PF, fast ? fast_page_fault : idt_stubs + 16 * VEC_PF);
}

static uint8_t *emit_rel32(uint8_t *at, uint8_t *rip_alias, const uint8_t *target)
{
    int64_t rel = target - (rip_alias + 4);

    BUG_ON(rel != (int32_t)rel);
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)((uint32_t)rel >> (8 * i));
    return at + 4;
}

/* A stub under construction: written at w, executed at x. */
struct emit {
    uint8_t *w, *x;
};

static void emit_bytes(struct emit *e, const uint8_t *bytes, unsigned n)
{
    memcpy(e->w, bytes, n);
    e->w += n;
    e->x += n;
}

/* Three bytes of opcode, and target relative to RIP. */
static void emit_rip(struct emit *e, const uint8_t opcode[3], const void *target)
{
    emit_bytes(e, opcode, 3);
    e->w = emit_rel32(e->w, e->x, target);
    e->x += 4;
}

/* mov %rax, scratch(%rip); load our root; mov scratch(%rip), %rax. */
static void emit_isolation(struct emit *e, struct pcpu *c)
{
    static const uint8_t save[] = {0x48, 0x89, 0x05}, load[] = {0x48, 0x8b, 0x05},
                         cr3[] = {0x0f, 0x22, 0xd8};

    emit_rip(e, save, &c->entry.scratch_rax);
    emit_rip(e, load, &c->entry.full_cr3);
    emit_bytes(e, cr3, sizeof(cr3));
    emit_rip(e, load, &c->entry.scratch_rax);
}

/* mov %rsp, save(%rip); [isolation;] lea stack(%rip), %rsp; jmp target. */
static void emit_stub_with(struct emit *e, struct pcpu *c, const void *save, const void *stack_at,
                           const uint8_t *target)
{
    static const uint8_t store[] = {0x48, 0x89, 0x25}, stack[] = {0x48, 0x8d, 0x25}, jmp[] = {0xe9};

    emit_rip(e, store, save);
    if (c->guest_l4 != NULL)
        emit_isolation(e, c);
    emit_rip(e, stack, stack_at);
    emit_bytes(e, jmp, 1);
    e->w = emit_rel32(e->w, e->x, target);
    e->x += 4;
}

static void emit_stub(struct emit *e, struct pcpu *c, const uint8_t *target)
{
    emit_stub_with(e, c, &c->entry.scratch_rsp, (const void *)pcpu_regs_top(c), target);
}

/* fast.S has the guest's stack pointer where it belongs, and the stack at the register frame. */
static void emit_fast_stub(struct emit *e, struct pcpu *c)
{
    const struct cpu_user_regs *frame = (void *)((uint8_t *)c + BLOCK_STACK_TOP);

    frame--;
    emit_stub_with(e, c, &frame->rsp, frame, fast_syscall);
}

/* stub_alias: where the stub page can be written. */
static void syscall_init_cpu(struct pcpu *c, uint8_t *stub_alias)
{
    struct emit e = {stub_alias, (uint8_t *)c + BLOCK_STUB_OFF};
    bool work = spec_works_on_entry();

    c->syscall_general = (uint64_t)e.x;
    emit_stub(&e, c, work ? isolation_syscall : syscall_entry);
    c->syscall_fast = (uint64_t)e.x;
    emit_fast_stub(&e, c);
    hal_fast_paths(true);
    wrmsr(MSR_CSTAR, (uint64_t)e.x);
    emit_stub(&e, c, work ? isolation_syscall32 : syscall32_entry);
    wrmsr(MSR_STAR, (uint64_t)FLAT_RING3_CS32 << 48 | (uint64_t)SEL_HV_CS << 32);
    wrmsr(MSR_FMASK, EFLAGS_TF | EFLAGS_IF | EFLAGS_DF | EFLAGS_IOPL | EFLAGS_NT | EFLAGS_RF |
                         EFLAGS_VM | EFLAGS_AC);
    if (cpu_features.sysenter) {
        wrmsr(MSR_SYSENTER_CS, SEL_HV_CS);
        wrmsr(MSR_SYSENTER_ESP, c->entry.tss.rsp[0]);
        wrmsr(MSR_SYSENTER_EIP, (uint64_t)sysenter_entry);
    }
}

uint64_t idt_page(void)
{
    return (uint64_t)idt;
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
