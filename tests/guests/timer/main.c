/* SPDX-License-Identifier: MIT */
/*
 * Contract: time. The clock page never runs backwards and advances at the rate of the TSC it
 * scales; a single-shot timer fires once, not early, at once when its deadline has passed, and is
 * replaced by the next; set_timer_op does the same; block and poll end with the event, the
 * deadline, or immediately when there is no reason to sleep; the wall clock is plausible.
 *
 * Invariants: EV-5, EV-9, HC-14.
 * A failure means: kernels lose ticks, sleep for ever or wake too early; clocks run backwards.
 * Sabotage: double `delta` in the SDK's front_time_ns(): the clock and the timers disagree.
 * Obey VCPU_SSHOTTMR_future in op_set_singleshot(): -ETIME.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define MS 1000000UL

static volatile u64 ticks;
static u64 fired_at;
static evtchn_port_t timer_port;

static void on_tick(evtchn_port_t port, void *opaque)
{
    (void)port;
    (void)opaque;
    fired_at = front_time_ns();
    ticks++;
}

static long singleshot(u64 when, u32 flags)
{
    vcpu_set_singleshot_timer_t op = {.timeout_abs_ns = when, .flags = flags};

    return hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &op);
}

static void monotonic(void)
{
    u64 last = front_time_ns(), start = last, tsc = front_rdtsc(), turns = 0;
    const struct vcpu_time_info *t = &front_vcpu_info(0)->time;

    for (; last - start < 20 * MS; turns++) {
        u64 now = front_time_ns();

        if (!check(now >= last, "from %lu back to %lu", last, now))
            return;
        last = now;
    }
    check(turns > 100, "only %lu readings in 20 ms", turns);
    check(front_rdtsc() > tsc);
    check(!(t->version & 1), "version %u at rest", t->version);
    check(t->tsc_to_system_mul != 0);
}

static void oneshot(void)
{
    u64 deadline = front_time_ns() + 5 * MS;

    ticks = 0;
    check_eq(singleshot(deadline, 0), 0);
    check(front_wait(&ticks, 1, 1000 * MS), "no timer event within a second");
    check(fired_at >= deadline, "fired %lu ns early", deadline - fired_at);
    check(!front_wait(&ticks, 2, 10 * MS), "one shot fired twice");
    /* In the past: at once, and no error. */
    ticks = 0;
    check_eq(singleshot(front_time_ns() - MS, 0), 0);
    check(front_wait(&ticks, 1, 1000 * MS), "a past deadline does not fire");
    ticks = 0;
    check_eq(singleshot(1, 0), 0);
    check(front_wait(&ticks, 1, 1000 * MS), "deadline 1 does not fire");
    /* Nobody obeys the flag any more: kernels that were refused tried again for ever. */
    ticks = 0;
    check_eq(singleshot(1, VCPU_SSHOTTMR_future), 0);
    check(front_wait(&ticks, 1, 1000 * MS), "a past deadline, future only, does not fire");
    /* A later call replaces the earlier; stopping cancels. */
    ticks = 0;
    check_eq(singleshot(front_time_ns() + 5 * MS, 0), 0);
    check_eq(singleshot(front_time_ns() + 40 * MS, 0), 0);
    check(!front_wait(&ticks, 1, 15 * MS), "the replaced deadline fired");
    check_eq(hc_vcpu_op(VCPUOP_stop_singleshot_timer, 0, 0), 0);
    check(!front_wait(&ticks, 1, 50 * MS), "a stopped timer fired");
    /* As far away as numbers go: not now. */
    check_eq(singleshot(~0UL >> 1, 0), 0);
    check(!front_wait(&ticks, 1, 5 * MS), "the end of time came early");
    check_eq(hc_vcpu_op(VCPUOP_stop_singleshot_timer, 0, 0), 0);
    check_eq(hc_vcpu_op(VCPUOP_stop_singleshot_timer, 77, 0), -XEN_ENOENT);
}

