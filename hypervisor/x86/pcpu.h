/* SPDX-License-Identifier: MIT */
/*
 * A CPU's block as the machine layer sees it: struct cpu first, then what only x86/ touches.
 *
 * Legend: [o] only this CPU; [a] atomic, any CPU; [I] set at bring-up.
 */
#ifndef TENUE_X86_PCPU_H
#define TENUE_X86_PCPU_H

#include <tenue/percpu.h>
#include <tenue/tlb.h>

#include "layout.h"

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iobmp;
} __attribute__((packed));
STATIC_ASSERT(tss_size, sizeof(struct tss) == 104);

enum ist_stack { IST_NONE, IST_NMI, IST_MC, IST_DF, IST_DB };

/* A page that stays mapped while a guest runs under page-table isolation: nothing in it is of use
 * to that guest. The rest of the page is the stack of entries from such a guest (isolation.inc). */
struct cpu_entry {
    struct tss tss;
    uint64_t scratch_rsp; /* [o] guest stack pointer between SYSCALL and its first push */
    uint64_t scratch_rax; /* [o] the same for RAX, with isolation */
    uint64_t full_cr3;    /* [o] isolation: what entries load */
    uint64_t guest_cr3;   /* [I] isolation: what exits load; 0: without */
    uint64_t exit_rax; /* [o] the last two registers on the way to SYSRET, popped in this order */
    uint64_t exit_rsp; /* [o] */
} __attribute__((aligned(BLOCK_ENTRY_TOP - BLOCK_ENTRY_OFF)));

struct pcpu {
    struct cpu cpu;
    uint64_t cr4;         /* [o] what CR4 holds */
    uint64_t cr0_ts;      /* [o] 1 when CR0.TS is set */
    uint64_t xcr0;        /* [o] what XCR0 holds */
    uint64_t tsc_aux;     /* [o] what TSC_AUX holds */
    bool dr7_active;      /* [o] breakpoints of current are loaded */
    uint32_t apic_id;     /* [I] */
    uint64_t *gdt_window; /* [I] L1 entries of the GDT window */
    uint64_t *ldt_window; /* [I] L1 entries of the LDT window */
    uint64_t *gdt_page;   /* [I] our page of descriptors, 512 entries */
    uint64_t window_virt; /* [I] address of the GDT window; the LDT window follows */
    uint16_t ldt_live;    /* [o] entries LDTR covers, 0: null */
    /* Requests of other CPUs, answered in interrupts and in spin loops. */
    uint32_t flush_asked;       /* [a] full flushes asked of this CPU, ever */
    uint32_t flush_done;        /* [o, others read] of these, how many are done */
    struct vcpu *unload_wanted; /* [a] give up this vcpu if idle */
    uint32_t online;            /* [a] 1 once it schedules */
    /* Page-table isolation (isolation.c); NULL without. */
    uint64_t *guest_l4;     /* [I] the root that guests run on */
    uint64_t *guest_window; /* [I] its L1 entries of both windows */
    struct cpu_entry entry;
};
STATIC_ASSERT(pcpu_is_cpu, __builtin_offsetof(struct pcpu, cpu) == 0);
STATIC_ASSERT(pcpu_entry, __builtin_offsetof(struct pcpu, entry) == BLOCK_ENTRY_OFF);
STATIC_ASSERT(pcpu_fits, sizeof(struct pcpu) == BLOCK_STUB_OFF);
STATIC_ASSERT(pcpu_exit, __builtin_offsetof(struct cpu_entry, exit_rsp) ==
                             __builtin_offsetof(struct cpu_entry, exit_rax) + 8);

/* Where a guest's registers are put, from SS down. */
static inline uint64_t pcpu_regs_top(const struct pcpu *c)
{
    return (uint64_t)c + BLOCK_STACK_TOP - sizeof(struct cpu_user_regs) +
           offsetof(struct cpu_user_regs, es);
}

static inline struct pcpu *this_pcpu(void)
{
    return (struct pcpu *)this_cpu();
}
static inline struct pcpu *pcpu_of(unsigned cpu)
{
    return (struct pcpu *)cpus[cpu];
}

#endif
