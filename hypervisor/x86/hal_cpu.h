/* SPDX-License-Identifier: MIT */
/*
 * Which CPU am I, and single instructions: the metal's answer. Every stack lies in its CPU's block,
 * which starts with struct pcpu and therefore with struct cpu (layout.h).
 */
#ifndef TENUE_HAL_CPU_H
#define TENUE_HAL_CPU_H

#include <stdint.h>

#include <tenue/tlb.h>

#include "desc.h"

struct cpu;

/* For asm goto: five bytes or more of code that become a jump to the label yes where the plan has
 * one of the bits of operand 0 (spec.c). */
#define SITE_YES(code)                                                                             \
    "1: " code "\n\t.pushsection .spec_sites, \"a\"\n\t.quad 1b, %l[yes]\n\t"                      \
    ".long %c0, 0\n\t.popsection"

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
static inline void hal_cr3_write(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr3" ::"r"(v) : "memory");
}
/* What the tag holds of one address of the guest's: on any other, it faults. */
static inline void hal_invpcid(uint64_t tag, uint64_t va)
{
    const uint64_t what[2] = {tag, va};

    __asm__ volatile("invpcid %0, %1" ::"m"(what), "r"(0ul) : "memory");
}
static inline void hal_invlpg_local(uint64_t va)
{
    __asm__ goto(SITE_YES("%{disp32%} invlpg (%1)") : : "i"(SITE_TAGS), "r"(va) : "memory" : yes);
    return;
yes:
    tags_invlpg(va);
}

#endif
