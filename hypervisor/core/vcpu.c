/* SPDX-License-Identifier: MIT */
/*
 * The life of a vcpu: created down and without context, kicked by events, stopped by flags and
 * counts, its shared areas registered and given back, its run state accounted.
 *
 * Waking without losing a wake-up: the waker makes its event visible (an atomic exchange or or),
 * then reads pause_flags; the sleeper sets its flag (atomic), then looks for events once more.
 *
 * v->vcpu_info always points to mapped memory of ours or of a frame held by a reference and a
 * writable type (HC-11): event senders use it without a lock. Registering a new area publishes
 * the pointer first and marks everything pending afterwards, so a sender that still used the old
 * one loses nothing: its bit in the shared page is found by the scan that follows.
 */
#include <tenue/vcpu.h>

#include <tenue/account.h>
#include <tenue/assert.h>
#include <tenue/pv.h>

#include "lib.h"

#define CONTEXT_ORDER 1

STATIC_ASSERT(vcpu_fits_a_page, sizeof(struct vcpu) <= PAGE_SIZE);
STATIC_ASSERT(legacy_slots_suffice, MAX_VCPUS <= XEN_LEGACY_MAX_VCPUS);

static void singleshot_fired(struct timer *t)
{
    this_cpu()->runq.guest_timers++;
    evtchn_send_virq(container_of(t, struct vcpu, singleshot), VIRQ_TIMER);
}

/* A late tick is not made up for: one event a pass, the next a full period from now (EV-9). */
static void periodic_fired(struct timer *t)
{
    struct vcpu *v = container_of(t, struct vcpu, periodic);

    this_cpu()->runq.guest_timers++;
    evtchn_send_virq(v, VIRQ_TIMER);
    if (v->periodic_period)
        timer_set(t, hal_now() + v->periodic_period);
}

static void poll_timed_out(struct timer *t)
{
    this_cpu()->runq.guest_timers++;
    vcpu_poll_end(container_of(t, struct vcpu, poll_timer));
}

static void vcpu_init(struct vcpu *v, struct domain *d, uint32_t id)
{
    v->domain = d;
    v->id = id;
    v->pause_flags = 1u << VPF_DOWN;
    v->vcpu_info = &d->shared_info->vcpu_info[id];
    v->vcpu_info_mfn = MFN_NONE;
    v->vcpu_info->evtchn_upcall_mask = 1;
    v->time_stamp = TIME_NEVER;
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = hal_now();
    timer_init(&v->singleshot, singleshot_fired);
    timer_init(&v->periodic, periodic_fired);
    timer_init(&v->poll_timer, poll_timed_out);
    sched_vcpu_init(v);
    pv_vcpu_init(v);
}

int vcpu_create(struct domain *d, uint32_t id)
{
    struct vcpu *v;

    if (id >= d->max_vcpus || d->vcpus[id])
        return -XEN_EINVAL;
    v = hv_alloc_page();
    if (!v)
        return -XEN_ENOMEM;
    vcpu_init(v, d, id);
    v->pv.traps = hv_alloc_page();
    v->hal = hv_alloc_page();
    if (!v->pv.traps || !v->hal) {
        vcpu_destroy(v); /* takes what is there */
        return -XEN_ENOMEM;
    }
    hal_vcpu_init(v->hal);
    account_vcpu_init(v);
    d->vcpus[id] = v;
    return 0;
}

void vcpu_destroy(struct vcpu *v)
{
    ASSERT(v->is_running == 0 && !v->sched.queued);
    sched_vcpu_release(v);
    account_vcpu_free(v);
    hv_free_page(v->hal);
    hv_free_page(v->pv.traps);
    hv_free_page(v);
}

/* --- contexts --- */

STATIC_ASSERT(context_order, sizeof(vcpu_guest_context_t) <= PAGE_SIZE << CONTEXT_ORDER);

