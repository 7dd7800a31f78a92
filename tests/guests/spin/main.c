/* SPDX-License-Identifier: MIT */
/*
 * Contract: none of its own: a guest that never gives its CPU up, for tests of shares of CPU time.
 * All its vCPUs spin.
 */
#include "guest.h"

static volatile u64 alive;

static void spin(void)
{
    __atomic_fetch_add(&alive, 1, __ATOMIC_RELAXED);
    for (;;)
        __asm__ volatile("pause");
}

void guest_test(void)
{
    for (unsigned vcpu = 1; hc_vcpu_op(VCPUOP_is_up, vcpu, 0) == 0; vcpu++)
        check_eq(front_vcpu_start(vcpu, spin), 0);
    front_irq_disable();
    spin();
}
