/* SPDX-License-Identifier: MIT */
/*
 * Lab 10, the grader's part: a second vcpu that has to share the processor with the first. It
 * pesters it with events while it sleeps, sends those that it polls for, and holds a lock for long.
 * What the first one really did with its time is the hypervisor's account.
 */
#include "task.h"

#define MS 1000000UL
#define PORTS 3
#define ROUNDS 300

static enum mode { QUIET, PESTER, SEND, HOLD, COUNT, COUNTING, COUNTED } mode;
static u64 send_at, hold_until, pester_until;
static evtchn_port_t pester, ports[PORTS], sent, waker;
static u32 lock, mutex;
static volatile u64 sum;

/* ---- the other vcpu ---- */

static enum mode mode_now(void)
{
    return __atomic_load_n(&mode, __ATOMIC_ACQUIRE);
}

static void set_mode(enum mode to)
{
    __atomic_store_n(&mode, to, __ATOMIC_RELEASE);
}

/* It sleeps by polling: nobody delivers events to it. */
static void doze(u64 ns)
{
    sched_poll_t poll = {.nr_ports = 1, .timeout = front_time_ns() + ns};

    set_xen_guest_handle(poll.ports, &waker);
    hc_sched_op(SCHEDOP_poll, &poll);
}

/* A sum that is read, and written some time later. */
static void count(void)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        u64 before;

        my_lock(&mutex);
        before = sum;
        if (i % 60 == 0)
            hc_sched_op(SCHEDOP_yield, 0);
        sum = before + 1;
        my_unlock(&mutex);
    }
}

static void other(void)
{
    for (;;) {
        switch (mode_now()) {
        case PESTER:
            doze(MS);
            if (front_time_ns() < pester_until)
                front_evtchn_send(pester);
            break;
        case SEND:
            doze(MS / 4);
            if (front_time_ns() >= send_at) {
                front_evtchn_send(sent);
                set_mode(QUIET);
            }
            break;
        case HOLD:
            if (lock) {
                while (front_time_ns() < hold_until)
                    ;
                my_unlock(&lock);
                set_mode(QUIET);
                break;
            }
            doze(MS / 4);
            break;
        case COUNT:
            set_mode(COUNTING);
            count();
            set_mode(COUNTED);
            break;
        default:
            doze(MS / 2);
        }
    }
}

/* ---- the first one's account, by the hypervisor ---- */

static u64 running(void)
{
    struct vcpu_runstate_info info = {0};

    hc_vcpu_op(VCPUOP_get_runstate_info, 0, &info);
    return info.time[RUNSTATE_running];
}

static void nothing(evtchn_port_t port, void *opaque)
{
    (void)port;
    (void)opaque;
}

/* ---- the tests ---- */

/* Sleeps for that long: how late it came back, in ms; -1: too early. */
static long sleep_for(u64 ns)
{
    u64 until = front_time_ns() + ns, now;

    my_sleep_until(until);
    now = front_time_ns();
    return now < until ? -1 : (long)((now - until) / MS);
}

static void sleeping(void)
{
    u64 ns = lab_number("sleep") * MS / 10, before;
    long late;

    before = running();
    late = sleep_for(ns);
    lab_fact("late", "%ld", late);
    lab_fact("busy", "%lu", (running() - before) * 100 / ns);
    pester_until = front_time_ns() + ns;
    set_mode(PESTER);
    lab_fact("pestered", "%ld", sleep_for(ns));
    set_mode(QUIET);
    before = front_time_ns();
    lab_alarm_set(500 * MS);
    my_sleep_until(before - 5 * MS);
    lab_fact("past", "%lu", (front_time_ns() - before) / MS);
    lab_alarm_set(0);
    lab_fact("enabled", "%s", front_irq_enabled() ? "on" : "off");
    front_irq_enable();
}

