/* SPDX-License-Identifier: MIT */
/* Contract: the operations of nmi_op, one example each (example.h). Invariants: ENT-2. */
#include "example.h"

#include <xen/nmi.h>

#define EXAMPLE_NUMBER(name) XENNMI_##name

EXAMPLE(register_callback)
{
    struct xennmi_callback op = {.handler_address = front_trap_stub(2)};

    check_eq(hc_nmi_op(XENNMI_register_callback, &op), 0);
}

EXAMPLE(unregister_callback)
{
    check_eq(hc_nmi_op(XENNMI_unregister_callback, 0), 0);
}

EXAMPLES(LISTED(register_callback), LISTED(unregister_callback));
