/* SPDX-License-Identifier: MIT */
/* See sim.h. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#include "../../hypervisor/core/sched_priv.h"
#include "../../hypervisor/diag/audit.h"

#include <tenue/percpu.h>
#include <tenue/sched.h>

#define FIRST_DOMID 300u

struct sim_vcpu sim[SIM_VCPUS];
unsigned sim_count, sim_timer_fires, sim_violations;

static jmp_buf idle_point;
static unsigned cpus_before;

static void leave_idle_loop(void)
{
    longjmp(idle_point, 1);
}

static void one_pass(void)
{
    jmp_buf outer;

    memcpy(outer, idle_point, sizeof(outer));
    softirq_run_but_sched();
    if (softirq_take(SOFTIRQ_SCHED) && setjmp(idle_point) == 0)
        sched_softirq();
    memcpy(idle_point, outer, sizeof(outer));
}

static void let_it_work(unsigned cpu)
{
    const unsigned self = this_cpu()->id;

    fake_on_cpu(cpu);
    one_pass();
    fake_on_cpu(self);
}

void sim_begin(unsigned cpus_wanted)
{
    cpus_before = cpu_count;
    cpu_count = cpus_wanted;
    sim_count = sim_timer_fires = sim_violations = 0;
    memset(sim, 0, sizeof(sim));
    fake_on_cpu(0);
    fake_run(NULL);
    for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++) {
        cpus[cpu]->softirqs = 1u << SOFTIRQ_SCHED;
        sched_cpu_init(cpu);
        fake_timer[cpu] = NS_NEVER;
    }
    fake_metal.at_idle = leave_idle_loop;
    fake_metal.wait_for = let_it_work;
    sim_settle(NULL);
}

unsigned sim_domain(unsigned vcpus, uint32_t weight, uint32_t cap, ns_t burst, ns_t sleep)
{
    unsigned first = sim_count;
    struct domain *d = fake_domain((uint16_t)(FIRST_DOMID + first), vcpus, 1);

    sched_set_share(d, weight, cap);
    for (unsigned i = 0; i < vcpus; i++) {
        struct vcpu *v = d->vcpus[i];

        sim[sim_count++] = (struct sim_vcpu){.v = v,
                                             .burst = burst,
                                             .sleep = sleep,
                                             .left = burst,
                                             .wake_at = NS_NEVER,
                                             .last_cpu = v->cpu};
        vcpu_pause_clear(v, VPF_DOWN);
    }
    domain_unpause_by_controller(d);
    return first;
}

void sim_settle(unsigned *seed)
{
    (void)hal_preempt_point(); /* whoever waited has been served */
    for (bool again = true; again;) {
        unsigned start = seed ? (unsigned)rand_r(seed) % cpu_count : 0;

        again = false;
        for (unsigned i = 0; i < cpu_count; i++) {
            fake_on_cpu((start + i) % cpu_count);
            if (!this_cpu()->softirqs)
                continue;
            again = true;
            one_pass();
        }
    }
    fake_on_cpu(0);
}

static struct sim_vcpu *on_cpu(unsigned cpu)
{
    if (cpus[cpu]->idle || !cpus[cpu]->current)
        return NULL;
    for (unsigned i = 0; i < sim_count; i++)
        if (sim[i].v == cpus[cpu]->current)
            return &sim[i];
    return NULL;
}

static void violation(const char *what)
{
    if (sim_violations++ < 5)
        fprintf(stderr, "sim: %s\n", what);
}

static bool loaded(const struct vcpu *v)
{
    return v->is_running != 0;
}

static void check_vcpu(const struct vcpu *v)
{
    const bool running = cpus[v->cpu]->runq.running == v;

    if (vcpu_is_runnable(v) && !sched_static && !v->sched.queued && !running)
        violation("a runnable vcpu is in no queue");
    if (!vcpu_is_runnable(v) && (v->sched.queued || running))
        violation("a stopped vcpu is in a queue");
    if (loaded(v) && cpus[v->is_running - 1]->current != v)
        violation("a vcpu says it is loaded where it is not");
    if (running && !(v->sched.hard >> v->cpu & 1))
        violation("a vcpu runs where it may not");
    if (!v->sched.queued || sched_static)
        return;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (!cpus[cpu]->runq.running && v->sched.hard >> cpu & 1 &&
            (!loaded(v) || v->is_running == 1 + cpu))
            violation("a CPU idles while a vcpu waits that it could run");
}

