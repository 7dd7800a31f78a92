/* SPDX-License-Identifier: MIT */
/*
 * Which CPU am I: the fake machine's answer. One host thread plays all CPUs in turn.
 */
#ifndef TENUE_HAL_CPU_H
#define TENUE_HAL_CPU_H

struct cpu;

extern struct cpu *fake_this_cpu;

static inline struct cpu *this_cpu(void)
{
    return fake_this_cpu;
}

static inline void cpu_relax(void)
{
}

#endif
