/* SPDX-License-Identifier: MIT */
/* Contract: the operations of vcpu_op, one example each (example.h). Invariants: LC-9. */
#include "example.h"

GUEST_RUN("append=dom0_max_vcpus=2 append=dom0_vcpus_pin"); /* on one CPU: its clock may count */

#define EXAMPLE_NUMBER(name) VCPUOP_##name

#define SECOND_NS 1000000000ull

static struct vcpu_runstate_info runstate;
static struct vcpu_time_info time_info;
static char second_stack[8192] __attribute__((aligned(16)));
static volatile u64 second_ran;

EXAMPLE(is_up)
{
    check_eq(hc_vcpu_op(VCPUOP_is_up, 0, 0), 1);
    check_eq(hc_vcpu_op(VCPUOP_is_up, 1, 0), 0);
}

EXAMPLE(get_runstate_info)
{
    struct vcpu_runstate_info op;

    check_eq(hc_vcpu_op(VCPUOP_get_runstate_info, 0, &op), 0);
    check_eq(op.state, RUNSTATE_running);
}

EXAMPLE(register_runstate_memory_area)
{
    struct vcpu_register_runstate_memory_area op = {.addr.v = &runstate};

    check_eq(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &op), 0);
    check_eq(runstate.state, RUNSTATE_running);
}

EXAMPLE(register_vcpu_time_memory_area)
{
    struct vcpu_register_time_memory_area op = {.addr.v = &time_info};

    check_eq(hc_vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &op), 0);
    check(time_info.tsc_to_system_mul);
}

EXAMPLE(set_periodic_timer)
{
    struct vcpu_set_periodic_timer op = {.period_ns = 10000000};

    check_eq(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &op), 0);
}

EXAMPLE(stop_periodic_timer)
{
    check_eq(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0), 0);
}

EXAMPLE(set_singleshot_timer)
{
    struct vcpu_set_singleshot_timer op = {.timeout_abs_ns = front_time_ns() + SECOND_NS,
                                           .flags = VCPU_SSHOTTMR_future};

    check_eq(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &op), 0);
}

EXAMPLE(stop_singleshot_timer)
{
    check_eq(hc_vcpu_op(VCPUOP_stop_singleshot_timer, 0, 0), 0);
}

EXAMPLE(get_physid)
{
    struct vcpu_get_physid op;

    check_eq(hc_vcpu_op(VCPUOP_get_physid, 0, &op), 0);
}

EXAMPLE(register_vcpu_info)
{
    vcpu_info_t *info = front_page_alloc();
    struct vcpu_register_vcpu_info op = {.mfn = front_va_to_mfn(info), .offset = 0};

    check_eq(hc_vcpu_op(VCPUOP_register_vcpu_info, 1, &op), 0);
    info->evtchn_upcall_mask = 1; /* it has no handler */
}

EXAMPLE(down)
{
    hc_vcpu_op(VCPUOP_down, 1, 0); /* the calling vcpu stops here */
}

static void second(void)
{
    second_ran = 1;
    example_down();
}

EXAMPLE(initialise)
{
    static vcpu_guest_context_t op;

    op.flags = VGCF_in_kernel;
    op.user_regs.rip = (u64)second;
    op.user_regs.rsp = (u64)second_stack + sizeof(second_stack) - 8;
    op.user_regs.cs = FLAT_KERNEL_CS;
    op.user_regs.ss = FLAT_KERNEL_SS;
    op.kernel_ss = FLAT_KERNEL_SS;
    op.kernel_sp = (u64)second_stack + sizeof(second_stack);
    op.ctrlreg[3] = xen_pfn_to_cr3(front_root_mfn());
    check_eq(hc_vcpu_op(VCPUOP_initialise, 1, &op), 0);
}

EXAMPLE(up)
{
    check_eq(hc_vcpu_op(VCPUOP_up, 1, 0), 0);
    check(front_wait(&second_ran, 1, 10 * SECOND_NS));
    while (hc_vcpu_op(VCPUOP_is_up, 1, 0)) /* it goes down by itself */
        hc_sched_op(SCHEDOP_yield, 0);
}

EXAMPLE(send_nmi)
{
    check_eq(hc_vcpu_op(VCPUOP_send_nmi, 1, 0), 0);
}

EXAMPLES(LISTED(is_up), LISTED(get_runstate_info), LISTED(register_runstate_memory_area),
         LISTED(register_vcpu_time_memory_area), LISTED(set_periodic_timer),
         LISTED(stop_periodic_timer), LISTED(set_singleshot_timer), LISTED(stop_singleshot_timer),
         LISTED(get_physid), LISTED(register_vcpu_info), LISTED(initialise), LISTED(up),
         LISTED(send_nmi));
