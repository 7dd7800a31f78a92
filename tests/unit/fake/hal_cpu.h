/* SPDX-License-Identifier: MIT */
/*
 * Which CPU am I: the fake machine's answer. One host thread plays all CPUs in turn; or, built for
 * that, each CPU has a thread of its own (tests/threads).
 */
#ifndef TENUE_HAL_CPU_H
#define TENUE_HAL_CPU_H

#include <stdint.h>

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
uint64_t hal_rdtsc(void);
void hal_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
void hal_invlpg_local(uint64_t va);
/* For CPUs with tagged TLBs (fake_tags). */
void hal_cr3_write(uint64_t v);
void hal_invpcid(uint64_t tag, uint64_t va);

#endif
