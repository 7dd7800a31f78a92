/* SPDX-License-Identifier: MIT */
/* Contract: the operations of console_io, one example each (example.h). Invariants: HC-3. */
#include "example.h"

#define EXAMPLE_NUMBER(name) CONSOLEIO_##name

EXAMPLE(write)
{
    static const char text[] = "written by console_io\n";

    check_eq(hc_console_io(CONSOLEIO_write, sizeof(text) - 1, text), 0);
}

EXAMPLE(read)
{
    char typed[64];

    check_eq(hc_console_io(CONSOLEIO_read, sizeof(typed), typed), 0); /* nobody types */
}

EXAMPLES(LISTED(write), LISTED(read));
