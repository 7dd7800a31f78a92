/* SPDX-License-Identifier: MIT */
/*
 * Closed accounting (account.h): a page per vcpu, made when watching begins and kept until the vcpu
 * is destroyed, so that counters never fall; what runs while watching is off is a part of its own.
 *
 * One writer at a time: the CPU that runs the vcpu, or whoever changes its run state with the run
 * queue locked. Readers are other CPUs, without a lock: seq is odd while a change is under way.
 */
#include <tenue/account.h>

#include <tenue/hypercall.h>
#include <tenue/vcpu.h>

#include "lib.h"

#define PART_FROM_STATE TENUE_PARTS /* not known yet: as the run state says */
#define READ_TRIES 1000u

struct vcpu_account {
    uint32_t seq;         /* [a] odd: being changed */
    peeked uint32_t part; /* the one that the time since `since` belongs to */
    peeked ns_t opened, since;
    uint32_t outer; /* the part to go back to after an element of a multicall */
    peeked struct tenue_part_time parts[TENUE_PARTS];
};
STATIC_ASSERT(account_fits_a_page, sizeof(struct vcpu_account) <= PAGE_SIZE);

peeked bool watch_on;
static peeked uint32_t flags_now; /* [a] TENUE_WATCH_* as last asked */
static bool setting;              /* [a] somebody is changing them */

static unsigned part_of_state(int state)
{
    switch (state) {
    case RUNSTATE_running:
        return TENUE_PART_UNWATCHED;
    case RUNSTATE_runnable:
        return TENUE_PART_WAITING;
    case RUNSTATE_blocked:
        return TENUE_PART_BLOCKED;
    default:
        return TENUE_PART_OFFLINE;
    }
}

/* --- changing --- */

/* Clocks of CPUs may differ by a little: time never runs backwards here. */
static void change(struct vcpu_account *a, unsigned part, ns_t now, unsigned count)
{
    peeked struct tenue_part_time *old = &a->parts[a->part];

    WRITE_ONCE(a->seq, a->seq + 1);
    barrier();
    if (now > a->since) {
        old->ns += now - a->since;
        a->since = now;
    }
    old->count += count;
    a->part = part;
    barrier();
    WRITE_ONCE(a->seq, a->seq + 1);
}

/* first: of a hypercall, its first argument, which names the operation of most. */
static void enter(struct vcpu *v, unsigned part, unsigned event, unsigned count, uint64_t first)
{
    struct vcpu_account *a = v->account;
    ns_t now;

    if (!a)
        return;
    now = hal_now();
    if (a->part == PART_FROM_STATE)
        a->part = TENUE_PART_UNWATCHED;
    change(a, part, now, count);
    if (this_cpu()->trace)
        trace_put(v, now, event, part | (uint32_t)first << 16);
}

void account_enter(unsigned part)
{
    enter(current_vcpu(), part, TENUE_TRACE_PART, 1, 0);
}

void account_enter_hypercall(const struct cpu_user_regs *regs)
{
    struct vcpu *v = current_vcpu();
    evtchn_port_t port;

    if (regs->rax >= HYPERCALL_NRS)
        return;
    enter(v, TENUE_PART_HYPERCALL + (uint32_t)index_nospec(regs->rax, HYPERCALL_NRS),
          TENUE_TRACE_PART, 1, regs->rdi);
    if (this_cpu()->trace && regs->rax == __HYPERVISOR_event_channel_op &&
        regs->rdi == EVTCHNOP_send && guest_read_obj(&port, guest_va_make(regs->rsi)) == 0)
        trace_put(v, hal_now(), TENUE_TRACE_SEND, port);
}

void account_rename(unsigned part)
{
    struct vcpu *v = current_vcpu();

    if (!v->account)
        return;
    WRITE_ONCE(v->account->part, part);
    if (this_cpu()->trace)
        trace_put(v, hal_now(), TENUE_TRACE_RENAME, part);
}

void account_element_begin(uint64_t nr, uint64_t first)
{
    struct vcpu *v = current_vcpu();

    if (!v->account || nr >= HYPERCALL_NRS)
        return;
    v->account->outer = v->account->part;
    enter(v, TENUE_PART_HYPERCALL + (uint32_t)index_nospec(nr, HYPERCALL_NRS), TENUE_TRACE_PART, 0,
          first);
}

void account_element_end(void)
{
    struct vcpu *v = current_vcpu();

    if (v->account && v->account->part >= TENUE_PART_HYPERCALL)
        enter(v, v->account->outer, TENUE_TRACE_BACK, 1, 0);
}

void account_exit(void)
{
    const struct vcpu *v = current_vcpu();

    if (vcpu_event_pending(v) || (v->nmi_pending && !v->in_nmi))
        account_enter(TENUE_PART_UPCALL);
    else
        account_enter(v->pv.kernel_mode ? TENUE_PART_KERNEL : TENUE_PART_USER);
}

void account_runstate(struct vcpu *v, int old_state, int new_state, ns_t now)
{
    struct vcpu_account *a = v->account;
    unsigned part = part_of_state(new_state);

    if (a->part == PART_FROM_STATE)
        a->part = part_of_state(old_state);
    if (new_state == RUNSTATE_running && watch_on)
        part = TENUE_PART_SWITCH;
    change(a, part, now, 1);
    if (this_cpu()->trace)
        trace_put(v, now, TENUE_TRACE_PART, part);
}

