/* SPDX-License-Identifier: MIT */
/*
 * Contract: no return frame harms anybody but the guest. Frames with every combination of odd
 * selectors, flags, addresses and stack pointers either run user code (which faults or exits) or
 * enter the kernel again; afterwards the guest is as well as before.
 *
 * Invariants: ENT-1, ENT-3, ENT-8, ENT-9.
 * A failure means: a process that forges its signal frame takes down more than itself.
 * Sabotage: put 0 for u_exit into `rips`: not one frame is good.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 timeout=60");

static u64 u_exit(u64 arg)
{
    return arg;
}

static bool drop_flags(struct front_regs *regs)
{
    (void)regs;
    return false;
}

void guest_test(void)
{
    static const u64 selectors[] = {FLAT_USER_CS, FLAT_USER_CS32, 0x2b,   0x33,  3,      7,
                                    0xfffb,       0xe02b,         0xe00b, 0xe0b, 0xffff, 0x10003};
    static const u64 flags[] = {0x202, 0, 0x4202, 0x23202, 0x40202, 0x10302, 0x3ff5d5, ~0UL >> 1};
    u64 rips[] = {0,
                  0x0000800000000000UL,
                  0x8000000000000000UL,
                  HYPERVISOR_VIRT_START,
                  0x00007fffffffffffUL,
                  ~0UL,
                  (u64)u_exit};
    u64 sps[] = {0, 0x8000000000000001UL, HYPERVISOR_VIRT_END - 8, ~0UL, 0};
    struct front_regs f;
    u64 left = 0, came_back = 0;

    check_eq(front_user_root_init(), 0);
    front_trap_set(1, drop_flags);
    for (u64 n = 0; n < 12 * 12 * 8 * 7; n++) {
        struct front_user_result r;

        front_user_prepare(&f, u_exit, n);
        sps[4] = f.rsp;
        f.cs = selectors[n % 12] | 3;
        f.ss = selectors[n / 12 % 12] | 3;
        f.rflags = flags[n / 144 % 8];
        f.rip = rips[n / 1152 % 7];
        f.rsp = sps[n % 5];
        f.flags = n & 1 ? VGCF_in_syscall : 0;
        r = front_user_enter(&f);
        left += !r.faulted;
        came_back++;
    }
    check_eq(came_back, 12 * 12 * 8 * 7);
    check(left > 0, "not one frame was good");
    check_eq(front_user_run(u_exit, 42).value, 42);
    check_eq(FAULT("ud2", :), UD());
    check_eq(front_rflags() & 0x27700 & ~0x200UL, 0);
}