/* A flag and not a lock keeps others away, since validation may be preempted. */
static int set_context(struct vcpu *v, const vcpu_guest_context_t *ctxt, bool anew)
{
    int rc;

    if (__atomic_exchange_n(&v->init_claim, true, __ATOMIC_ACQUIRE))
        return -XEN_EBUSY;
    rc = v->initialised && !anew ? -XEN_EEXIST : pv_vcpu_set_context(v, ctxt);
    if (rc == 0)
        v->initialised = true;
    __atomic_store_n(&v->init_claim, false, __ATOMIC_RELEASE);
    return rc;
}

int vcpu_load_context(struct vcpu *v, guest_va from, bool anew, bool *online)
{
    vcpu_guest_context_t *ctxt;
    int rc;

    ctxt = hv_alloc_pages(CONTEXT_ORDER);
    if (!ctxt)
        return -XEN_ENOMEM;
    rc = guest_read_obj(ctxt, from);
    if (rc == 0)
        rc = set_context(v, ctxt, anew);
    *online = ctxt->flags & VGCF_online;
    hv_free_pages(ctxt, CONTEXT_ORDER);
    return rc;
}

int vcpu_store_context(struct vcpu *v, guest_va to)
{
    vcpu_guest_context_t *ctxt;
    int rc;

    if (!v->initialised)
        return -XEN_ENODATA;
    ctxt = hv_alloc_pages(CONTEXT_ORDER);
    if (!ctxt)
        return -XEN_ENOMEM;
    vcpu_pause(v);
    pv_vcpu_get_context(v, ctxt);
    vcpu_unpause(v);
    rc = guest_write_obj(to, ctxt);
    hv_free_pages(ctxt, CONTEXT_ORDER);
    return rc;
}

/* --- running and not --- */

void vcpu_pause_set(struct vcpu *v, enum vcpu_pause why)
{
    __atomic_fetch_or(&v->pause_flags, 1u << why, __ATOMIC_SEQ_CST);
    sched_sleep(v);
}

void vcpu_pause_clear(struct vcpu *v, enum vcpu_pause why)
{
    uint32_t old = __atomic_fetch_and(&v->pause_flags, ~(1u << why), __ATOMIC_SEQ_CST);

    if (old & (1u << why))
        sched_wake(v);
}

void vcpu_pause(struct vcpu *v)
{
    __atomic_fetch_add(&v->pause_count, 1, __ATOMIC_SEQ_CST);
    sched_sleep_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
    if (__atomic_sub_fetch(&v->pause_count, 1, __ATOMIC_SEQ_CST) == 0)
        sched_wake(v);
}

void vcpu_poll_end(struct vcpu *v)
{
    __atomic_fetch_and(&v->domain->poll_mask, ~(1u << v->id), __ATOMIC_SEQ_CST);
    vcpu_pause_clear(v, VPF_POLL);
}

void vcpu_kick(struct vcpu *v)
{
    uint32_t flags = READ_ONCE(v->pause_flags), where;

    if (flags & (1u << VPF_BLOCKED)) {
        vcpu_pause_clear(v, VPF_BLOCKED);
    } else if (flags & (1u << VPF_POLL)) {
        vcpu_poll_end(v);
    } else {
        where = READ_ONCE(v->is_running);
        if (where && where - 1 != this_cpu()->id)
            hal_send_softirq_ipi(where - 1);
    }
}

void vcpu_mark_event_pending(struct vcpu *v)
{
    vcpu_info_t *info = v->vcpu_info;

    if (!__atomic_exchange_n(&info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST))
        vcpu_kick(v);
}

bool vcpu_event_pending(const struct vcpu *v)
{
    const vcpu_info_t *info = v->vcpu_info;

    return READ_ONCE(info->evtchn_upcall_pending) && !READ_ONCE(info->evtchn_upcall_mask);
}

/* --- run state --- */

void vcpu_runstate_change(struct vcpu *v, int new_state, ns_t now)
{
    struct vcpu_runstate_info *r = &v->runstate;

    if (unlikely(v->account))
        account_runstate(v, r->state, new_state, now);
    r->time[r->state] += now - r->state_entry_time;
    r->state_entry_time = now;
    r->state = new_state;
}

