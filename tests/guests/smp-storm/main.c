/* SPDX-License-Identifier: MIT */
/*
 * Contract: four times as many vCPUs as CPUs, all of them busy waking each other, sleeping by
 * timer, yielding, flushing each other's translations and moving each other between CPUs: each one
 * gets on, no wake-up and no interrupt between them is lost, registers stay their owner's, and for
 * each the times running, runnable (which Linux shows as stolen), blocked and offline add up to the
 * clock.
 *
 * Invariants: MM-4, MM-5, EV-1, REG-1, LC-7.
 * A failure means: Linux guests hang or lose time on machines with several processors.
 * Sabotage: let note_state() (core/sched.c) do nothing: time_adds_up() fails.
 */
#define __XEN_TOOLS__ 1 /* to move its own vCPUs, it makes a control operation */
#include "guest.h"

#include <xen/domctl.h>

GUEST_RUN("vcpus=4 memory=64 timeout=90 append=dom0_max_vcpus=16");

#define VCPUS 16u
#define MS 1000000UL
#define SPAN (4000 * MS)
#define ROUNDS_MIN 20
#define WINDOW 0x0000100000000000UL

static volatile u64 loops[VCPUS], got[VCPUS], sent[VCPUS], wrong, going, started, stopped;
static u64 seeds[VCPUS];
static evtchn_port_t ipi_port[VCPUS], timer_port[VCPUS];
static struct vcpu_runstate_info area[VCPUS];

static u64 draw(unsigned me)
{
    u64 x = seeds[me];

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return seeds[me] = x;
}

/* On whichever vCPU finds it first. */
static void on_ipi(evtchn_port_t port, void *opaque)
{
    (void)port;
    __atomic_fetch_add(&got[(u64)opaque], 1, __ATOMIC_RELAXED);
}

static void on_timer(evtchn_port_t port, void *opaque)
{
    (void)port;
    (void)opaque;
}

/* Registers that a switch has to keep, across a call that invites one. */
static void keep_registers(unsigned me, u64 pattern)
{
    u64 a = pattern, b = ~pattern, x = pattern * 3, y;
    register u64 r12 __asm__("r12") = a;
    register u64 r13 __asm__("r13") = b;

    __asm__ volatile("movq %0, %%xmm7" ::"r"(x));
    __asm__ volatile("" : "+r"(r12), "+r"(r13));
    hc_sched_op(SCHEDOP_yield, 0);
    __asm__ volatile("" : "+r"(r12), "+r"(r13));
    __asm__ volatile("movq %%xmm7, %0" : "=r"(y));
    if (r12 != a || r13 != b || x != y || front_vcpu_id() != me)
        wrong++;
}

static int some_behind(void)
{
    for (unsigned i = 0; i < VCPUS; i++)
        if (loops[i] < ROUNDS_MIN)
            return 1;
    return 0;
}

/* Any set of CPUs for anybody, oneself included. */
static void move(unsigned whom, u64 set)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_setvcpuaffinity,
                            .interface_version = XEN_DOMCTL_INTERFACE_VERSION};
    u64 mask = set % 15 + 1;

    op.u.vcpuaffinity.vcpu = whom;
    op.u.vcpuaffinity.flags = XEN_VCPUAFFINITY_HARD;
    op.u.vcpuaffinity.cpumap_hard.nr_bits = 64;
    set_xen_guest_handle(op.u.vcpuaffinity.cpumap_hard.bitmap, (u8 *)&mask);
    if (front_hc1(__HYPERVISOR_domctl, (u64)&op) != 0)
        wrong++;
}

static void flush_all(unsigned me)
{
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_ALL};

    op.arg1.linear_addr = WINDOW + me * 4096UL;
    if (hc_mmuext_op(&op, 1, 0, DOMID_SELF) != 0)
        wrong++;
}

/* With events masked until it blocks: the timer's may come before that, and would be lost. */
static void nap(u64 ns)
{
    front_irq_disable();
    front_timer_at(front_time_ns() + ns);
    hc_sched_op(SCHEDOP_block, 0);
    front_irq_enable();
}

static void send(unsigned me, unsigned to)
{
    sent[me]++;
    front_evtchn_send(ipi_port[to]);
}

