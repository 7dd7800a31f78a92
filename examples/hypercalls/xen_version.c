/* SPDX-License-Identifier: MIT */
/* Contract: the operations of xen_version, one example each (example.h). Invariants: HC-3. */
#include "example.h"

#define EXAMPLE_NUMBER(name) XENVER_##name

EXAMPLE(version)
{
    check_eq(hc_xen_version(XENVER_version, 0), 4 << 16 | 17);
}

EXAMPLE(extraversion)
{
    xen_extraversion_t text;

    check_eq(hc_xen_version(XENVER_extraversion, text), 0);
}

EXAMPLE(compile_info)
{
    struct xen_compile_info op;

    check_eq(hc_xen_version(XENVER_compile_info, &op), 0);
}

EXAMPLE(capabilities)
{
    static xen_capabilities_info_t text;

    check_eq(hc_xen_version(XENVER_capabilities, text), 0);
    check(!strncmp(text, "xen-3.0-x86_64", 14));
}

EXAMPLE(changeset)
{
    xen_changeset_info_t text;

    check_eq(hc_xen_version(XENVER_changeset, text), 0);
}

EXAMPLE(platform_parameters)
{
    struct xen_platform_parameters op;

    check_eq(hc_xen_version(XENVER_platform_parameters, &op), 0);
    check_eq(op.virt_start, HYPERVISOR_VIRT_START);
}

EXAMPLE(get_features)
{
    struct xen_feature_info op = {.submap_idx = 0};

    check_eq(hc_xen_version(XENVER_get_features, &op), 0);
    check(op.submap & 1u << XENFEAT_mmu_pt_update_preserve_ad);
}

EXAMPLE(pagesize)
{
    check_eq(hc_xen_version(XENVER_pagesize, 0), 4096);
}

EXAMPLE(guest_handle)
{
    xen_domain_handle_t uuid;

    check_eq(hc_xen_version(XENVER_guest_handle, uuid), 0);
}

EXAMPLE(commandline)
{
    static xen_commandline_t text;

    check_eq(hc_xen_version(XENVER_commandline, text), 0);
}

EXAMPLES(LISTED(version), LISTED(extraversion), LISTED(compile_info), LISTED(capabilities),
         LISTED(changeset), LISTED(platform_parameters), LISTED(get_features), LISTED(pagesize),
         LISTED(guest_handle), LISTED(commandline));
