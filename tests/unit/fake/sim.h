/* SPDX-License-Identifier: MIT */
/*
 * Virtual CPUs at work on the fake machine's CPUs, in virtual time: the scheduler, its timers and
 * softirqs are the real ones; what guests do is a pattern of running and sleeping. The simulation
 * goes from event to event and looks at what each CPU has loaded: it believes no account of the
 * scheduler's.
 */
#ifndef TENUE_FAKE_SIM_H
#define TENUE_FAKE_SIM_H

#include "fake.h"

#define SIM_VCPUS 64u
#define SIM_MS 1000000ull

struct sim_vcpu {
    struct vcpu *v;
    ns_t burst; /* runs so long, then sleeps; NS_NEVER: runs always */
    ns_t sleep; /* woken so long after it fell asleep; NS_NEVER: by others only */
    ns_t tick;  /* not 0: has a timer of its own, so far off while it runs, else as sleep says */
    unsigned kicks; /* which vcpu it wakes when it sleeps, 1 + index; 0: none */
    /* What happened. */
    ns_t left, wake_at, ran, waits_since, worst_wait;
    unsigned wakes, moves, last_cpu;
};

extern struct sim_vcpu sim[SIM_VCPUS];
extern unsigned sim_count;
extern unsigned sim_timer_fires; /* passes of timers, on all CPUs */
extern unsigned sim_violations;  /* a vcpu seen where it may not be; a CPU idle without need */

void sim_begin(unsigned cpus);
/* A domain of vcpus that behave alike; index of the first. */
unsigned sim_domain(unsigned vcpus, uint32_t weight, uint32_t cap, ns_t burst, ns_t sleep);
void sim_run(ns_t duration);
/* Let all CPUs do what is pending, in an order drawn from *seed if given. */
void sim_settle(unsigned *seed);
/* What must hold now that nothing is pending. */
void sim_check(void);
/* Forget what happened so far. */
void sim_reset_counts(void);
void sim_end(void);

#endif
