/* SPDX-License-Identifier: MIT */
/*
 * Which CPU am I: the metal's answer. Every stack lies in its CPU's block, which starts with
 * struct pcpu and therefore with struct cpu (layout.h).
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

#endif
