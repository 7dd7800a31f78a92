/* SPDX-License-Identifier: MIT */
/*
 * A host thread for each CPU: what hal.h says of interrupts, waiting, flushing and switching, with
 * the rules of the metal. Interrupts are off in the hypervisor: requests of other CPUs are answered
 * where it spins, at preemption points, when it idles, and between two instructions of a guest.
 * Time is the host's. These definitions take the place of those in fake/hal.c, which are made weak.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "threads.h"

#include "../../hypervisor/diag/audit.h"
#include "../../hypervisor/pv/root.h"
#include "../unit/fake/tlb.h"

#include <tenue/assert.h>
#include <tenue/entrypoints.h>
#include <tenue/pv.h>

#define NS_PER_US 1000ull
#define RESCUE_PERIOD (2000 * NS_PER_US)

unsigned steps_wanted, steps_done;

static struct {
    struct cpu_user_regs regs;
    uint32_t flush_asked, flush_done; /* [a] tickets */
    struct vcpu *unload_wanted;       /* [a] */
    ns_t deadline;                    /* [own] */
    uint64_t dice;                    /* [own] */
    jmp_buf out;                      /* [own] from where nobody is left to run */
    unsigned patience;                /* [own] spins since somebody got on */
} state[CPUS];

static uint32_t stopping; /* [a] 1: no more operations; 2: all domains are stopped */
static uint32_t arrived;  /* [a] CPUs that have left */
static bool running;      /* threads are at work: the audit has to wait */
static unsigned seconds_max;
static struct timespec began;

static unsigned self(void)
{
    return this_cpu()->id;
}

uint64_t dice(void)
{
    uint64_t x = state[self()].dice;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    state[self()].dice = x;
    return x * 0x2545f4914f6cdd1dull >> 11;
}

/* --- time --- */

static ns_t elapsed(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ns_t)((t.tv_sec - began.tv_sec) * (int64_t)NS_PER_SEC + t.tv_nsec - began.tv_nsec);
}

ns_t hal_now(void)
{
    return fake_time + elapsed();
}

uint64_t hal_rdtsc(void)
{
    return hal_now();
}

void hal_time_params(struct vcpu_time_info *t)
{
    *t = (struct vcpu_time_info){.tsc_to_system_mul = 0x80000000u, .tsc_shift = 1};
}

void hal_timer_arm(ns_t deadline)
{
    state[self()].deadline = deadline;
}

/* --- interrupts --- */

static void answer_flush(void)
{
    const uint32_t asked = __atomic_load_n(&state[self()].flush_asked, __ATOMIC_SEQ_CST);

    if (asked == state[self()].flush_done)
        return;
    hal_tlb_flush_local();
    __atomic_store_n(&state[self()].flush_done, asked, __ATOMIC_RELEASE);
}

static void answer_unload(void)
{
    struct cpu *c = this_cpu();
    struct vcpu *v = __atomic_load_n(&state[c->id].unload_wanted, __ATOMIC_ACQUIRE);

    if (!v)
        return;
    if (c->idle && c->current == v)
        hal_unload_current();
    __atomic_store_n(&state[c->id].unload_wanted, NULL, __ATOMIC_RELEASE);
}

void cpu_take_interrupts(void)
{
    answer_flush();
    answer_unload();
    if (hal_now() >= state[self()].deadline) {
        state[self()].deadline = NS_NEVER;
        softirq_raise(SOFTIRQ_TIMER);
    }
}

/* Two hosts' processors play four: whoever waits lets others run. */
void hal_spin_wait(void)
{
    answer_flush();
    host_yield();
    if (++state[self()].patience > 20000000) {
        fprintf(stderr, "CPU %u spins for something that does not happen\n", self());
        abort();
    }
}

bool hal_preempt_point(void)
{
    ASSERT(this_cpu()->held_count == 0);
    state[self()].patience = 0;
    cpu_take_interrupts();
    return READ_ONCE(this_cpu()->softirqs) != 0 || one_in(16);
}

void hal_take_interrupts(void)
{
    ASSERT(this_cpu()->held_count == 0);
    cpu_take_interrupts();
}

void hal_send_softirq_ipi(unsigned cpu)
{
    (void)cpu; /* the bit is set, and looked at */
}

/* What devices do for a machine whose guests all sleep: something wakes the control domain. */
static void rescue(void)
{
    struct domain *d = control_domain;

    vcpu_kick(d->vcpus[below(d->max_vcpus)]);
}

void hal_idle(void)
{
    const ns_t since = hal_now();

    state[self()].patience = 0;
    while (!READ_ONCE(this_cpu()->softirqs)) {
        cpu_take_interrupts();
        if (READ_ONCE(stopping))
            longjmp(state[self()].out, 1);
        if (hal_now() - since > RESCUE_PERIOD) {
            rescue();
            return;
        }
        usleep(20);
    }
}

/* --- TLBs --- */

void hal_tlb_flush_local(void)
{
    const uint32_t taken = tlb_flush_begin();

    fake_tlb_flush_all(self());
    tlb_flush_end(taken);
}

void hal_load_root(mfn_t m)
{
    this_cpu()->root = m;
    hal_tlb_flush_local();
}

void hal_invlpg_local(uint64_t va)
{
    fake_tlb_flush_page(self(), va);
}

/* While there is one thread, it plays them all. */
static void flush_all_by_hand(void)
{
    const unsigned here = self();

    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        fake_on_cpu(cpu);
        hal_tlb_flush_local();
    }
    fake_on_cpu(here);
}

