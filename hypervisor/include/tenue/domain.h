/* SPDX-License-Identifier: MIT */
/*
 * A domain: one guest, or the control domain. Created and destroyed by domctl (or by the builder
 * for domid 0), found by domid with a counted reference.
 *
 * Legend: [I] set at creation; [a] atomic; [c] under domctl_busy, which a domctl on the domain
 * claims for its duration (not a lock: it is held across preemption points, and a second CPU that
 * finds it claimed has its hypercall issued again); otherwise the named lock.
 */
#ifndef TENUE_DOMAIN_H
#define TENUE_DOMAIN_H

#include <tenue/abi.h>
#include <tenue/bootinfo.h>
#include <tenue/evtchn.h>
#include <tenue/frame.h>
#include <tenue/grant.h>
#include <tenue/lock.h>
#include <tenue/page.h>
#include <tenue/pvstate.h>
#include <tenue/sched.h>
#include <tenue/timer.h>
#include <tenue/tlb.h>

struct vcpu;

enum domain_dying {
    DOMAIN_ALIVE,
    DOMAIN_DYING, /* teardown in progress: gains nothing more (LC-10) */
    DOMAIN_DEAD,  /* resources gone, waits for foreign references to its frames */
};

struct domain {
    uint16_t domid;               /* [I] */
    bool is_control;              /* [I] privileged: control and hardware domain */
    uint8_t dying;                /* [a] enum domain_dying */
    peeked bool shutting_down;    /* [a] a SCHEDOP_shutdown or crash was taken; all vcpus paused */
    bool shutdown_claim;          /* [a] who set it fills in the code, then shutting_down */
    peeked uint8_t shutdown_code; /* [a] SHUTDOWN_* when shutting_down */
    uint32_t refs;                /* [a] counted references, 1 for each list it is on */
    uint32_t pause_count;         /* [a] hypervisor's reasons to stop */
    peeked bool paused_by_controller;      /* [c] XEN_DOMCTL_pausedomain is on */
    bool domctl_busy;                      /* [a] claimed by a domctl in progress */
    uint32_t max_vcpus;                    /* [I] */
    struct vcpu *_Atomic vcpus[MAX_VCPUS]; /* [I once set] */
    struct sched_domain sched;
    struct domain *reap_next;   /* [a] list of domains whose end awaits SOFTIRQ_WORK */
    bool reap_queued;           /* [a] is on that list */
    bool unlisted;              /* [a] left the table of domains */
    uint8_t kill_stage;         /* [c] how far domain_kill() has come */
    uint32_t poll_mask;         /* [a] bit per vcpu waiting in SCHEDOP_poll */
    xen_domain_handle_t handle; /* [c] */
    uint32_t ssidref;

    shared_info_t *shared_info; /* [I] a shared page */
    struct domain_pages pages;
    struct evtchn_table evtchn;
    struct grant_table grant;
    struct pv_domain pv;

    struct { /* XENMEM_set_memory_map; [pages.lock] */
        struct e820_region *entries;
        uint32_t count;
    } memmap;
    peeked int64_t time_offset_seconds; /* [c] settimeoffset */
    uint32_t wc_version; /* [wallclock lock] ours; what the shared page shows is a copy */
    struct {             /* a guest's console_io output; [RANK_CONSOLE lock] */
        char line[120];
        uint32_t len;
        ns_t credit_at; /* token bucket: when spent was last reduced */
        uint32_t spent; /* messages lately caused, of its allowance (HC-9) */
        uint32_t dropped;
    } con;
};

extern struct domain *control_domain; /* [I] domid 0 */

/*
 * A domain without frames and vcpus, paused by the controller (paused_by_controller, counted in
 * pause_count) until domain_unpause_by_controller(). Config already checked by the caller;
 * -XEN_EEXIST when the domid is taken.
 */
