/* SPDX-License-Identifier: MIT */
/* Contract: stack_switch (example.h). Invariants: ENT-2. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

static char stack[8192] __attribute__((aligned(16)));

EXAMPLE(stack_switch)
{
    check_eq(hc_stack_switch(FLAT_KERNEL_SS, stack + sizeof(stack)), 0);
}

EXAMPLES(LISTED(stack_switch));
