/* SPDX-License-Identifier: MIT */
/*
 * Contract: every address that the hypervisor will later jump to or load on the guest's behalf is
 * checked when it is set, by whichever call: trap handlers, callbacks, the kernel stack, segment
 * bases, a new vCPU's context. What is not canonical, or is the hypervisor's own, is refused (or,
 * for a trap handler, harmless until used), and what was set before stays.
 *
 * Invariants: ENT-1, ENT-2, LC-9.
 * A failure means: a guest chooses where ring 0 faults.
 * Sabotage: add a canonical address of the guest's own to `bad`: it is accepted. Look at
 * the type first in callback_set() (pv/trap_op.c): the other error.
 */
#include "guest.h"

#include <xen/callback.h>

GUEST_RUN("vcpus=2");

static const u64 bad[] = {0x0000800000000000UL, 0x8000000000000000UL, 0xffff7fffffffffffUL};

static void callbacks(void)
{
    static const u16 types[] = {CALLBACKTYPE_event, CALLBACKTYPE_failsafe, CALLBACKTYPE_syscall,
                                CALLBACKTYPE_syscall32, CALLBACKTYPE_sysenter};

    for (unsigned t = 0; t < FRONT_ARRAY_SIZE(types); t++) {
        for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++) {
            struct callback_register reg = {.type = types[t], .address = bad[i]};

            check(hc_callback_op(CALLBACKOP_register, &reg) == -XEN_EINVAL, "callback %u at %lx",
                  types[t], bad[i]);
        }
    }
    struct callback_register none = {.type = 99, .address = front_trap_stub(3)};
    check_eq(hc_callback_op(CALLBACKOP_register, &none), -XEN_ENOSYS);
    none.address = bad[0]; /* looked at first */
    check_eq(hc_callback_op(CALLBACKOP_register, &none), -XEN_EINVAL);
}

static void trap_handlers(void)
{
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++) {
        struct trap_info one[2] = {{.vector = 200, .cs = FLAT_KERNEL_CS, .address = bad[i]}};

        check(hc_set_trap_table(one) == -XEN_EINVAL, "trap handler at %lx: %ld", bad[i],
              hc_set_trap_table(one));
    }
    check_eq(FAULT("ud2", :), UD());
}

static void contexts(void)
{
    static vcpu_guest_context_t c;
    static const char *const what[] = {"event callback", "failsafe callback", "fs_base", "gs_base"};

    for (unsigned field = 0; field < 4; field++) {
        memset(&c, 0, sizeof(c));
        c.flags = VGCF_in_kernel;
        c.user_regs.cs = FLAT_KERNEL_CS;
        c.user_regs.ss = FLAT_KERNEL_SS;
        c.ctrlreg[3] = xen_pfn_to_cr3(front_root_mfn());
        *(field == 0   ? &c.event_callback_eip
          : field == 1 ? &c.failsafe_callback_eip
          : field == 2 ? &c.fs_base
                       : &c.gs_base_kernel) = bad[0];
        check(hc_vcpu_op(VCPUOP_initialise, 1, &c) == -XEN_EINVAL, "context with a bad %s",
              what[field]);
    }
    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel;
    c.ctrlreg[3] = xen_pfn_to_cr3(1UL << 39);
    check(hc_vcpu_op(VCPUOP_initialise, 1, &c) < 0, "context with a root beyond the machine");
    c.ctrlreg[3] = xen_pfn_to_cr3(front_va_to_mfn(&c));
    check(hc_vcpu_op(VCPUOP_initialise, 1, &c) < 0, "context with data as root");
    check_eq(hc_vcpu_op(VCPUOP_is_up, 1, 0), 0);
    check(hc_vcpu_op(VCPUOP_up, 1, 0) < 0, "up after failed contexts");
}

void guest_test(void)
{
    callbacks();
    trap_handlers();
    contexts();
    check_eq(front_user_root_init(), 0);
}