static void step(unsigned me)
{
    const u64 r = draw(me);
    const unsigned other = (unsigned)(r >> 32) % VCPUS;

    switch (r % 8) {
    case 0:
        nap(r >> 40 & 0x7ffff);
        break;
    case 1:
        flush_all(me);
        break;
    case 2:
        if ((r >> 8) % 8 == 0)
            move(other, r >> 40);
        break;
    case 3:
    case 4:
        keep_registers(me, r);
        break;
    default:
        send(me, other);
    }
    loops[me]++;
}

static void register_area(unsigned me)
{
    struct vcpu_register_runstate_memory_area reg = {0};

    reg.addr.p = (u64)&area[me];
    if (hc_vcpu_op(VCPUOP_register_runstate_memory_area, me, &reg) != 0)
        wrong++;
}

static void work(unsigned me)
{
    register_area(me);
    __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
    front_irq_enable();
    while (!going)
        nap(MS);
    while (going == 1)
        step(me);
    __atomic_fetch_add(&stopped, 1, __ATOMIC_SEQ_CST);
    while (going == 2)
        nap(MS);
}

static void other_vcpu(void)
{
    work(front_vcpu_id());
    hc_vcpu_op(VCPUOP_down, front_vcpu_id(), 0);
}

static void ports_of(unsigned vcpu)
{
    ipi_port[vcpu] = (evtchn_port_t)front_evtchn_bind_ipi(vcpu);
    front_evtchn_handle(ipi_port[vcpu], on_ipi, (void *)(u64)vcpu);
    front_evtchn_unmask(ipi_port[vcpu]);
    timer_port[vcpu] = (evtchn_port_t)front_evtchn_bind_virq(VIRQ_TIMER, vcpu);
    front_evtchn_handle(timer_port[vcpu], on_timer, NULL);
    front_evtchn_unmask(timer_port[vcpu]);
    seeds[vcpu] = 0x9e3779b97f4a7c15UL * (vcpu + 1);
}

/* What the hypervisor says of a vcpu, by call and in its area: all of its life is somewhere. */
static void time_adds_up(unsigned vcpu, u64 since)
{
    const u64 in_area = ((volatile struct vcpu_runstate_info *)&area[vcpu])->time[RUNSTATE_running];
    struct vcpu_runstate_info now; /* asked for afterwards: it still runs */
    u64 sum = 0, life;

    check_eq(hc_vcpu_op(VCPUOP_get_runstate_info, vcpu, &now), 0);
    life = front_time_ns() - since;
    for (unsigned i = 0; i < 4; i++)
        sum += now.time[i];
    check(sum >= life && sum - life < 2 * since + 1000 * MS,
          "vCPU %u: its times are %lu ms, it lived at least %lu", vcpu, sum / MS, life / MS);
    check(now.time[RUNSTATE_running] > 0 && now.time[RUNSTATE_runnable] > 0,
          "vCPU %u never waited among sixteen on four CPUs", vcpu);
    check(in_area <= now.time[RUNSTATE_running] && in_area > 0, "vCPU %u: its area is not kept",
          vcpu);
}

static bool all_at(volatile u64 *count, u64 want)
{
    u64 end = front_time_ns() + 20000 * MS;

    while (*count < want && front_time_ns() < end)
        nap(MS);
    return *count >= want;
}

void guest_test(void)
{
    u64 begin = front_time_ns(), total_sent = 0, total_got = 0;

    for (unsigned i = 0; i < VCPUS; i++)
        ports_of(i);
    for (unsigned i = 1; i < VCPUS; i++)
        check_eq(front_vcpu_start(i, other_vcpu), 0);
    register_area(0);
    started++;
    check(all_at(&started, VCPUS), "only %lu vCPUs started", started);
    going = 1;
    /* Longer where the machine below has other things to do. */
    while (front_time_ns() < begin + SPAN || (some_behind() && front_time_ns() < begin + 10 * SPAN))
        step(0);
    going = 2;
    stopped++;
    check(all_at(&stopped, VCPUS), "only %lu vCPUs stopped", stopped);
    for (unsigned i = 0; i < VCPUS; i++) {
        check(loops[i] >= ROUNDS_MIN, "vCPU %u came round %lu times", i, loops[i]);
        check(got[i] > 0, "no interrupt reached vCPU %u", i);
        total_sent += sent[i];
        total_got += got[i];
        time_adds_up(i, begin);
    }
    /* Those sent at the same time count as one. */
    check(total_got <= total_sent && total_got > 100, "%lu of %lu arrived", total_got, total_sent);
    check_eq(wrong, 0);
    going = 3;
    for (unsigned i = 0; i < VCPUS; i++)
        move(i, 14);
}
