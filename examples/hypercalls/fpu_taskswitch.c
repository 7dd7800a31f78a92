/* SPDX-License-Identifier: MIT */
/* Contract: fpu_taskswitch (example.h). Invariants: EMU-3. */
#include "example.h"

#define EXAMPLE_NUMBER(name) EXAMPLE_ANY

EXAMPLE(fpu_taskswitch)
{
    check_eq(hc_fpu_taskswitch(1), 0); /* the next floating point instruction faults */
    check_eq(hc_fpu_taskswitch(0), 0);
}

EXAMPLES(LISTED(fpu_taskswitch));
