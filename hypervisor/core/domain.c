/* SPDX-License-Identifier: MIT */
/*
 * Domains: the table that finds them, pausing, shutting down, crashing, and their staged end.
 *
 * Life: domain_create() puts a domain in the table with one reference. domain_kill() makes it
 * DYING, lets go of everything it holds stage by stage, and leaves it DEAD. A dead domain stays in
 * the table until the last frame of it that others still map is gone (LC-4, design 18); then it is
 * unlisted, and freed with its last reference. Those last two steps are done by domain_reap() from
 * SOFTIRQ_WORK, where no lock is held: their causes (page_put, domain_put) come from anywhere. The
 * list for it holds a reference to what is on it, and so do CPUs that look at the same domain at
 * the same time: one of them unlists it, and who drops the last reference frees it.
 *
 * The table is two levels of pointers, so that the owner of a frame is found without a lock by
 * whoever holds a reference to that frame. Locks: table_lock (RANK_DOMAIN_LIST) for changing the
 * table and for taking a first reference.
 */
#include <tenue/domain.h>

#include <tenue/assert.h>
#include <tenue/log.h>
#include <tenue/options.h>
#include <tenue/pv.h>

#include "lib.h"

#define TABLE_FANOUT (PAGE_SIZE / sizeof(struct domain *))
#define TABLE_PAGES ((DOMID_FIRST_RESERVED + TABLE_FANOUT - 1) / TABLE_FANOUT)

/* How soon to look again at a dead domain whose shared page somebody still maps. */
#define REAP_RETRY (100 * 1000 * 1000ull)

STATIC_ASSERT(domain_fits_a_page, sizeof(struct domain) <= PAGE_SIZE);

struct domain *control_domain;

static struct spinlock table_lock = SPINLOCK_INIT(RANK_DOMAIN_LIST);
static struct domain **table[TABLE_PAGES]; /* pages only added */
static uint16_t table_used[TABLE_PAGES];   /* [table_lock] domains in each page */
unsigned domain_count;                     /* [table_lock] */
static struct domain *reap_list;           /* [a] to be looked at by domain_reap() */
static void reap_again(struct timer *t);
static struct timer reap_timer = TIMER_INIT(reap_again);

/* --- the table --- */

struct domain *domain_of_owner(uint16_t domid)
{
    struct domain **page;

    if (domid >= DOMID_FIRST_RESERVED)
        return NULL;
    page = __atomic_load_n(&table[domid / TABLE_FANOUT], __ATOMIC_ACQUIRE);
    return page ? __atomic_load_n(&page[domid % TABLE_FANOUT], __ATOMIC_ACQUIRE) : NULL;
}

static int table_insert(struct domain *d)
{
    struct domain ***page = &table[d->domid / TABLE_FANOUT];
    int rc = 0;

    spin_lock(&table_lock);
    if (!*page)
        __atomic_store_n(page, hv_alloc_page(), __ATOMIC_RELEASE);
    if (!*page)
        rc = -XEN_ENOMEM;
    else if ((*page)[d->domid % TABLE_FANOUT])
        rc = -XEN_EEXIST;
    else if (domain_count >= MAX_DOMAINS)
        rc = -XEN_ENOSPC;
    if (rc == 0) {
        domain_count++;
        table_used[d->domid / TABLE_FANOUT]++;
        __atomic_store_n(&(*page)[d->domid % TABLE_FANOUT], d, __ATOMIC_RELEASE);
    }
    spin_unlock(&table_lock);
    return rc;
}

static void table_remove(struct domain *d)
{
    spin_lock(&table_lock);
    domain_count--;
    table_used[d->domid / TABLE_FANOUT]--;
    __atomic_store_n(&table[d->domid / TABLE_FANOUT][d->domid % TABLE_FANOUT], NULL,
                     __ATOMIC_RELEASE);
    spin_unlock(&table_lock);
}

struct domain *domain_get(uint16_t domid)
{
    struct domain *d;

    spin_lock(&table_lock);
    d = domain_of_owner(domid);
    if (d)
        domain_ref(d);
    spin_unlock(&table_lock);
    return d;
}

struct domain *domain_get_or_self(uint16_t domid)
{
    struct domain *self = current_domain();

    if (domid != DOMID_SELF && domid != self->domid)
        return domain_get(domid);
    domain_ref(self);
    return self;
}

int domain_get_permitted(uint16_t domid, struct domain **d)
{
    const struct domain *self = current_domain();

    if (domid != DOMID_SELF && domid != self->domid && !self->is_control)
        return -XEN_EPERM;
    *d = domain_get_or_self(domid);
    return *d ? 0 : -XEN_ESRCH;
}

