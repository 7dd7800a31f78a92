/* SPDX-License-Identifier: MIT */
/*
 * A virtual CPU. Its registers live here while it does not run, and in the running CPU's
 * hal_guest_regs() while it does. PV rules are data in pv (pvstate.h); what only the metal knows is
 * behind hal.
 */
#ifndef TENUE_VCPU_H
#define TENUE_VCPU_H

#include <tenue/abi.h>
#include <tenue/domain.h>
#include <tenue/guestmem.h>
#include <tenue/percpu.h>
#include <tenue/pvstate.h>
#include <tenue/timer.h>

struct hal_vcpu;
struct vcpu_account;

/*
 * Why a vcpu may not run, besides pause counts: bit numbers in pause_flags. Runnable is: no flag,
 * and both its own and its domain's pause_count zero.
 */
enum vcpu_pause {
    VPF_DOWN,    /* not up (VCPUOP_up clears) */
    VPF_BLOCKED, /* SCHEDOP_block: until an event */
    VPF_POLL,    /* SCHEDOP_poll: until a port or the poll timer */
    VPF_CAPPED,  /* its domain has used up its share: until the next period */
};

struct vcpu {
    struct cpu_user_regs regs; /* valid while not loaded on a CPU */
    struct domain *domain;     /* [I] */
    uint32_t id;               /* [I] */
    peeked uint32_t cpu;       /* [runqueue lock] where it runs */
    uint32_t pause_flags;      /* [a] enum vcpu_pause bits */
    uint32_t is_running;       /* [a] 1 + CPU that has it loaded (running or lazily), else 0 */
    bool initialised;          /* [init_claim] has a context */
    bool init_claim;           /* [a] somebody is loading a context */
    uint32_t pause_count;      /* [a] */
    struct sched_vcpu sched;

    struct vcpu_info
        *_Atomic vcpu_info; /* mapping of the registered area, or of shared_info's slot */
    mfn_t vcpu_info_mfn;    /* frame held (reference + writable type), MFN_NONE if not */
    guest_va runstate_va;   /* 0 when none */
    guest_va time_va;       /* secondary clock record; 0 when none */
    struct vcpu_runstate_info runstate; /* [runqueue lock] ours; copied out at changes */
    struct timer singleshot;
    struct timer periodic;
    peeked ns_t periodic_period; /* 0: stopped */
    struct timer poll_timer;
    struct {
        peeked port_t ports[1]; /* Linux polls one; more are looked up in order */
        peeked uint32_t nr;
    } poll;
    port_t virq_port[NR_VIRQS]; /* [domain's evtchn lock] 0: not bound */
    uint32_t time_version;      /* ours; what the shared page shows is a copy */
    peeked uint64_t time_stamp; /* tsc_timestamp of its pvclock page, or TIME_NEVER: write it */
    /* While one of these holds, entries and exits take the general paths: one load tells. */
    union {
        struct {
            bool nmi_pending; /* [a] */
            bool in_nmi;      /* its NMI handler has not returned yet */
            bool shows_iopl;  /* entry frames hold the virtual IOPL (architectural_iopl) */
        };
        uint32_t odd;
    };

    struct vcpu_account *_Atomic account; /* set once; NULL: never watched (account.h) */

    struct pv_vcpu pv;
    struct hal_vcpu *hal; /* FPU image, debug state: the metal's */
};

static inline struct domain *current_domain(void)
{
    return current_vcpu()->domain;
}

/* Allocate vcpu id of d, down and without context. */
int vcpu_create(struct domain *d, uint32_t id) must_check;
/*
 * Load the context at `from` into v, which does not run: an initialised one only if anew. *online:
 * what the context says. One caller at a time, others get -XEN_EBUSY; -XEN_ERESTART: preempted.
 */
int vcpu_load_context(struct vcpu *v, guest_va from, bool anew, bool *online) must_check;
/* Stop v, write its context to `to`, let it go on. Not on oneself. */
int vcpu_store_context(struct vcpu *v, guest_va to) must_check;
void vcpu_destroy(struct vcpu *v); /* memory only, at the end of the domain */
/* NULL when there is none. */
static inline struct vcpu *domain_vcpu(struct domain *d, uint32_t id)
{
    return likely(id < d->max_vcpus) ? d->vcpus[index_nospec(id, MAX_VCPUS)] : NULL;
}

static inline bool vcpu_is_runnable(const struct vcpu *v)
{
    return !(READ_ONCE(v->pause_flags) | READ_ONCE(v->pause_count) |
             READ_ONCE(v->domain->pause_count));
}
/* Stop / allow running for one reason. */
void vcpu_pause_set(struct vcpu *v, enum vcpu_pause why);
void vcpu_pause_clear(struct vcpu *v, enum vcpu_pause why);
void vcpu_pause(struct vcpu *v); /* counted, and wait until it does not run */
void vcpu_unpause(struct vcpu *v);
/* An event was made pending for v: wake it from block (and poll when the port is polled for). */
void vcpu_kick(struct vcpu *v);
/* End a poll, if v is in one. */
void vcpu_poll_end(struct vcpu *v);
/* Set upcall pending and kick: the last step of every event delivery. */
void vcpu_mark_event_pending(struct vcpu *v);
bool vcpu_event_pending(const struct vcpu *v);                      /* pending and not masked */
void vcpu_runstate_change(struct vcpu *v, int new_state, ns_t now); /* run queue locked */
struct vcpu_runstate_info vcpu_runstate(const struct vcpu *v);      /* all of it of one moment */
/* Copy runstate to the registered area if that is reachable: called with v's root loaded. */
void vcpu_runstate_publish(struct vcpu *v);
void vcpu_time_publish(struct vcpu *v); /* the same for its secondary clock record */
/* ns spent running, up to now. */
uint64_t vcpu_cpu_time(const struct vcpu *v);
/* Frames and timers given back on teardown or reset. */
void vcpu_release_areas(struct vcpu *v);
int vcpu_map_vcpu_info(struct vcpu *v, mfn_t mfn, uint32_t offset) must_check;

/* pvclock: v, which runs, gets its vcpu_time_info if that is not what it should be (time.c). */
void time_refresh_vcpu(struct vcpu *v);
#define TIME_NEVER (~0ull)
void time_write_area(const struct vcpu *v, guest_va area);
void time_update_wallclock(struct domain *d);
int time_set_wallclock(uint64_t secs, uint32_t nsecs, ns_t system_time) must_check;

long hc_vcpu_op(uint32_t cmd, uint32_t vcpuid, uint64_t arg);
long hc_sched_op(uint32_t cmd, uint64_t arg);
long hc_sched_op_compat(uint32_t cmd, uint64_t arg);
long hc_set_timer_op(uint64_t deadline);

#endif