static void timer_op(void)
{
    ticks = 0;
    check_eq(hc_set_timer_op(front_time_ns() + 3 * MS), 0);
    check(front_wait(&ticks, 1, 1000 * MS), "set_timer_op does not fire");
    ticks = 0;
    check_eq(hc_set_timer_op(front_time_ns() + 10 * MS), 0);
    check_eq(hc_set_timer_op(0), 0);
    check(!front_wait(&ticks, 1, 20 * MS), "set_timer_op(0) does not cancel");
}

static void block(void)
{
    u64 deadline;

    front_irq_disable();
    ticks = 0;
    deadline = front_time_ns() + 5 * MS;
    singleshot(deadline, 0);
    check_eq(hc_sched_op(SCHEDOP_block, 0), 0);
    check_eq(ticks, 1); /* block opens the mask, so the upcall has run */
    check(front_irq_enabled());
    check(front_time_ns() >= deadline, "woke %lu ns early", deadline - front_time_ns());
    /* With an event waiting there is no sleep. */
    front_irq_disable();
    singleshot(1, 0);
    check_eq(hc_sched_op(SCHEDOP_block, 0), 0);
    check_eq(ticks, 2);
}

static void poll(void)
{
    evtchn_port_t ports[2] = {timer_port, 0};
    struct sched_poll op = {.nr_ports = 1};
    u64 start;

    set_xen_guest_handle(op.ports, ports);
    front_irq_disable();
    front_evtchn_take(timer_port);
    ticks = 0;
    start = front_time_ns();
    op.timeout = start + 5 * MS;
    check_eq(hc_sched_op(SCHEDOP_poll, &op), 0);
    check(front_time_ns() >= op.timeout, "poll came back early");
    /* The port becomes pending: poll ends, nothing is delivered, nothing cleared. */
    front_evtchn_mask(timer_port);
    singleshot(front_time_ns() + 3 * MS, 0);
    op.timeout = 0;
    check_eq(hc_sched_op(SCHEDOP_poll, &op), 0);
    check(front_evtchn_pending(timer_port));
    check_eq(hc_sched_op(SCHEDOP_poll, &op), 0);
    check_eq(ticks, 0);
    ports[0] = 4095;
    check_eq(hc_sched_op(SCHEDOP_poll, &op), -XEN_EINVAL);
    ports[0] = ~0U;
    check_eq(hc_sched_op(SCHEDOP_poll, &op), -XEN_EINVAL);
    op.nr_ports = 129;
    check_eq(hc_sched_op(SCHEDOP_poll, &op), -XEN_EINVAL);
    front_evtchn_unmask(timer_port);
    front_irq_enable();
    check_eq(ticks, 1);
}

static void periodic(void)
{
    vcpu_set_periodic_timer_t op = {.period_ns = 2 * MS};

    check_eq(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &op), 0);
    ticks = 0;
    check(front_wait(&ticks, 3, 1000 * MS), "a 2 ms period gave %lu ticks in a second", ticks);
    check_eq(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0), 0);
    ticks = 0;
    check(!front_wait(&ticks, 1, 10 * MS), "a stopped period goes on");
    op.period_ns = 1;
    check_eq(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &op), -XEN_EINVAL);
}

static void wallclock(void)
{
    const shared_info_t *s = front_shared;
    u64 seconds = s->wc_sec | (u64)s->wc_sec_hi << 32;

    check(!(s->wc_version & 1), "wc_version %u", s->wc_version);
    check(seconds > 1577836800UL, "the wall clock says %lu", seconds); /* 2020 */
    check(s->wc_nsec < 1000000000U, "wc_nsec %u", s->wc_nsec);
}

void guest_test(void)
{
    int port = front_evtchn_bind_virq(VIRQ_TIMER, 0);

    check(port > 0, "VIRQ_TIMER answers %d", port);
    timer_port = (evtchn_port_t)port;
    front_evtchn_handle(timer_port, on_tick, NULL);
    front_evtchn_unmask(timer_port);
    front_irq_enable();
    hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0);
    monotonic();
    oneshot();
    timer_op();
    block();
    poll();
    periodic();
    wallclock();
}
