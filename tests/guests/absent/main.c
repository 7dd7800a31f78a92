/* SPDX-License-Identifier: MIT */
/*
 * Contract: what this hypervisor does not offer says so with the ABI's error, the same each time
 * and before any effect: FIFO event channels, grant table version 2, page transfer, HVM operations,
 * profiling, 32-bit guests. Stock kernels rely on exactly these answers to fall back.
 *
 * Invariants: EV-10, GT-9, GT-12, HC-8.
 * A failure means: a stock kernel believes in half a feature, and panics later.
 * Sabotage: ask for grant table version 1 instead of 2: it is granted.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 ours");

void guest_test(void)
{
    static u64 page[512] FRONT_PAGE_ALIGNED;
    evtchn_init_control_t init = {.control_gfn = front_va_to_pfn(page), .vcpu = 0};
    evtchn_expand_array_t expand = {.array_gfn = front_va_to_pfn(page)};
    evtchn_set_priority_t priority = {.port = 1, .priority = 1};
    gnttab_set_version_t v2 = {.version = 2};
    u8 room[256] = {0};

    for (unsigned twice = 0; twice < 2; twice++) {
        v2.version = 2; /* the answer has put the version in force there */
        check_eq(hc_event_channel_op(EVTCHNOP_init_control, &init), -XEN_ENOSYS);
        check_eq(hc_event_channel_op(EVTCHNOP_expand_array, &expand), -XEN_ENOSYS);
        check_eq(hc_event_channel_op(EVTCHNOP_set_priority, &priority), -XEN_ENOSYS);
        check_eq(hc_grant_table_op(GNTTABOP_set_version, &v2, 1), -XEN_ENOSYS);
        check_eq(hc_grant_table_op(GNTTABOP_get_status_frames, room, 1), -XEN_ENOSYS);
        check_eq(hc_grant_table_op(GNTTABOP_transfer, room, 1), -XEN_ENOSYS);
        check(front_hc2(__HYPERVISOR_hvm_op, 0, room) == -XEN_ENOSYS);
        check(front_hc2(__HYPERVISOR_xenoprof_op, 0, room) < 0);
        check(front_hc2(__HYPERVISOR_xenpmu_op, 4, room) < 0);
        check(front_hc2(__HYPERVISOR_argo_op, 1, room) < 0);
    }
    for (unsigned i = 0; i < 512; i++) {
        if (!check(!page[i], "a refused FIFO call wrote to its page"))
            break;
    }
}
