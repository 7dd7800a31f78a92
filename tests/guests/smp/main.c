/* SPDX-License-Identifier: MIT */
/*
 * Contract: a second vCPU. It exists but is down until initialised and brought up; it starts with
 * the context given, takes IPIs, has a timer of its own, goes down, and continues behind its own
 * "down" when brought up again; a TLB flush by vCPU mask reaches it, and state it must not share
 * (event mask, stacks, segment bases) it does not.
 *
 * Invariants: MM-4, MM-5, EV-1, HC-12, LC-9.
 * A failure means: SMP kernels hang in bring-up, or run on stale translations.
 * Sabotage: flush locally in shootdown() (INVLPG_LOCAL): the other vCPU reads the old page.
 */
#include "guest.h"

GUEST_RUN("vcpus=2");

#define WINDOW 0x0000100000000000UL
#define SECOND 1000000000UL

enum order { IDLE, READ, DOWN, GSBASE, TIMER };

static volatile u64 alive, ipis, order, done, answer, base_cell = 0x1111, timer_hits;
static evtchn_port_t ipi_port;

static void on_ipi(evtchn_port_t port, void *opaque)
{
    (void)port;
    (void)opaque;
    if (front_vcpu_id() == 1)
        ipis++;
}

static void on_timer(evtchn_port_t port, void *opaque)
{
    (void)port;
    (void)opaque;
    if (front_vcpu_id() == 1)
        timer_hits++;
}

static void obey(u64 what)
{
    u64 v;

    switch (what) {
    case READ:
        answer = READ_ONCE(*(volatile u64 *)WINDOW);
        break;
    case GSBASE:
        hc_set_segment_base(SEGBASE_GS_KERNEL, &base_cell);
        __asm__ volatile("mov %%gs:0, %0" : "=r"(v));
        answer = v;
        break;
    case TIMER:
        front_timer_at(front_time_ns() + 2000000);
        break;
    default:
        break;
    }
}

static void second(void)
{
    alive++;
    front_irq_enable();
    for (;;) {
        u64 what = order;

        if (what == IDLE) {
            __asm__ volatile("pause");
            hc_sched_op(SCHEDOP_yield, 0);
            continue;
        }
        order = IDLE;
        if (what == DOWN) {
            done++;
            hc_vcpu_op(VCPUOP_down, 1, 0);
            alive++;
            continue;
        }
        obey(what);
        done++;
    }
}

static bool tell(u64 what)
{
    u64 before = done;

    order = what;
    return check(front_wait(&done, before + 1, SECOND), "the second vCPU does not answer order %lu",
                 what);
}

static void bring_up(void)
{
    check_eq(hc_vcpu_op(VCPUOP_is_up, 1, 0), 0);
    check_eq(hc_vcpu_op(VCPUOP_is_up, 2, 0), -XEN_ENOENT);
    check(hc_vcpu_op(VCPUOP_up, 1, 0) < 0, "up before initialise");
    /* Its ports are bound before it runs, as Linux does. */
    ipi_port = (evtchn_port_t)front_evtchn_bind_ipi(1);
    front_evtchn_handle(ipi_port, on_ipi, NULL);
    front_evtchn_unmask(ipi_port);
    check_eq(front_vcpu_start(1, second), 0);
    check(front_wait(&alive, 1, SECOND), "the second vCPU does not start");
    check_eq(hc_vcpu_op(VCPUOP_is_up, 1, 0), 1);
}

static void ipi(void)
{
    for (u64 i = 1; i <= 50; i++) {
        front_evtchn_send(ipi_port);
        if (!check(front_wait(&ipis, i, SECOND), "IPI %lu is lost", i))
            return;
    }
}

static void own_timer(void)
{
    evtchn_port_t port = (evtchn_port_t)front_evtchn_bind_virq(VIRQ_TIMER, 1);

    front_evtchn_handle(port, on_timer, NULL);
    front_evtchn_unmask(port);
    tell(TIMER);
    check(front_wait(&timer_hits, 1, SECOND), "no timer on the second vCPU");
}

static void own_bases(void)
{
    u64 here = 0x2222, v;

    hc_set_segment_base(SEGBASE_GS_KERNEL, &here);
    tell(GSBASE);
    check_eq(answer, 0x1111);
    __asm__ volatile("mov %%gs:0, %0" : "=r"(v));
    check_eq(v, 0x2222);
}

static void shootdown(void)
{
    static const unsigned cmds[] = {MMUEXT_INVLPG_MULTI, MMUEXT_TLB_FLUSH_MULTI, MMUEXT_INVLPG_ALL,
                                    MMUEXT_TLB_FLUSH_ALL};
    u64 *pages[2] = {front_page_alloc(), front_page_alloc()}, mask = 3;

    *pages[0] = 100;
    *pages[1] = 101;
    check_eq(front_map(WINDOW, front_va_to_mfn(pages[0]), PTE_KERN), 0);
    for (unsigned i = 0; i < 40; i++) {
        struct mmuext_op op = {.cmd = cmds[i % 4]};

        tell(READ);
        check_eq(answer, 100 + (i & 1));
        front_set_entry(front_pt_entry(front_root_mfn(), WINDOW, 1),
                        front_pte(front_va_to_mfn(pages[!(i & 1)]), PTE_KERN));
        if (op.cmd == MMUEXT_INVLPG_MULTI || op.cmd == MMUEXT_INVLPG_ALL)
            op.arg1.linear_addr = WINDOW;
        set_xen_guest_handle(op.arg2.vcpumask, &mask);
        check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
        tell(READ);
        check(answer == 100 + !(i & 1), "command %u: the second vCPU read %lu", op.cmd, answer);
    }
}

static void down_up(void)
{
    for (u64 i = 0; i < 3; i++) {
        u64 was = alive, end = front_time_ns() + SECOND;

        tell(DOWN);
        for (unsigned n = 0; n < 10; n++) /* it has answered, and goes down next */
            hc_sched_op(SCHEDOP_yield, 0);
        while (hc_vcpu_op(VCPUOP_is_up, 1, 0) == 1 && front_time_ns() < end)
            hc_sched_op(SCHEDOP_yield, 0);
        check_eq(hc_vcpu_op(VCPUOP_is_up, 1, 0), 0);
        check_eq(hc_vcpu_op(VCPUOP_up, 1, 0), 0);
        check(front_wait(&alive, was + 1, SECOND), "not back after down and up");
    }
    tell(READ);
}

void guest_test(void)
{
    bring_up();
    ipi();
    own_timer();
    own_bases();
    shootdown();
    down_up();
    check_eq(front_vcpu_start(1, second), -XEN_EEXIST);
}
