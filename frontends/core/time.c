/* SPDX-License-Identifier: MIT */
/*
 * Time from the paravirtual clock page: readers retry while the version is odd or changed. One
 * deadline per vCPU, through the single-shot timer; VIRQ_TIMER announces it.
 */
#include <tenue-front/front.h>
#include <tenue-front/x86.h>

u64 front_time_ns(void)
{
    const struct vcpu_time_info *t = &front_vcpu_info(front_vcpu_id())->time;
    u32 version;
    u64 ns;

    do {
        u64 delta;

        version = READ_ONCE(t->version) & ~1U;
        front_rmb();
        delta = front_rdtsc() - t->tsc_timestamp;
        delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
        ns = t->system_time + (u64)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
        front_rmb();
    } while (READ_ONCE(t->version) != version);
    return ns;
}

int front_timer_at(u64 deadline_ns)
{
    vcpu_set_singleshot_timer_t op = {.timeout_abs_ns = deadline_ns};

    return (int)hc_vcpu_op(VCPUOP_set_singleshot_timer, front_vcpu_id(), &op);
}

bool front_wait(volatile u64 *counter, u64 until, u64 timeout_ns)
{
    u64 end = front_time_ns() + timeout_ns;

    while (*counter < until) {
        if (front_time_ns() > end)
            return false;
        hc_sched_op(SCHEDOP_yield, 0);
    }
    return true;
}