void sim_check(void)
{
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        const struct cpu *c = cpus[cpu];

        if (c->runq.running && c->runq.running != c->current)
            violation("the vcpu that runs is not the one loaded");
        if (!c->runq.running != c->idle)
            violation("idle, and does not know it");
    }
    for (unsigned i = 0; i < sim_count; i++)
        check_vcpu(sim[i].v);
    sim_violations += sched_audit();
}

static ns_t next_event(ns_t end)
{
    ns_t next = end;

    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        const struct sim_vcpu *s = on_cpu(cpu);

        next = MIN(next, fake_timer[cpu]);
        if (s && s->burst != NS_NEVER)
            next = MIN(next, fake_time + s->left);
    }
    for (unsigned i = 0; i < sim_count; i++)
        next = MIN(next, sim[i].wake_at);
    return MAX(next, fake_time);
}

static void pass_time(ns_t dt)
{
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        struct sim_vcpu *s = on_cpu(cpu);

        if (!s)
            continue;
        s->ran += dt;
        if (s->burst != NS_NEVER)
            s->left -= dt;
    }
    fake_time += dt;
}

static void wake(struct sim_vcpu *s)
{
    s->wake_at = NS_NEVER;
    if (!(s->v->pause_flags & (1u << VPF_BLOCKED)))
        return;
    s->wakes++;
    vcpu_kick(s->v);
    if (s->tick)
        timer_set(&s->v->singleshot, fake_time + s->tick);
}

static void fall_asleep(struct sim_vcpu *s)
{
    s->left = s->burst;
    s->wake_at = s->sleep == NS_NEVER ? NS_NEVER : fake_time + s->sleep;
    if (s->tick)
        timer_set(&s->v->singleshot, s->wake_at);
    vcpu_pause_set(s->v, VPF_BLOCKED);
    if (s->kicks)
        wake(&sim[s->kicks - 1]);
}

static void happen(void)
{
    for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
        struct sim_vcpu *s = on_cpu(cpu);

        fake_on_cpu(cpu);
        if (fake_timer[cpu] <= fake_time) {
            fake_timer[cpu] = NS_NEVER;
            sim_timer_fires++;
            softirq_raise(SOFTIRQ_TIMER);
        }
        if (s && s->burst != NS_NEVER && s->left == 0)
            fall_asleep(s);
    }
    for (unsigned i = 0; i < sim_count; i++)
        if (sim[i].wake_at <= fake_time) {
            fake_on_cpu(i % cpu_count);
            wake(&sim[i]);
        }
}

static void note_waits(void)
{
    for (unsigned i = 0; i < sim_count; i++) {
        struct sim_vcpu *s = &sim[i];
        const bool runs = cpus[s->v->cpu]->current == s->v && !cpus[s->v->cpu]->idle;

        if (runs && s->waits_since)
            s->worst_wait = MAX(s->worst_wait, fake_time - s->waits_since);
        if (runs && s->last_cpu != s->v->cpu) {
            s->moves++;
            s->last_cpu = s->v->cpu;
        }
        if (runs || !vcpu_is_runnable(s->v))
            s->waits_since = 0;
        else if (!s->waits_since)
            s->waits_since = fake_time;
    }
}

void sim_run(ns_t duration)
{
    ns_t end = fake_time + duration;

    sim_settle(NULL);
    while (fake_time < end) {
        pass_time(next_event(end) - fake_time);
        happen();
        sim_settle(NULL);
        note_waits();
    }
    sim_check();
}

void sim_reset_counts(void)
{
    sim_timer_fires = 0;
    for (unsigned i = 0; i < sim_count; i++)
        sim[i].ran = sim[i].worst_wait = sim[i].wakes = sim[i].moves = 0;
}

void sim_end(void)
{
    for (unsigned i = 0; i < sim_count; i++)
        if (sim[i].v->id == 0)
            domain_pause_nosync(sim[i].v->domain);
    sim_settle(NULL);
    sim_check();
    for (unsigned i = 0; i < sim_count; i++) {
        struct domain *d = sim[i].v->domain;

        i += d->max_vcpus - 1;
        if (!fake_destroy(d))
            violation("a domain does not go");
    }
    sim_settle(NULL);
    fake_metal.at_idle = NULL;
    fake_metal.wait_for = NULL;
    cpu_count = cpus_before;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        cpus[cpu]->softirqs = 0;
    fake_on_cpu(0);
    sched_static = false;
}
