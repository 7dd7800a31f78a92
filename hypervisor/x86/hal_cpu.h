/* SPDX-License-Identifier: MIT */
/*
 * Which CPU am I, and single instructions: the metal's answer. Every stack lies in its CPU's block,
 * which starts with struct pcpu and therefore with struct cpu (layout.h).
 */
#ifndef TENUE_HAL_CPU_H
#define TENUE_HAL_CPU_H

#include <stdint.h>

struct cpu;

static inline struct cpu *this_cpu(void)
{
    uint64_t block = ~0xffffull;

    /* Not volatile: the answer never changes within a function. */
    __asm__("and %%rsp, %0" : "+r"(block));
    return (struct cpu *)block;
}

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
/* In the order of the program. */
static inline uint64_t hal_rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi)::"memory");
    return (uint64_t)hi << 32 | lo;
}
/* The hardware's answer: EAX, EBX, ECX, EDX. */
static inline void hal_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(sub));
}
static inline void hal_invlpg_local(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

#endif
