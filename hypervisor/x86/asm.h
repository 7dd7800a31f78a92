/* SPDX-License-Identifier: MIT */
/*
 * Single instructions as functions. Those that may fault on a guest's values are in copy.S.
 */
#ifndef TENUE_X86_ASM_H
#define TENUE_X86_ASM_H

#include <tenue/abi.h>
#include <tenue/percpu.h>

#include "desc.h"

/* What LGDT and LIDT load. */
struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
/* As hal_cpuid(), and zeros where the CPU has no such leaf: it would answer with some other one. */
static inline void cpuid_if_there(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    hal_cpuid(leaf & 0x80000000, 0, out);
    if (leaf <= out[0])
        hal_cpuid(leaf, sub, out);
    else
        out[0] = out[1] = out[2] = out[3] = 0;
}
/* in and out of a byte, a word (w) and a long (l). */
#define PORT_ACCESS(size, type)                                                                    \
    static inline type in##size(uint16_t port)                                                     \
    {                                                                                              \
        type v;                                                                                    \
                                                                                                   \
        __asm__ volatile("in" #size " %1, %0" : "=a"(v) : "Nd"(port));                             \
        return v;                                                                                  \
    }                                                                                              \
    static inline void out##size(uint16_t port, type v)                                            \
    {                                                                                              \
        __asm__ volatile("out" #size " %0, %1" ::"a"(v), "Nd"(port));                              \
    }
PORT_ACCESS(b, uint8_t)
PORT_ACCESS(w, uint16_t)
PORT_ACCESS(l, uint32_t)
#undef PORT_ACCESS
static inline void cr4_write(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr4" ::"r"(v) : "memory");
}
static inline uint64_t cr2_read(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}
static inline void xsetbv0(uint64_t v)
{
    __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
static inline void lldt(uint16_t sel)
{
    __asm__ volatile("lldt %0" ::"r"(sel));
}

#endif
