/* SPDX-License-Identifier: MIT */
/* The end of the domain, and the library's number. Shutdown cannot fail for a domain that asks for
 * itself. */
#include <tenue-front/front.h>

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
