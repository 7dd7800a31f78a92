/* SPDX-License-Identifier: MIT */
/* Lab 1, first hypercall. Copy this file to mine.c and fill it in; README.md has the steps. */
#include "task.h"

/* Step 1. One `syscall`: the number in rax, the arguments in rdi, rsi, rdx and r10. */
long my_hypercall(u64 nr, u64 a1, u64 a2, u64 a3, u64 a4)
{
    (void)nr, (void)a1, (void)a2, (void)a3, (void)a4;
    return -XEN_ENOSYS; /* your code here */
}

/* Step 2. The text, as it is, on the console: console_io, CONSOLEIO_write. */
void my_say(const char *text)
{
    (void)text; /* your code here */
}

/* Step 3. The hypervisor's version: xen_version, XENVER_version. */
void my_version(unsigned *major, unsigned *minor)
{
    *major = *minor = 0; /* your code here */
}

/* Step 4. Make that call; 0 if it was obeyed, otherwise the error as a positive number (XEN_E*). */
int my_error(u64 nr, u64 a1, u64 a2)
{
    (void)nr, (void)a1, (void)a2;
    return -1; /* your code here */
}
