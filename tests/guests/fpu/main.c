/* SPDX-License-Identifier: MIT */
/*
 * Contract: floating-point and vector state is the guest's own across hypercalls, sleeps and user
 * mode; fpu_taskswitch(1) makes the next use raise #NM in the guest, once, and (0) takes that back.
 *
 * Invariants: REG-1, REG-2.
 * A failure means: processes compute wrong results, or see other guests' registers.
 * Sabotage: change one byte of `pattern` between load and compare: same() fails.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static u8 pattern[256] __attribute__((aligned(64))), got[256] __attribute__((aligned(64)));

static void load(void)
{
    __asm__ volatile("movaps 0(%0), %%xmm0; movaps 16(%0), %%xmm1; movaps 32(%0), %%xmm2;"
                     "movaps 48(%0), %%xmm3; movaps 64(%0), %%xmm7; movaps 80(%0), %%xmm8;"
                     "movaps 96(%0), %%xmm14; movaps 112(%0), %%xmm15"
                     :
                     : "r"(pattern)
                     : "memory");
}

static void same(const char *what)
{
    memset(got, 0, sizeof(got));
    __asm__ volatile("movaps %%xmm0, 0(%0); movaps %%xmm1, 16(%0); movaps %%xmm2, 32(%0);"
                     "movaps %%xmm3, 48(%0); movaps %%xmm7, 64(%0); movaps %%xmm8, 80(%0);"
                     "movaps %%xmm14, 96(%0); movaps %%xmm15, 112(%0)"
                     :
                     : "r"(got)
                     : "memory");
    check(!memcmp(got, pattern, 128), "%s changed a vector register", what);
}

static void sleep_ms(u64 ms)
{
    front_irq_disable();
    front_timer_at(front_time_ns() + ms * 1000000);
    hc_sched_op(SCHEDOP_block, 0);
}

static u64 u_use(u64 arg)
{
    __asm__ volatile("movq %%xmm0, %0" : "=r"(arg));
    return arg;
}

static void switches(void)
{
    u16 control = 0x027f, back = 0;
    u32 mxcsr = 0x3f80, mxcsr_back = 0;

    __asm__ volatile("fninit; fldcw %0; ldmxcsr %1" : : "m"(control), "m"(mxcsr));
    load();
    hc_sched_op(SCHEDOP_yield, 0);
    same("yield");
    sleep_ms(3);
    same("block");
    check_eq(FAULT("ud2", :), UD());
    same("an exception");
    check_eq(front_user_run(u_use, 0).value, *(u64 *)pattern);
    same("user mode");
    __asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(back), "=m"(mxcsr_back));
    check_eq(back, control);
    check_eq(mxcsr_back, mxcsr);
    mxcsr = 0x1f80;
    __asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
}

static void taskswitch(void)
{
    struct front_user_result r;

    load();
    check_eq(hc_fpu_taskswitch(1), 0);
    check_eq(FAULT("movq %%xmm0, %0", : "=r"(*(u64 *)got)), NM());
    hc_fpu_taskswitch(0);
    same("#NM");
    check_eq(hc_fpu_taskswitch(1), 0);
    r = front_user_run(u_use, 0);
    check(r.faulted && r.fault == NM(), "user mode: fault %lx", r.fault);
    check_eq(hc_fpu_taskswitch(1), 0);
    check_eq(hc_fpu_taskswitch(0), 0);
    check_eq(FAULT("fnop", :), FAULT_NONE);
    same("taskswitch");
    /* It outlives a sleep. */
    check_eq(hc_fpu_taskswitch(1), 0);
    sleep_ms(2);
    check_eq(FAULT("fnop", :), NM());
    hc_fpu_taskswitch(0);
}

void guest_test(void)
{
    int port = front_evtchn_bind_virq(VIRQ_TIMER, 0);

    front_evtchn_unmask((evtchn_port_t)port);
    front_user_root_init();
    for (unsigned i = 0; i < sizeof(pattern); i++)
        pattern[i] = (u8)(i * 13 + 5);
    switches();
    taskswitch();
}
