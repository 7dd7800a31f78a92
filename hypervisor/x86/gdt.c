/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables as the CPU sees them: a window of 16 pages for the GDT (the guest's up to 14
 * frames, then our page) and 16 pages for the LDT, per CPU, so that loading another guest's tables
 * is a change of window entries. GDTR never changes after bring-up.
 *
 * Frames in the windows are typed as descriptors by pv/, entries forced to ring 3 (MM-24). Absent
 * GDT frames show a page of zeros: a selector there gives #GP as it should.
 */
#include <tenue/vcpu.h>

#include "asm.h"
#include "lib.h"
#include "machine.h"
#include "spec.h"

#define OUR_PAGE FIRST_RESERVED_GDT_PAGE
#define OUR_ENTRY(sel) (((sel)-FIRST_RESERVED_GDT_BYTE) / 8)

#define DESC_CODE64_R0 0x00af9b000000ffffull
#define DESC_DATA_R0 0x00cf93000000ffffull
#define DESC_CODE32_R3 0x00cffb000000ffffull
#define DESC_DATA_R3 0x00cff3000000ffffull
#define DESC_CODE64_R3 0x00affb000000ffffull
#define SYS_TSS_AVAILABLE 0x9ull
#define SYS_LDT 0x2ull

static uint64_t zero_page[512] __attribute__((aligned(4096)));

static void set_system_descriptor(uint64_t *slot, uint64_t type, uint64_t base, uint32_t limit)
{
    slot[1] = base >> 32;
    slot[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | type << 40 | 1ull << 47 |
              (uint64_t)(limit >> 16 & 0xf) << 48 | (base >> 24 & 0xff) << 56;
}

static void fill_our_page(struct pcpu *c)
{
    uint64_t *g = c->gdt_page;

    g[OUR_ENTRY(SEL_HV_CS)] = DESC_CODE64_R0;
    g[OUR_ENTRY(SEL_HV_DS)] = DESC_DATA_R0;
    g[OUR_ENTRY(FLAT_RING3_CS32)] = DESC_CODE32_R3;
    g[OUR_ENTRY(FLAT_RING3_DS32)] = DESC_DATA_R3;
    g[OUR_ENTRY(FLAT_RING3_CS64)] = DESC_CODE64_R3;
    set_system_descriptor(&g[OUR_ENTRY(SEL_TSS)], SYS_TSS_AVAILABLE, (uint64_t)&c->entry.tss,
                          sizeof(c->entry.tss) - 1);
}

/* Window entries are not global: the root load of a context switch flushes what it replaced. */
#define PTE_WINDOW_RW (PTE_HV_RW & ~PTE_G)
#define PTE_WINDOW_RO (PTE_HV_RO & ~PTE_G)

/* frames where there are any, else empty. */
static void window_fill(uint64_t *window, const mfn_t *frames, unsigned n, uint64_t empty)
{
    for (unsigned i = 0; i < n; i++) {
        const bool shown = frames != NULL && !mfn_is_none(frames[i]);

        window[i] = shown ? mfn_to_maddr(frames[i]).a | PTE_WINDOW_RW : empty;
    }
}

static void ldt_load(struct pcpu *c, const struct pv_vcpu *pv)
{
    c->ldt_live = (uint16_t)(pv ? pv->ldt_entries : 0);
    window_fill(c->ldt_window, c->ldt_live ? pv->ldt_frames : NULL, WINDOW_PAGES, 0);
    if (c->ldt_live == 0) {
        lldt(0);
        return;
    }
    set_system_descriptor(&c->gdt_page[OUR_ENTRY(SEL_LDT)], SYS_LDT,
                          c->window_virt + WINDOW_PAGES * PAGE_SIZE, c->ldt_live * 8u - 1);
    lldt(SEL_LDT);
}

void gdt_load_guest(struct pcpu *c, const struct pv_vcpu *pv)
{
    window_fill(c->gdt_window, pv ? pv->gdt_frames : NULL, GDT_GUEST_FRAMES,
                ((uint64_t)zero_page - HV_VIRT_BASE) | PTE_WINDOW_RO);
    if (c->ldt_live != 0 || (pv && pv->ldt_entries != 0))
        ldt_load(c, pv);
    if (spec_has(SPEC_PTI))
        isolation_copy_windows(c);
}

void hal_descriptors_changed(void)
{
    gdt_load_guest(this_pcpu(), &this_cpu()->current->pv);
    hal_tlb_flush_local();
}

/* Once this CPU's windows have page tables (paging.c). Reloads every segment register of ours. */
void gdt_init_cpu(struct pcpu *c)
{
    uint64_t va = PERCPU_VIRT + (uint64_t)c->cpu.id * PERCPU_STRIDE + PERCPU_GDT_OFF;
    const struct table_register gdtr = {(OUR_PAGE + 1) * PAGE_SIZE - 1, va};
    const uint64_t block = (uint64_t)c;

    c->window_virt = va;
    c->gdt_window = paging_l1_of(va);
    c->ldt_window = paging_l1_of(va + WINDOW_PAGES * PAGE_SIZE);
    c->entry.tss = (struct tss){.iobmp = sizeof(struct tss)};
    c->entry.tss.rsp[0] = pcpu_regs_top(c);
    c->entry.tss.ist[IST_NMI - 1] = block + BLOCK_NMI_TOP;
    c->entry.tss.ist[IST_MC - 1] = block + BLOCK_MC_TOP;
    c->entry.tss.ist[IST_DF - 1] = block + BLOCK_DF_TOP;
    c->entry.tss.ist[IST_DB - 1] = block + BLOCK_DB_TOP;
    if (c->gdt_page == NULL) /* the boot CPU's: before the allocator is up */
        c->gdt_page = mfn_to_ptr(maddr_to_mfn(early_alloc(PAGE_SIZE, PAGE_SIZE)));
    memset(c->gdt_page, 0, PAGE_SIZE);
    c->gdt_window[OUR_PAGE] = mfn_to_maddr(ptr_to_mfn(c->gdt_page)).a | PTE_HV_RW;
    fill_our_page(c);
    gdt_load_guest(c, NULL); /* never looked at so far */
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %2, %%ss\n\t"
                     "lldt %w3\n\t"
                     "ltr %w4" ::"m"(gdtr),
                     "i"((uint64_t)SEL_HV_CS), "r"(0), "r"(0), "r"(SEL_TSS)
                     : "rax", "memory");
}