static void flush_others(cpumask_t mask)
{
    uint32_t ticket[CPUS];

    if (!running) {
        flush_all_by_hand();
        return;
    }
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        if (cpu != self() && mask >> cpu & 1)
            ticket[cpu] = __atomic_add_fetch(&state[cpu].flush_asked, 1, __ATOMIC_SEQ_CST);
    for (unsigned cpu = 0; cpu < CPUS; cpu++)
        while (cpu != self() && mask >> cpu & 1 &&
               (int32_t)(__atomic_load_n(&state[cpu].flush_done, __ATOMIC_ACQUIRE) - ticket[cpu]) <
                   0)
            hal_spin_wait();
}

void hal_tlb_flush(cpumask_t mask)
{
    flush_others(mask);
    if (mask >> self() & 1)
        hal_tlb_flush_local();
}

void hal_invlpg(cpumask_t mask, uint64_t va)
{
    flush_others(mask);
    if (mask >> self() & 1)
        hal_invlpg_local(va);
}

/* --- vcpus --- */

struct cpu_user_regs *hal_guest_regs(void)
{
    return &state[self()].regs;
}

void hal_context_switch(struct vcpu *next)
{
    struct cpu *c = this_cpu();
    struct vcpu *prev = c->current;

    if (prev == next)
        return;
    if (prev)
        prev->regs = state[c->id].regs;
    WRITE_ONCE(next->is_running, 1 + c->id);
    c->current = next;
    hal_load_root(next->pv.kernel_mode ? next->pv.root_kernel : next->pv.root_user);
    if (prev)
        __atomic_store_n(&prev->is_running, 0, __ATOMIC_RELEASE);
    state[c->id].regs = next->regs;
    if (pv_owes_tables(next))
        softirq_raise(SOFTIRQ_TABLES);
}

void hal_unload_current(void)
{
    struct cpu *c = this_cpu();
    struct vcpu *prev = c->current;

    if (!prev)
        return;
    prev->regs = state[c->id].regs;
    hal_load_root(MFN_NONE);
    c->current = NULL;
    __atomic_store_n(&prev->is_running, 0, __ATOMIC_RELEASE);
}

void hal_unload_remote(unsigned cpu, struct vcpu *v)
{
    struct vcpu *none = NULL;

    if (cpu == self()) {
        if (this_cpu()->current == v)
            hal_unload_current();
        return;
    }
    while (!__atomic_compare_exchange_n(&state[cpu].unload_wanted, &none, v, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        none = NULL;
        hal_spin_wait();
    }
    while (__atomic_load_n(&state[cpu].unload_wanted, __ATOMIC_ACQUIRE) == v)
        hal_spin_wait();
}

/* Descriptor windows are not in this machine. */
void hal_descriptors_changed(void)
{
}

/* --- the rest of the machine --- */

void hal_serial_write(const char *s, size_t len)
{
    if (fwrite(s, 1, len, stdout) != len)
        abort();
}

/* The books move while CPUs run: in debug builds each domain's end would look at them. */
unsigned __real_pv_audit(void);
unsigned __wrap_pv_audit(void);
unsigned __wrap_pv_audit(void)
{
    return __atomic_load_n(&running, __ATOMIC_RELAXED) ? 0 : __real_pv_audit();
}

/* --- the threads --- */

/* Until all have come here; meanwhile others may wait for what this CPU has loaded. */
static void meet(uint32_t everybody)
{
    __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < everybody) {
        cpu_take_interrupts();
        if (setjmp(state[self()].out) == 0)
            guest_exit_work(); /* or leaves by hal_idle() */
        host_yield();
    }
}

static void stop_all_domains(void)
{
    struct domain *d;

    for (uint32_t id = 0; (d = domain_next(id)) != NULL; domain_put(d)) {
        id = d->domid + 1u;
        domain_pause_nosync(d);
    }
}

static void live(void)
{
    softirq_raise(SOFTIRQ_SCHED);
    while (!READ_ONCE(stopping)) {
        cpu_take_interrupts();
        guest_exit_work();
        for (unsigned i = 1 + below(8); i > 0 && !READ_ONCE(this_cpu()->softirqs); i--)
            guest_step();
        state[self()].patience = 0;
        if (__atomic_load_n(&steps_done, __ATOMIC_RELAXED) >= steps_wanted ||
            elapsed() > seconds_max * NS_PER_SEC)
            WRITE_ONCE(stopping, 1);
    }
}

static void *cpu_thread(void *arg)
{
    fake_this_cpu = arg;
    if (setjmp(state[self()].out) == 0)
        live();
    meet(CPUS);
    if (self() == 0) {
        stop_all_domains();
        __atomic_store_n(&stopping, 2, __ATOMIC_SEQ_CST);
    }
    while (__atomic_load_n(&stopping, __ATOMIC_SEQ_CST) != 2)
        cpu_take_interrupts();
    softirq_raise(SOFTIRQ_SCHED);
    if (setjmp(state[self()].out) == 0)
        guest_exit_work();
    hal_unload_current();
    meet(2 * CPUS);
    return NULL;
}

void cpu_event_for(uint16_t domid, unsigned vcpu)
{
    struct domain *d = domain_get(domid);
    struct vcpu *v = d ? domain_vcpu(d, vcpu) : NULL;

    if (v)
        vcpu_kick(v);
    if (d)
        domain_put(d);
}

void cpus_run(uint64_t seed, unsigned seconds)
{
    void *args[CPUS];

    clock_gettime(CLOCK_MONOTONIC, &began);
    seconds_max = seconds;
    running = true;
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        state[cpu].dice = (seed * CPUS + cpu) * 0x9e3779b97f4a7c15ull | 1;
        state[cpu].deadline = 0;
        args[cpu] = cpus[cpu];
    }
    host_run(CPUS, cpu_thread, args);
    running = false;
}
