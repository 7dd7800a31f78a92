/* SPDX-License-Identifier: MIT */
/* Contract: the operations of platform_op, one example each (example.h). Invariants: HC-1. */
#include "example.h"

#include <xen/platform.h>

#define EXAMPLE_NUMBER(name) XENPF_##name

EXAMPLE(get_cpuinfo)
{
    struct xen_platform_op op = {.cmd = XENPF_get_cpuinfo,
                                 .interface_version = XENPF_INTERFACE_VERSION};

    check_eq(hc_platform_op(&op), 0);
    check(op.u.pcpu_info.flags & XEN_PCPU_FLAGS_ONLINE);
}

EXAMPLE(firmware_info)
{
    struct xen_platform_op op = {.cmd = XENPF_firmware_info,
                                 .interface_version = XENPF_INTERFACE_VERSION};

    op.u.firmware_info.type = XEN_FW_KBD_SHIFT_FLAGS;
    check_eq(hc_platform_op(&op), 0);
}

EXAMPLE(settime64)
{
    struct xen_platform_op op = {.cmd = XENPF_settime64,
                                 .interface_version = XENPF_INTERFACE_VERSION};

    op.u.settime64.secs = 1700000000;
    op.u.settime64.system_time = front_time_ns();
    check_eq(hc_platform_op(&op), 0);
}

EXAMPLE(settime32)
{
    struct xen_platform_op op = {.cmd = XENPF_settime32,
                                 .interface_version = XENPF_INTERFACE_VERSION};

    op.u.settime32.secs = 1700000000;
    op.u.settime32.system_time = front_time_ns();
    check_eq(hc_platform_op(&op), 0);
}

EXAMPLE(enter_acpi_sleep)
{
    struct xen_platform_op op = {.cmd = XENPF_enter_acpi_sleep,
                                 .interface_version = XENPF_INTERFACE_VERSION};

    op.u.enter_acpi_sleep.sleep_state = 6; /* 5 switches the machine off; there is no 6 */
    check_eq(hc_platform_op(&op), -XEN_EINVAL);
}

EXAMPLES(LISTED(get_cpuinfo), LISTED(firmware_info), LISTED(settime64), LISTED(settime32),
         LISTED(enter_acpi_sleep));
