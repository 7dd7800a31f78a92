/* SPDX-License-Identifier: MIT */
/*
 * The fake machine with a host thread for each CPU (cpus.c), guests that run on it (guest.c), and
 * the control domain's part (control.c). core and pv are the same objects as everywhere, built with
 * the thread sanitizer; guests' own accesses to memory are not instrumented (access.c): what a
 * guest does to its memory while we look at it is no race of ours.
 */
#ifndef TENUE_THREADS_H
#define TENUE_THREADS_H

#include "../unit/fake/fake.h"

#include <tenue/percpu.h>

#define CPUS FAKE_CPUS

/* --- cpus.c --- */
extern unsigned steps_wanted; /* operations by guests, on all CPUs together */
extern unsigned steps_done;   /* [a] */
/* All CPUs run guests until steps_wanted is reached or `seconds` are over; then every domain is
 * stopped and no vcpu is loaded anywhere. */
void cpus_run(uint64_t seed, unsigned seconds);
/* This CPU's dice; each has its own. */
uint64_t dice(void);
static inline unsigned below(unsigned n)
{
    return (unsigned)(dice() % n);
}
static inline bool one_in(unsigned n)
{
    return below(n) == 0;
}
/* What every interrupt would do. */
void cpu_take_interrupts(void);
/* What an event for a vcpu does, if it is there. Not in control.c, whose way to it would go
 * unwatched. */
void cpu_event_for(uint16_t domid, unsigned vcpu);

/* --- access.c: memory, as guests use it --- */
void raw_copy(void *to, const void *from, uint64_t bytes);
void raw_clear(void *to, uint64_t bytes);

/* --- guest.c --- */
#define GUESTS 4u /* besides the control domain */
#define GUEST_VCPUS 3u
#define ACTORS (1u + GUESTS)
#define FIRST_FREE 16u  /* frames below hold the tables and the vcpus' arguments */
#define SPARE_TABLES 4u /* frames from there on that may be tables, mapped read-only at first */
#define REMEMBERED 16u

enum actor_state { ACTOR_NONE, ACTOR_BUSY, ACTOR_LIVE };
struct actor {
    uint32_t state; /* [a] enum actor_state; who sets BUSY builds it, or takes it apart */
    uint16_t domid;
    struct guest g;
    uint32_t handles[REMEMBERED]; /* of grants it mapped; by all its vcpus, carelessly */
};
extern struct actor actors[ACTORS]; /* [0]: the control domain */

/* The next instruction of the vcpu that is loaded here. */
void guest_step(void);
/* What came back, by operation. */
void guest_report(void);
struct actor *actor_of(const struct domain *d);
/* Hypercall by the current vcpu, at its next instruction. */
void call(unsigned nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
/* This vcpu's page of arguments: contents, and where the guest has it. */
uint8_t *args(void);
uint64_t args_va(void);
#define ARGS(type) ((type *)(void *)args())

/* --- control.c --- */
void control_begin(void);
/* One operation by a vcpu of the control domain. */
void control_step(void);
/* The hypercall that a step asked for came back. */
void control_returned(long rc);
/* Without CPUs that run: all guests end. True: nothing of them is left. */
bool control_end(void);

#endif
