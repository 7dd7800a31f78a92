/* SPDX-License-Identifier: MIT */
/*
 * Making another vcpu current. Its registers move between struct vcpu and the top of this CPU's
 * stack; all else that the CPU holds of it is saved and loaded here, eagerly (REG-1, REG-4).
 *
 * Data selectors are the guest's live ones at all times; they and the bases are read only when the
 * vcpu leaves the CPU. A selector that no longer loads becomes null and the guest hears of it
 * through its failsafe callback (ENT-8).
 *
 * Order: the old vcpu is given up (is_running) only after the new root is loaded, so that nobody
 * frees a root that is in a CR3 (MM-18).
 */

#include <tenue/entrypoints.h>

#include "../pv/root.h"
#include "../pv/state.h"
#include "asm.h"
#include "machine.h"
#include "spec.h"

/*
 * A hypercall's frame is completed when somebody asks for it: SYSCALL implies most of the rest, and
 * what C preserves is in registers still, to be stored before anybody else runs (fast.S).
 */
struct cpu_user_regs *hal_guest_regs(void)
{
    struct cpu_user_regs *r = guest_frame();

    if (r->entry_vector == PV_EXIT_HYPERCALL) {
        r->entry_vector = PV_EXIT_SYSRET_OK;
        r->rcx = r->rip;
        r->r11 = r->rflags;
        r->cs = FLAT_RING3_CS64;
        r->ss = FLAT_RING3_SS64;
        r->rbx = r->rbp = r->r12 = r->r13 = r->r14 = r->r15 = 0;
    }
    return r;
}

void hal_read_selectors(struct cpu_user_regs *r)
{
    __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
                     : "=m"(r->ds), "=m"(r->es), "=m"(r->fs), "=m"(r->gs));
}

static void save_segments(struct vcpu *v)
{
    uint64_t active = rdmsr(MSR_GS_BASE), inactive = rdmsr(MSR_KERNEL_GS_BASE);

    hal_read_selectors(&v->regs);
    v->pv.fs_base = rdmsr(MSR_FS_BASE);
    v->pv.gs_base_kernel = v->pv.kernel_mode ? active : inactive;
    v->pv.gs_base_user = v->pv.kernel_mode ? inactive : active;
}

/* False when one of the four did not load. */
static bool load_segments(const struct vcpu *v)
{
    const struct cpu_user_regs *want = &v->regs;
    struct cpu_user_regs is;
    bool ok = true;

    hal_read_selectors(&is);
    if ((is.ds | want->ds) & ~3u)
        ok &= load_ds(want->ds);
    if ((is.es | want->es) & ~3u)
        ok &= load_es(want->es);
    if ((is.fs | want->fs) & ~3u)
        ok &= load_fs(want->fs);
    if ((is.gs | want->gs) & ~3u)
        ok &= load_gs(want->gs);
    wrmsr(MSR_FS_BASE, v->pv.fs_base);
    wrmsr(MSR_GS_BASE, v->pv.kernel_mode ? v->pv.gs_base_kernel : v->pv.gs_base_user);
    wrmsr(MSR_KERNEL_GS_BASE, v->pv.kernel_mode ? v->pv.gs_base_user : v->pv.gs_base_kernel);
    return ok;
}

static void debug_off(struct pcpu *c)
{
    if (c->dr7_active)
        __asm__ volatile("mov %0, %%dr7" ::"r"(DR7_DEFAULT));
    c->dr7_active = false;
}

static void debug_load(struct pcpu *c, const struct pv_vcpu *pv)
{
    if (!(pv->debugreg[7] & DR7_ENABLED)) {
        debug_off(c);
        return;
    }
    __asm__ volatile(
        "mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3" ::"r"(pv->debugreg[0]),
        "r"(pv->debugreg[1]), "r"(pv->debugreg[2]), "r"(pv->debugreg[3]));
    __asm__ volatile("mov %0, %%dr6; mov %1, %%dr7" ::"r"(DR6_DEFAULT), "r"(pv->debugreg[7]));
    c->dr7_active = true;
}

void hal_debugreg_changed(void)
{
    debug_load(this_pcpu(), &this_cpu()->current->pv);
}

static void save_current(struct pcpu *c, struct vcpu *v)
{
    v->regs = *hal_guest_regs();
    save_segments(v);
    fpu_save(c, v->hal);
    debug_off(c);
}

/* What one domain taught the predictors is not for another (SPEC-2). Nobody's vcpu before: unknown.
 */
static void predictor_barrier(const struct vcpu *prev, const struct vcpu *next)
{
    if (prev != NULL && prev->domain == next->domain)
        return;
    if (spec_plan.on & SPEC_IBPB)
        wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
    if (spec_plan.on & SPEC_RSB)
        __asm__ volatile("call spec_fill_rsb" ::: "rcx", "cc", "memory");
}

