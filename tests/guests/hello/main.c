/* SPDX-License-Identifier: MIT */
/*
 * Contract: start of day. What a PV kernel may rely on at its first instruction: registers,
 * selectors and flags; a start_info page that is complete; an initial map of 4 KiB pages with
 * read-only page tables, a pinned root, an executable read-write image, zeroed bss, spare room
 * after the stack; masked events.
 *
 * Invariants: ENT-3 (flags and selectors), MM-1 (no writable mapping of a table), MM-12, MM-17.
 * A failure means: the domain builder or the first entry to the guest is wrong; nothing else in
 * this suite can be trusted until this one passes.
 * Sabotage: store RSI + 8 instead of RSI at the top of frontends/x86/start.S: registers() fails.
 */
#include "guest.h"

GUEST_RUN("args=alpha,beta=2");

static char zeroes[8192];
static u64 dirty_at;

void front_early(void)
{
    for (u64 i = 0; i < sizeof(zeroes); i++) {
        if (zeroes[i] && !dirty_at)
            dirty_at = i + 1;
    }
}

static void registers(void)
{
    const struct front_boot_regs *r = &front_boot_regs;

    check_eq(r->rsi, (u64)front_si);
    check_eq(r->rax | r->rbx | r->rcx | r->rdx | r->rdi | r->rbp, 0);
    check_eq(r->r8 | r->r9 | r->r10 | r->r12 | r->r13 | r->r14 | r->r15, 0);
    check_eq(r->cs, FLAT_KERNEL_CS);
    check_eq(r->ss, FLAT_KERNEL_SS);
    check_eq(r->ds | r->es | r->fs | r->gs, 0);
    /* The arithmetic flags are nobody's promise; IF is on, TF DF IOPL NT VM AC are not. */
    check_eq(r->rflags & 0x277702 & ~0x2UL, 0x200);
    check(r->rsp > r->rsi, "rsp %lx rsi %lx", r->rsp, r->rsi);
    check_eq(r->rsp & 15, 0);
}

static void fields(void)
{
    check(!strncmp(front_si->magic, "xen-3.0-x86_64", 14), "magic %.16s", front_si->magic);
    check_eq(front_si->flags & 3, SIF_PRIVILEGED | SIF_INITDOMAIN);
    check(front_si->nr_pages >= 8192, "nr_pages %lu", front_si->nr_pages);
    check_eq(front_si->shared_info & FRONT_PAGE_MASK, 0);
    check_eq(front_si->store_mfn | front_si->store_evtchn, 0);
    check(front_si->nr_pt_frames >= 4, "nr_pt_frames %lu", front_si->nr_pt_frames);
    check_eq(front_si->pt_base & FRONT_PAGE_MASK, 0);
    check(!strcmp((const char *)front_si->cmd_line, "alpha beta=2"), "cmd_line '%s'",
          front_si->cmd_line);
    check_eq(front_si->mod_len, 0);
    check(front_si->pt_base > front_boot_regs.rsi, "page tables before start_info");
    check(front_boot_regs.rsp > front_si->pt_base, "stack before the page tables");
}

static u64 leaf(u64 va)
{
    volatile u64 *e = front_pt_entry(front_root_mfn(), va, 1);

    return e ? *e : 0;
}

static void initial_map(void)
{
    u64 stack = front_boot_regs.rsp, spare = 0;
    u64 tables = front_si->pt_base, end = tables + front_si->nr_pt_frames * FRONT_PAGE_SIZE;

    for (u64 va = (u64)front_image_start; va < (u64)front_image_end; va += FRONT_PAGE_SIZE) {
        u64 pte = leaf(va);

        if (va == (u64)front_shared)
            continue; /* the SDK has put the shared page there by now */
        if (!check((pte & (PTE_P | PTE_RW | PTE_NX)) == (PTE_P | PTE_RW) &&
                       (pte & PTE_ADDR) >> 12 == front_p2m[front_va_to_pfn((void *)va)],
                   "image page %lx is mapped by %lx", va, pte))
            break;
    }
    for (u64 va = tables; va < end; va += FRONT_PAGE_SIZE)
        check_eq(leaf(va) & (PTE_P | PTE_RW), PTE_P);
    check_eq(leaf(stack - 8) & (PTE_P | PTE_RW | PTE_NX), PTE_P | PTE_RW);
    check_eq(leaf(front_boot_regs.rsi) & (PTE_P | PTE_RW), PTE_P | PTE_RW);
    while ((leaf(stack + spare) & (PTE_P | PTE_RW)) == (PTE_P | PTE_RW))
        spare += FRONT_PAGE_SIZE;
    check(spare >= 512 * 1024, "only %lu KiB are mapped after the stack", spare / 1024);
    check_eq((stack + spare) & 0x3fffff, 0);
    /* A store to a table faults as a write to a present page, seen from kernel mode. */
    check_eq(front_try_write((void *)tables, 0), PF(3));
    check_eq(front_fault_cr2(), tables);
}

static void frames(void)
{
    u64 last = front_nr_pages - 1;

    for (u64 pfn = 0; pfn < front_nr_pages; pfn++) {
        if (!check(front_mfn_to_pfn(front_p2m[pfn]) == pfn, "pfn %lx: mfn %lx: pfn %lx", pfn,
                   front_p2m[pfn], front_mfn_to_pfn(front_p2m[pfn])))
            break;
    }
    front_p2m[last] = front_p2m[last]; /* the list itself is writable to its end */
    /* The root is pinned already: unpinning it once is allowed, pinning it again restores it. */
    check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, front_root_mfn()), 0);
    check_eq(front_mmuext1(MMUEXT_PIN_L4_TABLE, front_root_mfn()), 0);
}

void guest_test(void)
{
    check_eq(dirty_at, 0);
    registers();
    fields();
    initial_map();
    frames();
    check_eq(front_vcpu_info(0)->evtchn_upcall_mask, 1);
    check(front_time_ns() > 0, "the clock page is not valid at boot");
}
