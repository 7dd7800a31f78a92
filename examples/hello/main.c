/* SPDX-License-Identifier: MIT */
/* hello - the smallest guest: says where it is, and ends; with it the domain powers off. */
#include <tenue-front/front.h>

void front_main(void)
{
    long version = hc_xen_version(XENVER_version, NULL);

    front_printf("hello from %s, ABI %ld.%ld, %lu KiB\n", front_si->magic, version >> 16,
                 version & 0xffff, front_si->nr_pages * 4);
    front_console_drain();
}
