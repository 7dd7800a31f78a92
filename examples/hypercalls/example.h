/* SPDX-License-Identifier: MIT */
/*
 * Examples of hypercalls: a guest for each hypercall, a function for each operation. EXAMPLE(name)
 * is what the reference manual shows (docs/hypercalls), so it is as short as it can be and says by
 * its checks what is answered; what several need lies outside of it. example.c runs them in the
 * order of `examples` and prints what each operation cost, in instructions.
 *
 * A file says EXAMPLE_NUMBER(name), the operation's number, so that the call that is meant is found
 * among those that an example makes; EXAMPLE_ANY where a hypercall has no operations.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#define __XEN_TOOLS__ 1
#include "guest.h"

#include "record.h"

#include <tenue_op.h>

#define EXAMPLE(name) static void example_##name(void)
#define EXAMPLE_ANY RECORD_NO_OPERATION
#define LISTED(name)                                                                               \
    {                                                                                              \
#name, EXAMPLE_NUMBER(name), example_##name                                                \
    }

struct example {
    const char *name;
    long number;
    void (*run)(void);
};
extern const struct example examples[];
extern const unsigned nr_examples;
#define EXAMPLES(...)                                                                              \
    const struct example examples[] = {__VA_ARGS__};                                               \
    const unsigned nr_examples = FRONT_ARRAY_SIZE(examples)

#endif
