/* SPDX-License-Identifier: MIT */
/* Contract: the operations of callback_op, one example each (example.h). Invariants: ENT-2. */
#include "example.h"

#include <xen/callback.h>

#define EXAMPLE_NUMBER(name) CALLBACKOP_##name

EXAMPLE(register)
{
    struct callback_register op = {.type = CALLBACKTYPE_syscall,
                                   .flags = CALLBACKF_mask_events,
                                   .address = front_trap_stub(FRONT_VEC_SYSCALL)};

    check_eq(hc_callback_op(CALLBACKOP_register, &op), 0);
}

EXAMPLE(unregister)
{
    struct callback_unregister op = {.type = CALLBACKTYPE_nmi};

    check_eq(hc_callback_op(CALLBACKOP_unregister, &op), 0);
}

EXAMPLES(LISTED(register), LISTED(unregister));
