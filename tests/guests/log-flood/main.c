/* SPDX-License-Identifier: MIT */
/*
 * Contract: a guest that does wrong for as long as it can fills no log. A hundred thousand
 * refused operations of each kind that might be worth a message leave a bounded number of lines on
 * the hypervisor's console, whatever its level. (Xen at this level prints thousands.)
 *
 * Invariants: HC-9, HC-10.
 * Advisories: 118, 146, 152, 169.
 * A failure means: a guest fills the host's disk, or slows the machine to a serial port's speed.
 * Sabotage: a line of log_info() at the top of hc_vm_assist() (pv/trap_op.c): 100,000 lines.
 */
#include "guest.h"

GUEST_RUN("ours vcpus=1 timeout=40 maxlines=700 append=loglvl=all append=guest_loglvl=all");

#define ROUNDS 100000u

static void round(u64 n)
{
    mmu_update_t req = {.ptr = front_root_mfn() << 12 | 2048, .val = n << 12 | 1};
    struct gnttab_map_grant_ref map = {.ref = (grant_ref_t)n, .flags = GNTMAP_host_map};
    u64 value = 0;

    switch (n % 12) {
    case 0:
        hc_mmu_update(&req, 1, 0, DOMID_SELF);
        break;
    case 1:
        front_mmuext1(MMUEXT_PIN_L4_TABLE, n);
        break;
    case 2:
        hc_grant_table_op(GNTTABOP_map_grant_ref, &map, 1);
        break;
    case 3:
        guest_read_msr((u32)n, &value);
        break;
    case 4:
        guest_write_msr((u32)n | 0x10000000, value);
        break;
    case 5:
        hc_console_io(n, 1, 0);
        break;
    case 6:
        hc_physdev_op(n & 63, 0);
        break;
    case 7:
        hc_update_va_mapping(n << 12, 1, n);
        break;
    case 8:
        hc_set_gdt(&n, 512);
        break;
    case 9:
        front_hypercall(40 + n % 24, n, n, n, n, n);
        break;
    case 10:
        hc_set_debugreg(n & 7, HYPERVISOR_VIRT_START);
        break;
    default:
        front_mmuext1((unsigned)(n % 40), ~n);
        break;
    }
}

void guest_test(void)
{
    u64 before = front_time_ns();

    for (u64 n = 0; n < 12 * ROUNDS / 10; n++)
        round(n);
    /* The same few over and over, as a message that is limited by its place would allow. */
    for (u64 n = 0; n < ROUNDS; n++)
        front_mmuext1(MMUEXT_PIN_L4_TABLE, ~0UL >> 12);
    for (u64 n = 0; n < ROUNDS; n++)
        hc_vm_assist(n & 7, n);
    check(front_time_ns() - before < 30000000000UL, "%lu ms", (front_time_ns() - before) / 1000000);
    check_eq(FAULT("ud2", :), UD());
    hc_fpu_taskswitch(0);
}
