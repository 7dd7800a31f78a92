/* SPDX-License-Identifier: MIT */
/*
 * Page-table isolation (SPEC-1), for CPUs on which a guest could read what its tables map for us
 * alone. While a guest runs, CR3 holds a root of the CPU's own: the guest's slots copied from the
 * guest's L4, the machine-to-physical table if that root shows it, and of ours what an entry needs
 * before it loads the full root: the pages of entry.S and isolation.S, the IDT, the descriptor
 * windows, the CPU's entry page, SYSCALL stub and interrupt stacks. The exits load that root, the
 * entries the full one, whose address is in the entry page.
 *
 * Nothing of ours is global then (CR4.PGE is off): translations would outlive the change of root.
 *
 * The copy is taken at every load of a root and at every full flush; a change of an L4 entry
 * flushes the CPUs that have that root (hal_root_changed). Accessed bits that the CPU sets in a
 * copy do not reach the guest's L4.
 *
 * Locks: none; a CPU's root is its own. Tables are made at bring-up.
 */
#include <tenue/vcpu.h>

#include "lib.h"
#include "machine.h"
#include "spec.h"

extern uint8_t entry_text_start[], entry_text_end[];

/* As the full root maps them. */
static void show(struct pcpu *c, uint64_t from, uint64_t to)
{
    for (uint64_t va = from; va < to; va += PAGE_SIZE)
        *paging_entry(c->guest_l4, va, 1, PTE_HV_TABLE) = *paging_l1_of(va);
}

void isolation_copy_windows(struct pcpu *c)
{
    if (c->guest_window == NULL)
        return; /* coming up */
    memcpy(c->guest_window, c->gdt_window, 2 * WINDOW_PAGES * sizeof(uint64_t));
}

void isolation_copy_root(struct pcpu *c, mfn_t root)
{
    const uint64_t *l4 = mfn_to_ptr(root);
    const unsigned after = HV_L4_FIRST + HV_L4_COUNT;

    memcpy(c->guest_l4, l4, (HV_L4_FIRST + 1) * sizeof(*l4));
    memcpy(c->guest_l4 + after, l4 + after, (512 - after) * sizeof(*l4));
}

void isolation_init_cpu(struct pcpu *c)
{
    const uint64_t block = (uint64_t)c;

    c->guest_l4 = paging_table(&c->entry.guest_cr3, 0);
    show(c, (uint64_t)entry_text_start, (uint64_t)entry_text_end);
    show(c, (uint64_t)idt, (uint64_t)idt + PAGE_SIZE);
    show(c, block + BLOCK_ENTRY_OFF, block + BLOCK_ENTRY_TOP);
    show(c, block + BLOCK_STUB_OFF, block + BLOCK_STUB_OFF + PAGE_SIZE);
    show(c, block + BLOCK_NMI_TOP - PAGE_SIZE, block + BLOCK_DB_TOP);
    c->guest_window = paging_entry(c->guest_l4, c->window_virt, 1, PTE_HV_TABLE);
    isolation_copy_windows(c);
    c->entry.full_cr3 = mfn_to_maddr(c->cpu.root).a;
    c->entry.tss.rsp[0] = block + BLOCK_ENTRY_TOP;
}
