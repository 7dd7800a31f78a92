/* SPDX-License-Identifier: MIT */
/*
 * What Tenue offers beyond the ABI: hypercall 55 (arch_7), for the control domain only. Other
 * domains get -EPERM, other hypervisors answer -ENOSYS; CPUID leaf 0x40000006 carries the version
 * of this interface in eax. rdi: the operation, rsi: its structure.
 *
 * Accounting and tracing ("watching") are off until asked for, and cost nothing then. While they
 * are on, every part of a vcpu's time is counted: parts are intervals that meet without gaps, so
 * that a vcpu's parts always sum to the time since its account was opened.
 */
#ifndef TENUE_PUBLIC_TENUE_OP_H
#define TENUE_PUBLIC_TENUE_OP_H

#include <stdint.h>

#define __HYPERVISOR_tenue_op 55

#define TENUE_OP_VERSION 2u

/* --- parts of a vcpu's time --- */
#define TENUE_PART_USER 0u      /* guest user mode */
#define TENUE_PART_KERNEL 1u    /* guest kernel mode */
#define TENUE_PART_WAITING 2u   /* runnable, another runs */
#define TENUE_PART_BLOCKED 3u   /* wants no CPU */
#define TENUE_PART_OFFLINE 4u   /* down, or paused */
#define TENUE_PART_UNWATCHED 5u /* running while accounting was off */
/* The rest is in the hypervisor: */
#define TENUE_PART_SWITCH 6u    /* from being chosen to entering the guest */
#define TENUE_PART_WORK 7u      /* deferred work: timers, scheduling, console, reaping */
#define TENUE_PART_UPCALL 8u    /* building the frame of an event or NMI */
#define TENUE_PART_SYSCALL 9u   /* from guest user to guest kernel */
#define TENUE_PART_FAILSAFE 10u /* a return to the guest that faulted */
#define TENUE_PART_TIMER 11u    /* interrupts */
#define TENUE_PART_IPI 12u
#define TENUE_PART_DEVICE 13u
#define TENUE_PART_INT_N 14u      /* int 0x80 */
#define TENUE_PART_EMUL_CPUID 16u /* exceptions that turned out to be something to emulate */
#define TENUE_PART_EMUL_MSR 17u
#define TENUE_PART_EMUL_CONTROL 18u /* control and debug registers, xsetbv, wbinvd */
#define TENUE_PART_EMUL_PORT 19u
#define TENUE_PART_EMUL_TABLE 20u /* a store to a page table */
#define TENUE_PART_EMUL_OTHER 21u
#define TENUE_PART_EXCEPTION 32u /* + vector */
#define TENUE_PART_HYPERCALL 64u /* + number; elements of a multicall count as themselves */
#define TENUE_PARTS 128u

/* --- operations; all fields in unless said --- */

/* Returns TENUE_OP_VERSION. No structure. */
#define TENUE_OP_version 0u

/* What is watched. Trace buffers are given back when tracing ends; -EBUSY while an earlier one is
 * still being given back, or when tracing is on already. */
#define TENUE_OP_watch 1u
#define TENUE_WATCH_ACCOUNT 1u
#define TENUE_WATCH_TRACE 2u /* needs accounting */
#define TENUE_WATCH_KEEP 4u  /* a note among tools: leave it on */
#define TENUE_TRACE_RECORDS_MAX (1u << 18)
#define TENUE_TRACE_ALL 0xffffu
struct tenue_op_watch {
    uint32_t set;           /* 0: only ask */
    uint32_t flags;         /* in when set; out: what is watched now */
    uint32_t trace_records; /* per CPU, rounded up to a power of two of pages */
    uint32_t trace_domid;   /* or TENUE_TRACE_ALL */
    uint32_t cpus;          /* out */
    uint32_t pad;
};

/* A vcpu's account. -ENOENT for no such domain or vcpu, -ENODATA when it was never watched. */
#define TENUE_OP_account 2u
struct tenue_part_time {
    uint64_t ns;
    uint64_t count; /* how often it was left */
};
struct tenue_op_account {
    uint16_t domid;
    uint16_t vcpu;
    uint32_t part;    /* out: the one it is in */
    uint64_t opened;  /* out: system time, ns */
    uint64_t now;     /* out: system time that the sum goes up to */
    uint64_t running; /* out: ns by the scheduler's own clock, as in domctl's getvcpuinfo */
    uint64_t parts;   /* address of TENUE_PARTS struct tenue_part_time, written */
};

/* Records of a CPU from index `next` on; older ones than the buffer holds are skipped and counted
 * as lost. -ENODATA when there is no trace. */
#define TENUE_OP_trace 3u
#define TENUE_TRACE_READ_MAX 2048u
enum tenue_trace_event {
    TENUE_TRACE_PART, /* the vcpu enters part arg; bits 16-31: of a hypercall, its first argument's
                       */
    TENUE_TRACE_BACK, /* the same, after an element of a multicall */
    TENUE_TRACE_RENAME, /* the part that the vcpu is in turned out to be arg */
    TENUE_TRACE_SEND,   /* the vcpu sends to its port arg */
};
struct tenue_trace_record {
    uint64_t ns; /* system time */
    uint16_t domid;
    uint8_t vcpu;
    uint8_t event;
    uint32_t arg;
};
#define TENUE_TRACE_ARG_PART(arg) ((arg)&0xffffu)
#define TENUE_TRACE_ARG_FIRST(arg) ((arg) >> 16)
struct tenue_op_trace {
    uint32_t cpu;
    uint32_t count; /* in: room; out: records written */
    uint64_t next;  /* in and out */
    uint64_t lost;  /* out: skipped by this call */
    uint64_t records;
};

/* A part's name. -ENOENT for a number without meaning. */
#define TENUE_OP_part_name 4u
struct tenue_op_part_name {
    uint32_t part;
    char name[28]; /* out */
};

/* A physical CPU's counters, which never fall. -ENOENT: there is no such CPU. */
#define TENUE_OP_cpu 5u
struct tenue_op_cpu {
    uint32_t cpu;
    uint32_t pad;
    uint64_t idle;         /* out: ns without anything to run */
    uint64_t halts;        /* out: how often it went to sleep, and so was woken */
    uint64_t guest_timers; /* out: guests' deadlines that passed here */
};

#endif
