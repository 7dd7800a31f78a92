/* SPDX-License-Identifier: MIT */
/* Contract: the operations of vm_assist, one example each (example.h). Invariants: EMU-3. */
#include "example.h"

#define EXAMPLE_NUMBER(name) VMASST_CMD_##name

EXAMPLE(enable)
{
    check_eq(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
}

EXAMPLE(disable)
{
    check_eq(hc_vm_assist(VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
}

EXAMPLES(LISTED(enable), LISTED(disable));
