/* SPDX-License-Identifier: MIT */
/*
 * The Xen 4.17 public ABI as we offer it. The only includer of <xen/...> in the hypervisor.
 *
 * Headers are Debian's libxen-dev, unmodified. Layouts that assembly or the metal depend on are
 * asserted here, so that a changed header breaks the build and not a guest.
 */
#ifndef TENUE_ABI_H
#define TENUE_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00
#define __XEN_TOOLS__ 1

#include <xen/xen.h>

#include <xen/arch-x86/cpuid.h>
#include <xen/callback.h>
#include <xen/domctl.h>
#include <xen/elfnote.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/nmi.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/sysctl.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define STATIC_ASSERT(name, cond) _Static_assert(cond, #name)

STATIC_ASSERT(cpu_user_regs_size, sizeof(struct cpu_user_regs) == 200);
STATIC_ASSERT(start_info_size, sizeof(start_info_t) == 1168);
STATIC_ASSERT(vcpu_info_size, sizeof(vcpu_info_t) == 64);
STATIC_ASSERT(shared_info_fits_a_page, sizeof(shared_info_t) <= 4096);
STATIC_ASSERT(vcpu_guest_context_size, sizeof(vcpu_guest_context_t) == 5168);
STATIC_ASSERT(domctl_version, XEN_DOMCTL_INTERFACE_VERSION == 0x15);
STATIC_ASSERT(sysctl_version, XEN_SYSCTL_INTERFACE_VERSION == 0x15);

/* Ours alone, never seen by a guest: preempted, call again (the public list leaves it out of C). */
#define XEN_ERESTART 85

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ul
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ROUND_UP(x, align) (((x) + (align)-1) & ~((align)-1))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define must_check __attribute__((warn_unused_result))
#define noinline_fn __attribute__((noinline)) /* keeps a rare case out of a hot caller */
#define noreturn_fn __attribute__((noreturn))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

/* Compile-time limits of this hypervisor. */
#define MAX_CPUS 64u
#define MAX_VCPUS 32u     /* per domain: the legacy shared_info limit */
#define MAX_DOMAINS 1024u /* live at once; domids run below DOMID_FIRST_RESERVED */
#define MAX_EVTCHNS 4096u /* 2-level ABI: 64 x 64 */
#define MAX_PIRQS 256u

/* One read, one write, of memory that somebody else may change meanwhile. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
/* A field that others read without the lock of those who write it: it may be old, never torn. */
#define peeked volatile
#define barrier() __asm__ volatile("" ::: "memory")

/* Clamp a bounds-checked index under speculation: 0 when idx >= size. Size below 2^63. */
static inline uint64_t index_nospec(uint64_t idx, uint64_t size)
{
    uint64_t mask;

    __asm__("cmp %2, %1; sbb %0, %0" : "=r"(mask) : "r"(idx), "r"(size) : "cc");
    return idx & mask;
}

#endif