struct domain *domain_next(uint32_t from)
{
    struct domain *d = NULL;

    spin_lock(&table_lock);
    while (from < DOMID_FIRST_RESERVED && !d) {
        if (!table_used[from / TABLE_FANOUT]) {
            from = (uint32_t)ROUND_UP(from + 1, TABLE_FANOUT);
            continue;
        }
        d = table[from / TABLE_FANOUT][from % TABLE_FANOUT];
        from++;
    }
    if (d)
        domain_ref(d);
    spin_unlock(&table_lock);
    return d;
}

struct domain *domain_after(struct domain *d)
{
    const uint32_t from = d->domid + 1u;

    domain_put(d);
    return domain_next(from);
}

/* References are held by running code and by connections; 2^32 of them do not fit in memory. */
void domain_ref(struct domain *d)
{
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
}

/* A domain is on the list once at most: reap_queued is its ticket. False: it was there. With its
 * last reference gone nobody else can name it, so that one may return as the list's. */
static bool reap_later(struct domain *d)
{
    struct domain *head = __atomic_load_n(&reap_list, __ATOMIC_RELAXED);

    if (__atomic_exchange_n(&d->reap_queued, true, __ATOMIC_ACQ_REL))
        return false;
    domain_ref(d);
    do {
        d->reap_next = head;
    } while (!__atomic_compare_exchange_n(&reap_list, &head, d, false, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
    return true;
}

void domain_last_put(struct domain *d)
{
    if (reap_later(d))
        softirq_raise(SOFTIRQ_WORK);
}

static void reap_again(struct timer *t)
{
    (void)t;
    softirq_raise(SOFTIRQ_WORK);
}

/* --- creation --- */

static void init_fields(struct domain *d, const struct domain_config *cfg)
{
    d->domid = cfg->domid;
    d->is_control = cfg->is_control;
    d->max_vcpus = cfg->max_vcpus;
    d->ssidref = cfg->ssidref;
    d->refs = 1;
    d->pause_count = 1;
    d->paused_by_controller = true;
    memcpy(d->handle, cfg->handle, sizeof(d->handle));
    domain_pages_init(d, cfg->max_pages);
    d->evtchn.max = cfg->max_evtchn_port ? cfg->max_evtchn_port + 1 : 0;
}

static void domain_free(struct domain *d)
{
    sched_domain_release(d);
    domain_each_vcpu(d, vcpu_destroy);
    grant_table_free(d);
    evtchn_free(d);
    hv_free_page(d->memmap.entries);
    hv_free_page(d->shared_info);
    hv_free_page(d);
}

int domain_create(const struct domain_config *cfg, struct domain **out)
{
    struct domain *d;
    int rc;

    if (cfg->max_vcpus == 0 || cfg->max_vcpus > MAX_VCPUS)
        return -XEN_EINVAL;
    d = hv_alloc_page();
    if (!d)
        return -XEN_ENOMEM;
    init_fields(d, cfg);
    sched_domain_init(d);
    d->shared_info = hv_alloc_page();
    if (d->shared_info) {
        page_share(d->shared_info, d);
        time_update_wallclock(d);
    }
    rc = d->shared_info ? evtchn_init(d) : -XEN_ENOMEM;
    if (rc == 0)
        rc = grant_table_init(d, cfg->max_grant_frames, cfg->max_maptrack_frames);
    if (rc == 0)
        rc = table_insert(d);
    if (rc) {
        /* Nothing could map the page before the domain is in the table, so this is not busy. */
        BUG_ON(d->shared_info && page_unshare(d->shared_info, d));
        domain_free(d); /* takes what is there */
        return rc;
    }
    if (cfg->is_control)
        control_domain = d;
    *out = d;
    return 0;
}

cpumask_t domain_cpus_of(const struct domain *d, uint64_t vcpus)
{
    const struct vcpu *v;
    cpumask_t mask = 0;

    for_each_vcpu (d, v) {
        const uint32_t where = vcpus >> v->id & 1 ? READ_ONCE(v->is_running) : 0;

        mask |= where ? (cpumask_t)1 << (where - 1) : 0;
    }
    return mask;
}

/* --- pausing --- */

void domain_each_vcpu(struct domain *d, void (*fn)(struct vcpu *v))
{
    struct vcpu *v;

    for_each_vcpu (d, v)
        fn(v);
}

void domain_pause_nosync(struct domain *d)
{
    __atomic_fetch_add(&d->pause_count, 1, __ATOMIC_SEQ_CST);
    domain_each_vcpu(d, sched_sleep);
}

void domain_pause(struct domain *d)
{
    domain_pause_nosync(d);
    domain_each_vcpu(d, sched_sleep_sync);
}

void domain_unpause(struct domain *d)
{
    if (__atomic_sub_fetch(&d->pause_count, 1, __ATOMIC_SEQ_CST) != 0)
        return;
    domain_each_vcpu(d, sched_wake);
}

void domain_unpause_by_controller(struct domain *d)
{
    struct vcpu *v;

    if (!d->paused_by_controller)
        return;
    /* A builder wipes the shared page after we have written the time into it. */
    time_update_wallclock(d);
    for_each_vcpu (d, v)
        v->time_stamp = TIME_NEVER;
    d->paused_by_controller = false;
    domain_unpause(d);
}

/* --- shutting down --- */

static const char *shutdown_name(uint8_t reason)
{
    static const char *const names[] = {
        [SHUTDOWN_poweroff] = "power off", [SHUTDOWN_reboot] = "reboot",
        [SHUTDOWN_suspend] = "suspend",    [SHUTDOWN_crash] = "crash",
        [SHUTDOWN_watchdog] = "watchdog",  [SHUTDOWN_soft_reset] = "soft reset",
    };

    return reason < ARRAY_LEN(names) ? names[reason] : "unknown reason";
}

/* The machine goes with its control domain. */
static noreturn_fn void control_domain_ended(uint8_t reason)
{
    const bool halt = reason == SHUTDOWN_poweroff ||
                      (reason != SHUTDOWN_reboot && options.noreboot);

    log_err("control domain ended (%s): %s", shutdown_name(reason), halt ? "halting" : "rebooting");
    if (halt)
        hal_halt();
    hal_reboot();
}

void domain_shutdown(struct domain *d, uint8_t reason)
{
    if (d->is_control)
        control_domain_ended(reason);
    if (__atomic_exchange_n(&d->shutdown_claim, true, __ATOMIC_ACQ_REL))
        return;
    log_info("d%u shut down: %s", d->domid, shutdown_name(reason));
    d->shutdown_code = reason;
    domain_pause_nosync(d); /* first: a resumption that sees the flag takes this pause back */
    __atomic_store_n(&d->shutting_down, true, __ATOMIC_RELEASE);
    evtchn_send_global_virq(control_domain, VIRQ_DOM_EXC);
}

void domain_resume(struct domain *d)
{
    if (!READ_ONCE(d->shutting_down))
        return;
    d->shutting_down = false;
    d->shutdown_code = 0;
    __atomic_store_n(&d->shutdown_claim, false, __ATOMIC_RELEASE);
    domain_unpause(d);
}

static void log_registers(const struct domain *d)
{
    const struct vcpu *v = current_vcpu();
    const struct cpu_user_regs *r;

    if (!v || v->domain != d)
        return;
    r = hal_guest_regs();
    guest_log(d, LOG_ERR, "v%u %s mode: rip %04x:%lx rsp %04x:%lx rflags %lx", v->id,
              v->pv.kernel_mode ? "kernel" : "user", r->cs, r->rip, r->ss, r->rsp, r->rflags);
    guest_log(d, LOG_ERR, "rax %016lx rbx %016lx rcx %016lx rdx %016lx", r->rax, r->rbx, r->rcx,
              r->rdx);
    guest_log(d, LOG_ERR, "rsi %016lx rdi %016lx rbp %016lx r8  %016lx", r->rsi, r->rdi, r->rbp,
              r->r8);
    guest_log(d, LOG_ERR, "r9  %016lx r10 %016lx r11 %016lx r12 %016lx", r->r9, r->r10, r->r11,
              r->r12);
    guest_log(d, LOG_ERR, "r13 %016lx r14 %016lx r15 %016lx cr2 %016lx", r->r13, r->r14, r->r15,
              v->vcpu_info->arch.cr2);
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
    char reason[80];
    va_list ap;

    va_start(ap, fmt);
    fmt_vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    if (READ_ONCE(d->shutting_down))
        return; /* said once: what follows is a consequence */
    log_err("domain %u crashed: %s", d->domid, reason);
    log_registers(d);
    domain_shutdown(d, SHUTDOWN_crash);
}

/* --- the end --- */

static int stop_running(struct domain *d)
{
    domain_pause(d);
    __atomic_store_n(&d->dying, DOMAIN_DYING, __ATOMIC_SEQ_CST);
    domain_each_vcpu(d, vcpu_release_areas);
    return 0;
}

static int declare_dead(struct domain *d)
{
    __atomic_store_n(&d->dying, DOMAIN_DEAD, __ATOMIC_SEQ_CST);
    evtchn_send_global_virq(control_domain, VIRQ_DOM_EXC);
    domain_last_put(d);
    return 0;
}

/* Each stage is repeated until it returns 0; a repeated stage finds what it did done. */
static int (*const kill_stages[])(struct domain *) = {
    stop_running,         evtchn_reset,        grant_table_release_mappings,
    pv_domain_relinquish, pv_domain_unpin_all, domain_relinquish_pages,
    declare_dead,
};

int domain_kill(struct domain *d)
{
    while (d->kill_stage < ARRAY_LEN(kill_stages)) {
        int rc = kill_stages[d->kill_stage](d);

        if (rc)
            return rc;
        d->kill_stage++;
    }
    return 0;
}

void domain_pages_gone(struct domain *d)
{
    if (READ_ONCE(d->dying) == DOMAIN_DEAD)
        domain_last_put(d);
}

static void reap_one(struct domain *d)
{
    bool frames_remain;

    /* page_put() reports the last frame under this lock: having it means that it is done with d. */
    spin_lock(&d->pages.lock);
    frames_remain = d->pages.total != 0;
    spin_unlock(&d->pages.lock);
    if (READ_ONCE(d->dying) != DOMAIN_DEAD || frames_remain)
        return;
    if (grant_table_unshare(d) || page_unshare(d->shared_info, d)) {
        reap_later(d);
        timer_set(&reap_timer, hal_now() + REAP_RETRY);
        return;
    }
    if (__atomic_exchange_n(&d->unlisted, true, __ATOMIC_ACQ_REL))
        return;
    table_remove(d);
    evtchn_send_global_virq(control_domain, VIRQ_DOM_EXC);
    domain_put(d);
}

/* Drop the list's reference. */
static void reaped(struct domain *d)
{
    const uint16_t domid = d->domid;

    if (__atomic_sub_fetch(&d->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    domain_free(d);
    if (DEBUG_BUILD && pv_audit() != 0) /* each end is when the books are looked at */
        log_err("audit: so found after the end of domain %u", domid);
}

void domain_reap(void)
{
    struct domain *d = __atomic_exchange_n(&reap_list, NULL, __ATOMIC_ACQUIRE);

    while (d) {
        struct domain *next = d->reap_next;

        __atomic_store_n(&d->reap_queued, false, __ATOMIC_RELEASE);
        reap_one(d);
        reaped(d);
        d = next;
    }
}

/* --- what the control domain is told --- */

static void add_vcpu_info(const struct vcpu *v, struct xen_domctl_getdomaininfo *info)
{
    info->cpu_time += vcpu_cpu_time(v);
    info->max_vcpu_id = v->id;
    if (READ_ONCE(v->pause_flags) & (1u << VPF_DOWN))
        return;
    if (info->nr_online_vcpus++ == 0)
        info->flags |= XEN_DOMINF_blocked; /* until one is seen that is not */
    if (!(READ_ONCE(v->pause_flags) & (1u << VPF_BLOCKED)))
        info->flags &= ~XEN_DOMINF_blocked;
    if (vcpu_runstate(v).state == RUNSTATE_running)
        info->flags |= XEN_DOMINF_running;
}

void domain_get_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    const struct vcpu *v;

    memset(info, 0, sizeof(*info));
    info->domain = d->domid;
    info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
    for_each_vcpu (d, v)
        add_vcpu_info(v, info);
    if (READ_ONCE(d->dying) == DOMAIN_DEAD)
        info->flags |= XEN_DOMINF_dying;
    if (READ_ONCE(d->shutting_down))
        info->flags |= XEN_DOMINF_shutdown | (uint32_t)d->shutdown_code << XEN_DOMINF_shutdownshift;
    if (d->paused_by_controller)
        info->flags |= XEN_DOMINF_paused;
    info->tot_pages = READ_ONCE(d->pages.total);
    info->max_pages = READ_ONCE(d->pages.max);
    info->shared_info_frame = ptr_to_mfn(d->shared_info).n;
    info->ssidref = d->ssidref;
    memcpy(info->handle, d->handle, sizeof(info->handle));
    info->gpaddr_bits = (uint8_t)hal_maddr_bits;
}
