/* SPDX-License-Identifier: MIT */
/* What the host's threads are asked for, apart from the rest: its headers have a sched_yield(). */
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host.h"

void host_yield(void)
{
    syscall(SYS_sched_yield);
}

void host_run(unsigned count, void *(*run)(void *), void *const args[])
{
    pthread_t threads[64];

    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, run, args[i]) != 0)
            abort();
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}
