/* SPDX-License-Identifier: MIT */
/* The end of the domain, or its standing still, and the library's number. Shutdown cannot fail for
 * a domain that asks for itself. */
#include <tenue-front/front.h>
#include <tenue-front/port.h>

int front_version(void)
{
    return FRONT_VERSION_NUMBER;
}

void front_shutdown(unsigned reason)
{
    struct sched_shutdown op = {.reason = reason};

    for (;;)
        hc_sched_op(SCHEDOP_shutdown, &op);
}

void front_suspend(void)
{
    struct sched_shutdown op = {.reason = SHUTDOWN_suspend};
    s64 rc =
        (s64)front_hc3(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &op, front_port_page_mfn(front_si));

    if (rc != 1) /* 0: in another domain, with none of what we knew */
        front_panic("resumed as another domain (%ld), which this library cannot", rc);
}
