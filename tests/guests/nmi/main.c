/* SPDX-License-Identifier: MIT */
/*
 * Contract: non-maskable interrupts, which a guest sends its vcpus. The handler is entry 2 of the
 * trap table, and nmi_op and callback_op are other ways to write it; it is entered whether events
 * are masked or not, masks them if the entry says so, and not again before its iret. A vcpu without
 * a handler loses them.
 *
 * Invariants: ENT-2, ENT-3, ENT-5.
 * A failure means: a kernel's watchdog or debugger does not get at a vcpu that hangs, or gets at
 * one that asked for nothing.
 * Sabotage: take `v->in_nmi = true` out of deliver_nmi() (pv/bounce.c): the handler is entered
 * from within. Pass `true` for TI_GET_IF() there: events are masked by a plain entry.
 */
#include "guest.h"

#include <xen/callback.h>
#include <xen/nmi.h>

GUEST_RUN("vcpus=1");

static u64 entered, deepest, depth;
static u8 mask_inside;

static bool on_nmi(struct front_regs *regs)
{
    (void)regs;
    mask_inside = front_vcpu_info(0)->evtchn_upcall_mask;
    entered++;
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (entered % 2) /* one more, from within */
        check_eq(hc_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    depth--;
    return true;
}

/* How often the handler runs for one that is sent, which sends another. */
static u64 sent(void)
{
    u64 before = entered;

    check_eq(hc_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    hc_sched_op(SCHEDOP_yield, 0);
    return entered - before;
}

static void entry(u64 address, u8 flags)
{
    const struct trap_info table[] = {
        {.vector = 2, .flags = flags, .cs = FLAT_KERNEL_CS, .address = address}, {.address = 0}};

    check_eq(hc_set_trap_table(table), 0);
}

static void by_table(void)
{
    entry(front_trap_stub(2), 0);
    front_irq_enable();
    check_eq(sent(), 2);
    check_eq(mask_inside, 0);
    entry(front_trap_stub(2), 4);
    check_eq(sent(), 2);
    check_eq(mask_inside, 1);
    front_irq_disable();
    check_eq(sent(), 2);
    front_irq_enable();
    check_eq(deepest, 1);
}

static void by_call(void)
{
    struct xennmi_callback nmi = {.handler_address = front_trap_stub(2)};
    struct callback_register reg = {.type = CALLBACKTYPE_nmi, .address = front_trap_stub(2)};
    struct callback_unregister unreg = {.type = CALLBACKTYPE_nmi};

    check_eq(hc_nmi_op(XENNMI_unregister_callback, NULL), 0);
    check_eq(sent(), 0);
    check_eq(hc_nmi_op(XENNMI_register_callback, &nmi), 0);
    check_eq(sent(), 2);
    check_eq(mask_inside, 1);
    check_eq(hc_callback_op(CALLBACKOP_unregister, &unreg), 0);
    check_eq(sent(), 0);
    check_eq(hc_callback_op(CALLBACKOP_register, &reg), 0);
    check_eq(sent(), 2);
    nmi.handler_address = 0x0000800000000000UL;
    check_eq(hc_nmi_op(XENNMI_register_callback, &nmi), -XEN_EINVAL);
    check_eq(sent(), 2);
}

void guest_test(void)
{
    front_trap_set(2, on_nmi);
    by_table();
    by_call();
    check_eq(hc_vcpu_op(VCPUOP_send_nmi, 0, &entered), -XEN_EINVAL);
    check_eq(hc_vcpu_op(VCPUOP_send_nmi, 1, NULL), -XEN_ENOENT);
}
