/* SPDX-License-Identifier: MIT */
/*
 * The few integer names and compiler helpers the SDK uses everywhere. Freestanding: nothing here
 * comes from a libc; <stdint.h>, <stddef.h>, <stdbool.h> and <stdarg.h> are the compiler's own.
 */
#ifndef TENUE_FRONT_TYPES_H
#define TENUE_FRONT_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t s16;
typedef int64_t s64;

#define FRONT_PAGE_SHIFT 12
#define FRONT_PAGE_SIZE 4096UL
#define FRONT_PAGE_MASK (FRONT_PAGE_SIZE - 1)
#define FRONT_PAGE_ALIGNED __attribute__((aligned(4096)))
#define FRONT_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Memory that the hypervisor or another domain may change is read once, into a local. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define front_barrier() __asm__ volatile("" ::: "memory")
#define front_mb() __asm__ volatile("mfence" ::: "memory")
/* x86 keeps loads in order among loads and stores among stores: the compiler is what is told. */
#define front_rmb() front_barrier()
#define front_wmb() front_barrier()

#endif