struct domain_config {
    uint16_t domid;
    bool is_control;
    uint32_t max_vcpus, max_grant_frames, max_maptrack_frames, max_evtchn_port;
    uint32_t max_pages;
    xen_domain_handle_t handle;
    uint32_t ssidref;
};
int domain_create(const struct domain_config *cfg, struct domain **out) must_check;

/* Counted lookup; finds dying domains too. NULL when there is none. DOMID_SELF is resolved by
 * domain_get_or_self. */
struct domain *domain_get(uint16_t domid);
struct domain *domain_get_or_self(uint16_t domid);
/* The domain that an operation names, counted: oneself, or for the control domain any. */
int domain_get_permitted(uint16_t domid, struct domain **d) must_check;
/* A counted reference to a domain already known to be alive through a lock or reference. */
void domain_ref(struct domain *d);
void domain_last_put(struct domain *d);
static inline void domain_put(struct domain *d)
{
    if (unlikely(__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) == 0))
        domain_last_put(d);
}
/* First domain with domid >= from (counted) or NULL: for getdomaininfolist and dumps. */
struct domain *domain_next(uint32_t from);
/* The next one, once the reference to d is dropped. */
struct domain *domain_after(struct domain *d);
/* Each listed domain, counted meanwhile: who leaves the loop has the reference. */
#define for_each_domain(d) for ((d) = domain_next(0); (d); (d) = domain_after(d))
extern unsigned domain_count; /* listed ones, the dying among them */

/* Each vcpu there is, first to last. */
#define for_each_vcpu(d, v)                                                                        \
    for (uint32_t vcpu_id_ = 0; vcpu_id_ < (d)->max_vcpus; vcpu_id_++)                             \
        if (((v) = (d)->vcpus[vcpu_id_]) != NULL)
void domain_each_vcpu(struct domain *d, void (*fn)(struct vcpu *v));

void domain_pause(struct domain *d); /* and wait until no vcpu runs */
void domain_pause_nosync(struct domain *d);
void domain_unpause(struct domain *d);
void domain_unpause_by_controller(struct domain *d); /* nothing when it is not paused so */
/* Guest's own shutdown, or crash; tells the control domain by VIRQ_DOM_EXC. */
void domain_shutdown(struct domain *d, uint8_t reason);
void domain_resume(struct domain *d);
/*
 * A guest mistake that cannot be answered with an error. Logs why (rate limited), with registers
 * when it is the current domain, and stops the domain with SHUTDOWN_crash. Returns; the caller
 * unwinds, the vcpu does not run again.
 */
void domain_crash(struct domain *d, const char *fmt, ...) printf_like(2, 3);
/* Staged, preemptible teardown: -XEN_ERESTART until done. */
int domain_kill(struct domain *d) must_check;
/* The last frame of a dead domain went (called by page_put under d->pages.lock,
 * which keeps d from being freed meanwhile). */
void domain_pages_gone(struct domain *d);
/*
 * The domain of a frame's owner field, uncounted: valid while the caller keeps a reference to a
 * frame of it (or another reference). Takes no lock. NULL when there is none.
 */
struct domain *domain_of_owner(uint16_t domid);
/* SOFTIRQ_WORK: finish domains whose last frame or reference went. */
void domain_reap(void);
/* Why a domain is as it is: XEN_DOMINF_* flags and totals (domctl, sysctl, debug key). */
void domain_get_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/* CPUs on which some vcpu of d, of those in a bitmap, is loaded: those that may cache its
 * translations (a CPU that loaded another root since has flushed). */
cpumask_t domain_cpus_of(const struct domain *d, uint64_t vcpus);
static inline cpumask_t domain_cpus(const struct domain *d)
{
    return domain_cpus_of(d, ~0ull);
}

static inline bool domain_is_dying(const struct domain *d)
{
    return READ_ONCE(d->dying) != DOMAIN_ALIVE;
}

long hc_domctl(uint64_t uop);
long hc_sysctl(uint64_t uop);

#endif
