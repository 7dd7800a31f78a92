/* SPDX-License-Identifier: MIT */
/*
 * What a PV vcpu and domain are made of besides their general registers: plain data, filled by pv/,
 * switched by the metal. Everything here has been sanitised when it was stored (ENT-2, LC-9):
 * addresses canonical and in guest space, selectors ring 3, so that loading it cannot fault
 * except where a recovery entry exists.
 */
#ifndef TENUE_PVSTATE_H
#define TENUE_PVSTATE_H

#include <tenue/abi.h>
#include <tenue/arch.h>
#include <tenue/frame.h>

#define GDT_GUEST_FRAMES 14u            /* FIRST_RESERVED_GDT_PAGE */
#define PV_SEL_KERNEL_CS FLAT_KERNEL_CS /* 0xe033 */
#define PV_SEL_KERNEL_SS FLAT_KERNEL_SS /* 0xe02b */

struct pv_callback {
    uint64_t address; /* 0: none registered */
    bool mask_events; /* set evtchn_upcall_mask on entry */
};

/*
 * Where the last walk through the kernel root ended: the L1 table for 2 MiB of addresses. True as
 * long as the root is the same and no table above L1 of the domain changed or ended since (pte.c).
 */
struct pv_walk {
    uint64_t region; /* address >> 21 */
    uint64_t root;   /* frame; 0: nothing remembered */
    uint64_t changes;
    uint64_t table; /* machine address */
};

struct pv_vcpu {
    bool kernel_mode;   /* guest kernel (else guest user) */
    mfn_t root_kernel;  /* L4 with reference and type held; MFN_NONE before context */
    mfn_t root_user;    /* likewise; MFN_NONE: none, user mode cannot be entered */
    uint64_t kernel_sp; /* stack for entries from user mode */
    /* Where a frame of seven words goes on it; an address that faults when the stack cannot take
     * the largest frame. For hand-written paths, which then fall back (pv_entry_stack_set). */
    uint64_t entry_frame;
    uint16_t kernel_ss;
    uint64_t fs_base;        /* saved copies: valid while not loaded */
    uint64_t gs_base_kernel; /* guest kernel's GS base: active in kernel mode */
    uint64_t gs_base_user;   /* inactive in kernel mode */
    struct trap_info *traps; /* 256 entries, own page; address 0: none; cs ring 3 */
    struct pv_callback event, failsafe, syscall, syscall32, sysenter; /* NMIs: traps[2] */
    mfn_t gdt_frames[GDT_GUEST_FRAMES]; /* descriptor-typed, MFN_NONE when absent */
    uint32_t gdt_entries;
    uint64_t ldt_base;    /* guest linear address */
    uint32_t ldt_entries; /* 0: none */
    mfn_t ldt_frames[16]; /* faulted in lazily, descriptor-typed; MFN_NONE when not */
    uint64_t cr0_guest;   /* view: only TS varies */
    uint64_t cr4_guest;   /* view */
    uint64_t xcr0;
    uint64_t debugreg[8];
    uint8_t iopl;         /* virtual IOPL, from PHYSDEVOP_set_iopl; 0..3 */
    uint32_t iobmp_limit; /* ports covered */
    uint64_t iobmp_va;    /* guest address of the bitmap, 0: none */
    uint64_t tsc_aux;
    uint32_t vm_assist; /* unused per vcpu; kept in the domain */
    /* Tables whose devalidation was preempted, by level - 1; 0: none. pv/root.c finishes them
     * before this vcpu runs again, or at teardown. */
    mfn_t old_tables[4];
    uint8_t owed; /* bit per level - 1 that has one */
    struct pv_walk walk;
};

/* Owns nothing; starts as zeros. */
struct pv_domain {
    uint64_t vm_assist;     /* [a] bits VMASST_TYPE_* */
    uint32_t pci_cf8;       /* latched configuration address (control domain) */
    uint64_t table_changes; /* [a] of entries above L1 that were present, counted after each */
};

#endif
