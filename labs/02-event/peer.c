/* SPDX-License-Identifier: MIT */
/*
 * Lab 2, the grader's part. Sends events while the student's code is at the places where they get
 * lost: while a handler runs, and between a check and the sleep that follows it. Ports are spread
 * over several words of the bitmaps.
 */
#include "task.h"

#define PORTS 200
#define STORM 1000

static evtchn_port_t ports[PORTS];
static unsigned hits[PORTS];
static bool theirs;            /* the student's upcall is the one that is called */
static unsigned storm, storms; /* upcalls without anything handled */
static int echo = -1, echo_to; /* while the one is handled, the other is sent, once */

static unsigned index_of(evtchn_port_t port)
{
    unsigned i;

    for (i = 0; i < PORTS && ports[i] != port; i++)
        ;
    return i;
}

void lab_handle(evtchn_port_t port)
{
    unsigned i = index_of(port);

    storm = 0;
    if (i == PORTS)
        return;
    hits[i]++;
    if ((int)i == echo) {
        echo = -1;
        front_evtchn_send(ports[echo_to]);
    }
}

static void handle(evtchn_port_t port, void *opaque)
{
    (void)opaque;
    lab_handle(port);
}

/* An upcall that leaves its cause standing is called again at once, for ever. */
static void end_storm(void)
{
    storms++;
    storm = 0;
    memset(front_shared->evtchn_pending, 0, sizeof(front_shared->evtchn_pending));
    front_vcpu_info(0)->evtchn_pending_sel = 0;
    front_vcpu_info(0)->evtchn_upcall_pending = 0;
}

static bool on_event(struct front_regs *regs)
{
    (void)regs;
    if (!theirs)
        return false; /* the SDK's */
    if (++storm > STORM)
        end_storm();
    else
        my_upcall();
    return true;
}

static void forget(void)
{
    front_irq_disable();
    memset(front_shared->evtchn_pending, 0, sizeof(front_shared->evtchn_pending));
    front_vcpu_info(0)->evtchn_pending_sel = 0;
    front_vcpu_info(0)->evtchn_upcall_pending = 0;
    memset(hits, 0, sizeof(hits));
    echo = -1;
    front_irq_enable();
}

static unsigned sum(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < PORTS; i++)
        n += hits[i];
    return n;
}

static void channel(void)
{
    evtchn_port_t near = 0, far = 0;
    evtchn_status_t s;
    int rc = my_channel(&near, &far);

    if (rc || front_evtchn_status(near, &s) || s.status != EVTCHNSTAT_interdomain) {
        lab_fact("channel", "result %d, port %u is not connected", rc, near);
        return;
    }
    front_evtchn_take(far);
    front_evtchn_take(near);
    front_evtchn_send(near);
    lab_fact("channel", "%s",
             front_evtchn_take(far) && s.u.interdomain.port == far ? "from one end to the other"
                                                                   : "its far end is another port");
}

/* One after the other, each delivered before it is sent again. */
static void one_by_one(void)
{
    forget();
    for (u64 n = lab_number("events"); n; n--)
        front_evtchn_send(ports[lab_random() % PORTS]);
    lab_fact("one_by_one", "%u", sum());
}

/* Many at once, over all words. */
static void together(void)
{
    unsigned step = (unsigned)lab_number("step"), others = 0;

    forget();
    front_irq_disable();
    for (unsigned i = 0; i < PORTS; i += step)
        front_evtchn_send(ports[i]);
    front_irq_enable();
    for (unsigned i = 0; i < PORTS; i++)
        others += hits[i] != (i % step == 0);
    lab_fact("together", "%u wrong", others);
}

/* While a handler runs: the same event again, and one of an earlier word. */
static void meanwhile(void)
{
    forget();
    echo = echo_to = (int)(lab_random() % PORTS);
    front_evtchn_send(ports[echo]);
    lab_fact("again", "%u", hits[echo_to]);
    forget();
    echo = PORTS - 1 - (int)(lab_random() % 50);
    echo_to = (int)(lab_random() % 50);
    front_evtchn_send(ports[echo]);
    lab_fact("meanwhile", "%u", hits[echo_to]);
}

static void masked(void)
{
    unsigned quiet;

    do { /* two neighbours in one word */
        quiet = (unsigned)(lab_random() % (PORTS - 1));
    } while (ports[quiet] / 64 != ports[quiet + 1] / 64);
    forget();
    front_evtchn_mask(ports[quiet]);
    front_evtchn_send(ports[quiet]);
    front_evtchn_send(ports[quiet + 1]);
    lab_fact("masked", "%u", hits[quiet]);
    forget();
    front_evtchn_mask(ports[quiet]);
    theirs = false;
    front_evtchn_send(ports[quiet]);
    my_unmask(ports[quiet]);
    lab_fact("unmasked", "%u", hits[quiet]);
    front_evtchn_mask(ports[quiet]);
    front_evtchn_unmask(ports[quiet]);
}

/* ---- sleeping ---- */

static volatile bool done;
static unsigned checks;
static bool at_check; /* the event comes while it is being checked whether it has */

static void finish(evtchn_port_t port, void *opaque)
{
    (void)port;
    (void)opaque;
    done = true;
}

bool lab_done(void)
{
    bool was = done;

    checks++;
    if (at_check) {
        at_check = false;
        front_evtchn_send(ports[0]);
    }
    return was;
}

static const char *wait(u64 ns)
{
    done = false;
    checks = 0;
    lab_alarm_set(ns);
    my_wait();
    if (!done)
        return "my_wait() came back before it was done";
    return lab_alarm_rang() ? "nothing, until an alarm" : "the event";
}

static void sleeping(void)
{
    int timer;

    forget();
    front_evtchn_handle(ports[0], finish, NULL);
    at_check = true;
    lab_fact("woken", "%s", wait(1000000000));
    lab_fact("enabled", "%s", front_irq_enabled() ? "on" : "off");
    front_irq_enable();
    /* The alarm is the event now. */
    timer = (int)lab_alarm_port();
    front_evtchn_handle((evtchn_port_t)timer, finish, NULL);
    lab_trace_begin();
    wait(20000000);
    lab_trace_end();
    lab_fact("slept", "%u", lab_calls(__HYPERVISOR_sched_op, SCHEDOP_block));
    lab_fact("checks", "%u", checks);
}

void lab_run(void)
{
    front_irq_enable();
    channel();
    for (unsigned i = 0; i < PORTS; i++) {
        ports[i] = (evtchn_port_t)front_evtchn_bind_ipi(0);
        front_evtchn_handle(ports[i], handle, NULL);
        front_evtchn_unmask(ports[i]);
    }
    front_trap_set(FRONT_VEC_EVENT, on_event);
    theirs = true;
    one_by_one();
    together();
    meanwhile();
    masked();
    theirs = false;
    lab_fact("storms", "%u", storms);
    sleeping();
}
