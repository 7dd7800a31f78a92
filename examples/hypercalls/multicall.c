/* SPDX-License-Identifier: MIT */
/* Contract: multicall (example.h). Invariants: HC-7. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(multicall)
{
    multicall_entry_t calls[] = {
        {.op = __HYPERVISOR_xen_version, .args = {XENVER_version}},
        {.op = __HYPERVISOR_xen_version, .args = {XENVER_pagesize}},
    };

    check_eq(hc_multicall(calls, 2), 0);
    check_eq(calls[0].result, 4 << 16 | 17);
    check_eq(calls[1].result, 4096);
}

EXAMPLES(LISTED(multicall));