/* Everything of next but its registers and selectors. The root comes after the descriptor windows,
 * whose old translations its load flushes, and before the selectors: LDT faults look into memory.
 */
static void load_state(struct pcpu *c, struct vcpu *next)
{
    gdt_load_guest(c, &next->pv);
    hal_load_root(next->pv.kernel_mode ? next->pv.root_kernel : next->pv.root_user);
    hal_cr4_changed();
    if (cpu_features.rdtscp && c->tsc_aux != next->pv.tsc_aux) {
        c->tsc_aux = next->pv.tsc_aux;
        wrmsr(MSR_TSC_AUX, c->tsc_aux);
    }
    debug_load(c, &next->pv);
    fpu_load(c, next->hal, next->pv.xcr0);
    hal_set_ts((next->pv.cr0_guest & CR0_TS) != 0);
}

void hal_context_switch(struct vcpu *next)
{
    struct pcpu *c = this_pcpu();
    struct vcpu *prev = c->cpu.current;

    if (prev == next)
        return;
    if (prev != NULL)
        save_current(c, prev);
    WRITE_ONCE(next->is_running, 1 + c->cpu.id);
    c->cpu.current = next;
    if (spec_has(SPEC_IBPB | SPEC_RSB))
        predictor_barrier(prev, next);
    load_state(c, next);
    if (prev != NULL)
        __atomic_store_n(&prev->is_running, 0, __ATOMIC_RELEASE);
    *hal_guest_regs() = next->regs;
    if (pv_owes_tables(next))
        softirq_raise(SOFTIRQ_TABLES);
    if (unlikely(!load_segments(next)))
        pv_failsafe(hal_guest_regs());
}

void hal_unload_current(void)
{
    struct pcpu *c = this_pcpu();
    struct vcpu *prev = c->cpu.current;

    if (prev == NULL)
        return;
    save_current(c, prev);
    load_ds(0);
    load_es(0);
    load_fs(0);
    load_gs(0);
    gdt_load_guest(c, NULL);
    hal_load_root(MFN_NONE);
    c->cpu.current = NULL;
    __atomic_store_n(&prev->is_running, 0, __ATOMIC_RELEASE);
}

/* Interrupt on the CPU that was asked; it may have picked up work meanwhile. */
void unload_answer_request(void)
{
    struct pcpu *c = this_pcpu();
    struct vcpu *v = __atomic_load_n(&c->unload_wanted, __ATOMIC_ACQUIRE);

    if (v == NULL)
        return;
    if (c->cpu.idle && c->cpu.current == v)
        hal_unload_current();
    __atomic_store_n(&c->unload_wanted, NULL, __ATOMIC_RELEASE);
}

void hal_unload_remote(unsigned cpu, struct vcpu *v)
{
    struct pcpu *c = pcpu_of(cpu);
    struct vcpu *none = NULL;

    if (cpu == this_cpu()->id) {
        if (c->cpu.current == v)
            hal_unload_current();
        return;
    }
    while (!__atomic_compare_exchange_n(&c->unload_wanted, &none, v, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_RELAXED)) {
        none = NULL;
        hal_spin_wait();
    }
    apic_send(cpu, VEC_UNLOAD);
    while (__atomic_load_n(&c->unload_wanted, __ATOMIC_ACQUIRE) == v)
        hal_spin_wait();
}

void hal_idle(void)
{
    if (READ_ONCE(this_cpu()->softirqs) != 0)
        return;
    this_cpu()->runq.halts++;
    if (spec_has(SPEC_VERW)) /* a sibling thread gets our buffers while we sleep (SPEC-3) */
        __asm__ volatile("verw verw_selector(%%rip); sti; hlt; cli" ::: "memory", "cc");
    else
        __asm__ volatile("sti; hlt; cli" ::: "memory");
}

bool hal_preempt_point(void)
{
    __asm__ volatile("sti; nop; cli" ::: "memory");
    return READ_ONCE(this_cpu()->softirqs) != 0;
}

void hal_take_interrupts(void)
{
    __asm__ volatile("sti; nop; cli" ::: "memory");
}

void hal_send_softirq_ipi(unsigned cpu)
{
    apic_send(cpu, VEC_SOFTIRQ);
}

uint64_t hal_segbase_read(enum hal_segbase which)
{
    return rdmsr(MSR_FS_BASE + which);
}

void hal_segbase_write(enum hal_segbase which, uint64_t base)
{
    wrmsr(MSR_FS_BASE + which, base);
}

void hal_swapgs(void)
{
    __asm__ volatile("swapgs" ::: "memory");
}

/* In kernel mode the active base is the kernel's: exchange, load, exchange back. */
void hal_load_gs_user_sel(uint16_t sel)
{
    hal_swapgs();
    if (!load_gs(sel) || (sel & ~3u) == 0)
        wrmsr(MSR_GS_BASE, 0); /* AMD keeps the base when a null selector is loaded */
    hal_swapgs();
}
