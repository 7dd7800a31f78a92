/* SPDX-License-Identifier: MIT */
/*
 * Work that waits for the way out: raised from anywhere, done by the CPU it was raised on when it
 * is about to enter a guest, or idles. Bits are set by any CPU and cleared by their own.
 */

#include <tenue/account.h>
#include <tenue/entrypoints.h>
#include <tenue/log.h>
#include <tenue/pv.h>

#include "sched_priv.h"

void softirq_raise(enum softirq which)
{
    struct cpu *c = this_cpu();

    if (!(READ_ONCE(c->softirqs) & (1u << which)))
        __atomic_fetch_or(&c->softirqs, 1u << which, __ATOMIC_SEQ_CST);
}

void softirq_raise_on(unsigned cpu, enum softirq which)
{
    uint32_t old;

    if (cpu == this_cpu()->id) {
        softirq_raise(which);
        return;
    }
    old = __atomic_fetch_or(&cpus[cpu]->softirqs, 1u << which, __ATOMIC_SEQ_CST);
    if (!(old & (1u << which)))
        hal_send_softirq_ipi(cpu);
}

bool softirq_take(enum softirq which)
{
    struct cpu *c = this_cpu();

    if (!(READ_ONCE(c->softirqs) & (1u << which)))
        return false;
    __atomic_fetch_and(&c->softirqs, ~(1u << which), __ATOMIC_SEQ_CST);
    return true;
}

void softirq_run_but_sched(void)
{
    if (softirq_take(SOFTIRQ_TIMER))
        timer_softirq();
    if (softirq_take(SOFTIRQ_WORK)) {
        console_work();
        domain_reap();
        watch_follow();
    }
}

void guest_exit_work(void)
{
    const struct cpu *c = this_cpu();

    if (unlikely(c->watched && c->current && !c->idle))
        account_enter(TENUE_PART_WORK);
    while (READ_ONCE(c->softirqs)) {
        softirq_run_but_sched();
        if (softirq_take(SOFTIRQ_SCHED))
            sched_softirq();
        if (softirq_take(SOFTIRQ_TABLES) && pv_pay_old_tables(c->current) != 0)
            softirq_raise(SOFTIRQ_TABLES);
    }
}
