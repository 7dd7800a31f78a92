/* SPDX-License-Identifier: MIT */
/*
 * Contract: what a vCPU can have written for it, and where. register_vcpu_info moves the vCPU's
 * record into a page of the guest's, once, contents first, and raises a spurious event;
 * the runstate area and the secondary time area are kept up to date at the address given; the
 * states' times add up. Areas that cross a page or are not the guest's are refused.
 *
 * Invariants: HC-11, HC-12, EV-7.
 * A failure means: kernels read stale time, miss events, or lose account of stolen time.
 * Sabotage: register at offset 72, not 64: the copied record is not where it is looked for.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define SHORTEST_NS 10000000UL
#define LONGEST_NS 3000000000UL

static struct vcpu_runstate_info runstate __attribute__((aligned(64)));
static struct vcpu_time_info vtime __attribute__((aligned(64)));

static long register_info(unsigned vcpu, u64 mfn, u32 offset)
{
    vcpu_register_vcpu_info_t op = {.mfn = mfn, .offset = offset};

    return hc_vcpu_op(VCPUOP_register_vcpu_info, vcpu, &op);
}

static void is_up(void)
{
    check_eq(hc_vcpu_op(VCPUOP_is_up, 0, 0), 1);
    for (unsigned id = 1; id < 8192; id = id * 2 + 1)
        check(hc_vcpu_op(VCPUOP_is_up, id, 0) == -XEN_ENOENT, "vCPU %u: %ld", id,
              hc_vcpu_op(VCPUOP_is_up, id, 0));
    check_eq(hc_vcpu_op(VCPUOP_is_up, ~0U, 0), -XEN_ENOENT);
    check_eq(hc_vcpu_op(99, 0, 0), -XEN_ENOSYS);
}

static void info(void)
{
    char *page = front_page_alloc();
    vcpu_info_t *mine = (vcpu_info_t *)(page + 64), *old = front_vcpu_info(0);
    u64 mfn = front_va_to_mfn(page), cr2 = old->arch.cr2 = 0xc2c2;

    check(register_info(0, mfn, 4096 - 32) < 0, "a record across the end of a page");
    check(register_info(0, mfn, 5000) < 0, "offset 5000");
    check(register_info(0, 1UL << 39, 0) < 0, "a frame beyond the machine");
    check(register_info(1, mfn, 0) < 0, "a vCPU that is not there");
    check(register_info(0, front_root_mfn(), 0) < 0, "a page table");
    front_irq_disable();
    check_eq(register_info(0, mfn, 64), 0);
    front_vcpu_info_moved(0, mine);
    check_eq(mine->arch.cr2, cr2);
    check_eq(mine->evtchn_upcall_mask, 1);
    check_eq(mine->evtchn_upcall_pending, 1); /* so that nothing gets lost on the way */
    check(mine->time.tsc_to_system_mul != 0);
    check(register_info(0, mfn, 128) < 0, "registered twice");
    front_irq_enable();
    check_eq(mine->evtchn_upcall_pending, 0);
    check_eq(front_try_read((void *)0x123000000UL, NULL), PF(0));
    check_eq(mine->arch.cr2, 0x123000000UL);
}

static void events_follow(void)
{
    evtchn_port_t port = (evtchn_port_t)front_evtchn_bind_ipi(0);
    vcpu_info_t *old = &front_shared->vcpu_info[0];

    front_irq_disable();
    front_evtchn_unmask(port);
    old->evtchn_upcall_pending = 0;
    check_eq(front_evtchn_send(port), 0);
    check_eq(front_vcpu_info(0)->evtchn_upcall_pending, 1);
    check_eq(old->evtchn_upcall_pending, 0);
    front_irq_enable();
    front_evtchn_close(port);
}

/* A busy host may let a short time pass before the vCPU comes to block at all. */
static void runstates(void)
{
    struct vcpu_register_runstate_memory_area op = {.addr.p = (u64)&runstate};
    struct vcpu_runstate_info got;
    u64 sum, slept = 0, now = 0;

    check_eq(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op), 0);
    check_eq(runstate.state, RUNSTATE_running);
    for (u64 delay = SHORTEST_NS; !slept && delay < LONGEST_NS; delay *= 2) {
        u64 before = runstate.time[RUNSTATE_blocked];

        front_irq_disable();
        now = front_time_ns();
        front_timer_at(now + delay);
        hc_sched_op(SCHEDOP_block, 0);
        now = front_time_ns() - now;
        slept = runstate.time[RUNSTATE_blocked] - before;
    }
    check(slept > 0 && slept <= now, "blocked for %lu ns of %lu", slept, now);
    check_eq(runstate.state, RUNSTATE_running);
    check_eq(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &got), 0);
    now = front_time_ns();
    check_eq(got.state, RUNSTATE_running);
    sum = got.time[0] + got.time[1] + got.time[2] + got.time[3];
    check(got.state_entry_time <= now, "entered at %lu, now %lu", got.state_entry_time, now);
    check(sum > 10000000 && sum <= now + 1000000, "times add up to %lu at %lu", sum, now);
    check_eq(hc_vcpu_op(VCPUOP_get_runstate_info, 0, 0x8000000000000000UL), -XEN_EFAULT);
}

static void time_area(void)
{
    struct vcpu_register_time_memory_area op = {.addr.p = (u64)&vtime};
    const struct vcpu_time_info *main = &front_vcpu_info(0)->time;

    long rc = hc_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &op);

    /* Only a clock that user space may read without asking (TSC_STABLE) needs the area. */
    if (rc == -XEN_ENOSYS && !(main->flags & XEN_PVCLOCK_TSC_STABLE_BIT))
        return;
    check_eq(rc, 0);
    check(!(vtime.version & 1), "version %u", vtime.version);
    check_eq(vtime.tsc_to_system_mul, main->tsc_to_system_mul);
    check_eq(vtime.tsc_shift, main->tsc_shift);
}

void guest_test(void)
{
    int port = front_evtchn_bind_virq(VIRQ_TIMER, 0);

    front_evtchn_unmask((evtchn_port_t)port);
    front_irq_enable();
    hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0);
    is_up();
    runstates();
    time_area();
    info();
    events_follow();
}
