/* SPDX-License-Identifier: MIT */
/*
 * Contract: every example of the reference manual does what it says, and the call it is about is
 * made. Prints "COST hypercall operation ticks" for each: instructions, where the clock counts them
 * (`make abi-costs`).
 *
 * Sabotage: in event_channel_op.c let EXAMPLE(send) send on port 0: its check fails.
 */
#include "example.h"

static void cost(const struct example *e, unsigned from)
{
    s64 ticks = record_cost(from, EXAMPLE_CALL, e->number);

    if (ticks > 0)
        front_printf("COST " GUEST_NAME " %s %ld\n", e->name, (long)ticks);
    else
        check(e->number == EXAMPLE_ANY || ticks == 0, "%s: the call is not made", e->name);
}

void guest_test(void)
{
    for (unsigned i = 0; i < nr_examples; i++) {
        unsigned from = record_count();

        examples[i].run();
        cost(&examples[i], from);
    }
    record_dump();
}