uint64_t vcpu_cpu_time(const struct vcpu *v)
{
    const struct vcpu_runstate_info r = vcpu_runstate(v);
    uint64_t t = r.time[RUNSTATE_running];

    return r.state == RUNSTATE_running ? t + (hal_now() - r.state_entry_time) : t;
}

/* A registered area that has become unreachable is the guest's loss alone: errors end here. */
static void runstate_write(const struct vcpu *v, guest_va area)
{
    guest_va entry_time = guest_va_add(area, offsetof(struct vcpu_runstate_info, state_entry_time));
    struct vcpu_runstate_info copy = vcpu_runstate(v);

    const bool marked = v->domain->pv.vm_assist & (1ul << VMASST_TYPE_runstate_update_flag);

    if (marked) {
        copy.state_entry_time |= XEN_RUNSTATE_UPDATE;
        if (guest_write_obj(entry_time, &copy.state_entry_time))
            return;
        barrier();
    }
    if (guest_write_obj(area, &copy) || !marked)
        return;
    barrier();
    copy.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
    if (guest_write_obj(entry_time, &copy.state_entry_time))
        return;
}

/* v is loaded. Areas are mapped by the guest kernel's root only. */
static inline void write_area(struct vcpu *v, guest_va area,
                              void (*write)(const struct vcpu *v, guest_va area))
{
    if (guest_va_is_null(area))
        return;
    if (v->pv.kernel_mode) {
        write(v, area);
        return;
    }
    hal_switch_root(v->pv.root_kernel);
    write(v, area);
    hal_switch_root(v->pv.root_user);
}

void vcpu_runstate_publish(struct vcpu *v)
{
    write_area(v, READ_ONCE(v->runstate_va), runstate_write);
}

void vcpu_time_publish(struct vcpu *v)
{
    write_area(v, READ_ONCE(v->time_va), time_write_area);
}

/* --- registered areas --- */

int vcpu_map_vcpu_info(struct vcpu *v, mfn_t mfn, uint32_t offset)
{
    vcpu_info_t *old = v->vcpu_info, *info;
    mfn_t none = MFN_NONE;
    int rc;

    if (offset > PAGE_SIZE - sizeof(*info) || offset % 8)
        return -XEN_ENXIO;
    if (READ_ONCE(v->vcpu_info_mfn.n) != none.n)
        return -XEN_EINVAL;
    rc = page_get_and_type(mfn, v->domain, PGT_WRITABLE);
    if (rc)
        return rc;
    /* Two vcpus may register an area for the same third one: the reference is kept by one. */
    if (!__atomic_compare_exchange_n(&v->vcpu_info_mfn.n, &none.n, mfn.n, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST)) {
        rc = page_put_and_type(mfn);
        return rc ? rc : -XEN_EINVAL;
    }
    info = (vcpu_info_t *)((char *)mfn_to_ptr(mfn) + offset);
    for (unsigned i = 0; i < sizeof(*info) / sizeof(uint64_t); i++)
        ((uint64_t *)info)[i] = READ_ONCE(((uint64_t *)old)[i]);
    v->vcpu_info = info;
    v->time_stamp = TIME_NEVER;
    if (v == current_vcpu())
        time_refresh_vcpu(v);
    __atomic_store_n(&info->evtchn_pending_sel, ~0ul, __ATOMIC_SEQ_CST);
    WRITE_ONCE(info->evtchn_upcall_pending, 0);
    vcpu_mark_event_pending(v);
    return 0;
}

void vcpu_release_areas(struct vcpu *v)
{
    const mfn_t held = v->vcpu_info_mfn;

    timer_kill(&v->singleshot);
    v->periodic_period = 0;
    timer_kill(&v->periodic);
    timer_kill(&v->poll_timer);
    v->runstate_va = v->time_va = guest_va_make(0);
    /* Back to the slot in shared_info, which lives as long as the domain. */
    v->vcpu_info = &v->domain->shared_info->vcpu_info[v->id];
    v->vcpu_info_mfn = MFN_NONE;
    /* A writable type has nothing to undo, so this cannot be preempted. */
    BUG_ON(!mfn_is_none(held) && page_put_and_type(held) != 0);
    sched_vcpu_release(v);
}