static void polling(void)
{
    unsigned which = (unsigned)lab_number("which");
    u64 timeout = lab_number("timeout") * MS, before;
    int rc;

    front_evtchn_send(ports[which]);
    lab_fact("pending", "%d", my_poll(ports, PORTS, timeout));
    before = front_time_ns();
    rc = my_poll(ports, PORTS, timeout);
    lab_fact("timed_out", "%d after %lu ms", rc, (front_time_ns() - before) / MS);
    sent = ports[(which + 1) % PORTS];
    send_at = front_time_ns() + 3 * MS;
    set_mode(SEND);
    before = running();
    lab_fact("sent", "%d", my_poll(ports, PORTS, 20 * MS));
    lab_fact("poll_busy", "%lu", (running() - before) / MS);
    set_mode(QUIET);
    for (unsigned i = 0; i < PORTS; i++)
        front_evtchn_take(ports[i]);
    pester_until = front_time_ns() + timeout;
    set_mode(PESTER);
    before = front_time_ns();
    rc = my_poll(ports, PORTS, timeout);
    lab_fact("poll_pestered", "%d after %lu ms", rc, (front_time_ns() - before) / MS);
    set_mode(QUIET);
}

static u64 asleep(const struct vcpu_runstate_info *info)
{
    return info->time[RUNSTATE_blocked] + info->time[RUNSTATE_offline];
}

/* Between two looks of the grader's own. */
static void times(void)
{
    struct vcpu_runstate_info a = {0}, b = {0};
    struct times t = {0};
    bool right;
    int rc;

    hc_vcpu_op(VCPUOP_get_runstate_info, 0, &a);
    rc = my_times(0, &t);
    hc_vcpu_op(VCPUOP_get_runstate_info, 0, &b);
    right = t.ran >= a.time[RUNSTATE_running] && t.ran <= b.time[RUNSTATE_running] &&
            t.waited >= a.time[RUNSTATE_runnable] && t.waited <= b.time[RUNSTATE_runnable] &&
            t.slept >= asleep(&a) && t.slept <= asleep(&b);
    lab_fact("times", "%d, %s", rc, right ? "as the hypervisor counts" : "something else");
    lab_fact("no_vcpu", "%d", my_times((unsigned)lab_number("vcpu"), &t));
}

/* At most a second: a lock that was never freed keeps the other vcpu for ever. */
static void wait_for(enum mode wanted)
{
    u64 end = front_time_ns() + 1000 * MS;

    while (mode_now() != wanted && front_time_ns() < end)
        hc_sched_op(SCHEDOP_yield, 0);
}

static void locking(void)
{
    u64 hold = lab_number("hold") * MS, before, start = front_time_ns();

    lock = 1; /* as if the other one had taken it */
    hold_until = start + hold;
    set_mode(HOLD);
    doze(MS); /* so that it is at it */
    before = running();
    my_lock(&lock);
    lab_fact("spun", "%lu", (running() - before) / MS);
    lab_fact("held", "%s", front_time_ns() >= hold_until ? "until it was free" : "too early");
    my_unlock(&lock);
    lab_fact("free", "%u", lock);
    wait_for(QUIET);
    set_mode(COUNT);
    wait_for(COUNTING);
    count();
    wait_for(COUNTED);
    set_mode(QUIET);
    lab_fact("sum", "%lu", sum);
}

static evtchn_port_t bind(unsigned vcpu)
{
    return (evtchn_port_t)front_evtchn_bind_ipi(vcpu);
}

void lab_run(void)
{
    lab_alarm_set(0); /* binds the timer */
    front_evtchn_handle(lab_alarm_port(), nothing, NULL);
    pester = bind(0);
    front_evtchn_handle(pester, nothing, NULL);
    front_evtchn_unmask(pester);
    for (unsigned i = 0; i < PORTS; i++) {
        ports[i] = bind(0);
        front_evtchn_mask(ports[i]);
    }
    waker = bind(1);
    front_evtchn_mask(waker);
    front_irq_enable();
    if (front_vcpu_start(1, other))
        front_panic("the second vcpu does not start");
    sleeping();
    polling();
    times();
    locking();
}
