/* SPDX-License-Identifier: MIT */
/*
 * Contract: console_io. A write takes bytes from the guest's memory, wherever it is mapped and
 * across pages, and prints them; a read gives what was typed, without waiting; counts and pointers
 * that cannot be are refused, with no byte printed from memory that is not the guest's.
 *
 * Invariants: HC-1, HC-4, HC-9.
 * A failure means: no boot messages, or the console shows what no guest may read.
 * Sabotage: leave the second page of across_pages() unmapped: the write is -EFAULT. Drop
 * `n &&` in console_read(): a read of nothing is.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define WINDOW 0x0000100000000000UL

static void across_pages(void)
{
    char *a = front_page_alloc(), *b = front_page_alloc();
    char *line = (char *)WINDOW + 4096 - 10;

    front_map(WINDOW, front_va_to_mfn(a), PTE_KERN);
    front_map(WINDOW + 4096, front_va_to_mfn(b), PTE_KERN & ~PTE_RW);
    memcpy(a + 4096 - 10, "across two", 10);
    memcpy(b, " pages\n", 7);
    check_eq(hc_console_io(CONSOLEIO_write, 17, line), 0);
    front_unmap(WINDOW + 4096);
    check_eq(hc_console_io(CONSOLEIO_write, 17, line), -XEN_EFAULT);
    check_eq(hc_console_io(CONSOLEIO_write, 10, line), 0);
    check_eq(hc_console_io(CONSOLEIO_write, 1, "\n"), 0);
}

void guest_test(void)
{
    char buf[64];
    static const u64 bad[] = {0x8000000000000000UL,    HYPERVISOR_VIRT_START + 0x40000000000,
                              HYPERVISOR_VIRT_END - 4, 0x0000300000000000UL,
                              0x00007ffffffffffcUL,    ~0UL - 3};

    check_eq(hc_console_io(CONSOLEIO_write, 0, buf), 0);
    check_eq(hc_console_io(CONSOLEIO_write, 0, 0x8000000000000000UL), 0);
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++) {
        check(hc_console_io(CONSOLEIO_write, 16, bad[i]) == -XEN_EFAULT, "write from %lx", bad[i]);
    }
    across_pages();
    check_eq(hc_console_io(CONSOLEIO_read, sizeof(buf), buf), 0);    /* nobody types */
    check_eq(hc_console_io(CONSOLEIO_read, sizeof(buf), bad[0]), 0); /* nothing to write there */
    check_eq(hc_console_io(CONSOLEIO_read, 0, buf), 0);
    check_eq(hc_console_io(CONSOLEIO_read, 0x80000000, buf), -XEN_E2BIG);
    check_eq(hc_console_io(99, 1, buf), -XEN_ENOSYS);
}
