/* SPDX-License-Identifier: MIT */
/* Threads of the host (host.c). */
#ifndef TENUE_THREADS_HOST_H
#define TENUE_THREADS_HOST_H

void host_yield(void);
/* A thread for each of count arguments; returns when all have. */
void host_run(unsigned count, void *(*run)(void *), void *const args[]);

#endif