/* --- on and off --- */

void account_vcpu_init(struct vcpu *v)
{
    struct vcpu_account *a;

    if (!watch_on || v->account)
        return;
    a = hv_alloc_page();
    if (!a)
        return;
    a->opened = a->since = hal_now();
    a->part = PART_FROM_STATE;
    v->account = a;
}

void account_vcpu_free(struct vcpu *v)
{
    if (v->account)
        hv_free_page(v->account);
    v->account = NULL;
}

void watch_follow(void)
{
    struct cpu *c = this_cpu();
    const bool on = READ_ONCE(watch_on);
    const struct vcpu *v = c->current;

    trace_follow(READ_ONCE(flags_now) & TENUE_WATCH_TRACE);
    if (c->watched == on)
        return;
    c->watched = on;
    hal_fast_paths(!on);
    if (!on && v && !c->idle && vcpu_runstate(v).state == RUNSTATE_running)
        account_enter(TENUE_PART_UNWATCHED);
}

static void tell_cpus(void)
{
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        softirq_raise_on(cpu, SOFTIRQ_WORK);
}

/* Every vcpu there is; those made from now on get theirs when made. */
static int open_accounts(void)
{
    struct domain *d;

    for (uint32_t id = 0; (d = domain_next(id)) != NULL;) {
        bool all = true;

        id = d->domid + 1u;
        for (uint32_t i = 0; i < d->max_vcpus; i++) {
            if (!d->vcpus[i])
                continue;
            account_vcpu_init(d->vcpus[i]);
            all &= d->vcpus[i]->account != NULL;
        }
        domain_put(d);
        if (!all)
            return -XEN_ENOMEM;
        if (hal_preempt_point())
            return -XEN_ERESTART;
    }
    return 0;
}

/* CPUs give their rings back when they see that TRACE is gone, so it is there before the rings. */
static int begin(uint32_t flags, uint32_t records, uint32_t domid)
{
    int rc = open_accounts();

    if (rc || !(flags & TENUE_WATCH_TRACE))
        return rc;
    WRITE_ONCE(flags_now, flags_now | TENUE_WATCH_TRACE);
    return trace_begin(records, domid);
}

static int change_watch(uint32_t flags, uint32_t records, uint32_t domid)
{
    const uint32_t old = flags_now;
    int rc = 0;

    if (flags & TENUE_WATCH_ACCOUNT) {
        WRITE_ONCE(watch_on, true);
        rc = begin(flags, records, domid);
    }
    WRITE_ONCE(flags_now, rc ? old : flags);
    WRITE_ONCE(watch_on, (flags_now & TENUE_WATCH_ACCOUNT) != 0);
    tell_cpus();
    return rc;
}

int watch_set(uint32_t flags, uint32_t records, uint32_t domid)
{
    int rc;

    if (flags & ~(TENUE_WATCH_ACCOUNT | TENUE_WATCH_TRACE | TENUE_WATCH_KEEP))
        return -XEN_EINVAL;
    if (flags & (TENUE_WATCH_TRACE | TENUE_WATCH_KEEP) && !(flags & TENUE_WATCH_ACCOUNT))
        return -XEN_EINVAL;
    if (__atomic_exchange_n(&setting, true, __ATOMIC_ACQUIRE))
        return -XEN_EBUSY;
    rc = change_watch(flags, records, domid);
    __atomic_store_n(&setting, false, __ATOMIC_RELEASE);
    return rc;
}

uint32_t watch_flags(void)
{
    return READ_ONCE(flags_now);
}

/* --- reading --- */

/* Fill in all of op but the array. False: it changed meanwhile. */
static bool copy_parts(const struct vcpu *v, struct tenue_op_account *op,
                       struct tenue_part_time parts[TENUE_PARTS])
{
    const struct vcpu_account *a = v->account;
    const uint32_t seq = READ_ONCE(a->seq);
    const struct vcpu_runstate_info run = vcpu_runstate(v);
    ns_t since;

    barrier();
    for (unsigned i = 0; i < TENUE_PARTS; i++)
        parts[i] = a->parts[i];
    op->part = a->part;
    op->opened = a->opened;
    since = a->since;
    barrier();
    if (seq & 1 || READ_ONCE(a->seq) != seq)
        return false;
    if (op->part == PART_FROM_STATE)
        op->part = part_of_state(run.state);
    op->now = MAX(hal_now(), since);
    parts[op->part].ns += op->now - since;
    op->running = run.time[RUNSTATE_running];
    if (run.state == RUNSTATE_running && op->now > run.state_entry_time)
        op->running += op->now - run.state_entry_time;
    return true;
}

int account_read(struct vcpu *v, struct tenue_op_account *op)
{
    struct tenue_part_time parts[TENUE_PARTS];

    if (!v->account)
        return -XEN_ENODATA;
    for (unsigned tries = 0; !copy_parts(v, op, parts); tries++) {
        if (tries == READ_TRIES)
            return -XEN_EBUSY;
        hal_spin_wait();
    }
    return guest_write(guest_va_make(op->parts), parts, sizeof(parts));
}
