/* SPDX-License-Identifier: MIT */
/*
 * Which CPU am I: the fake machine's answer. One host thread plays all CPUs in turn; or, built for
 * that, each CPU has a thread of its own (tests/threads).
 */
#ifndef TENUE_HAL_CPU_H
#define TENUE_HAL_CPU_H

struct cpu;

#ifdef FAKE_THREADS
#define FAKE_PER_CPU _Thread_local
#else
#define FAKE_PER_CPU
#endif
extern FAKE_PER_CPU struct cpu *fake_this_cpu;

static inline struct cpu *this_cpu(void)
{
    return fake_this_cpu;
}

static inline void cpu_relax(void)
{
}

#endif
