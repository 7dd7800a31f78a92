/* SPDX-License-Identifier: MIT */
/* Lab 1, first hypercall: a solution. */
#include "task.h"

long my_hypercall(u64 nr, u64 a1, u64 a2, u64 a3, u64 a4)
{
    long result = (long)nr;
    register u64 r10 __asm__("r10") = a4;

    /* The instruction itself overwrites rcx and r11; the hypervisor may overwrite the arguments'
     * registers, and memory that they point to. */
    __asm__ volatile("syscall"
                     : "+a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10)
                     :
                     : "rcx", "r11", "memory");
    return result;
}

void my_say(const char *text)
{
    my_hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, strlen(text), (u64)text, 0);
}

void my_version(unsigned *major, unsigned *minor)
{
    long version = my_hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0);

    *major = (unsigned)version >> 16;
    *minor = (unsigned)version & 0xffff;
}

int my_error(u64 nr, u64 a1, u64 a2)
{
    long result = my_hypercall(nr, a1, a2, 0, 0);

    return result < 0 ? (int)-result : 0;
}
