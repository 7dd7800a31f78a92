/* SPDX-License-Identifier: MIT */
/*
 * What the files of the machine layer offer each other. What core and pv may ask is hal.h.
 */
#ifndef TENUE_X86_MACHINE_H
#define TENUE_X86_MACHINE_H

#include <tenue/abi.h>
#include <tenue/assert.h>
#include <tenue/bootinfo.h>
#include <tenue/frame.h>
#include <tenue/spec.h>
#include <tenue/timer.h>

#include "pcpu.h"

/* tenue.lds.S, boot.S */
extern uint8_t image_start[], image_rodata[], image_data[], image_end[], boot_block[];

/* option.c: what the command line said; read once bring-up is under way. */
struct x86_options {
    bool smep, smap, umip, pcid;
    bool fastpaths; /* fast.S may be used */
    unsigned maxcpus;
    bool serial;          /* console= names a port (or was not given) */
    unsigned serial_port; /* 0: com1, 1: com2 */
    char com[2][40];      /* com1=, com2= as given */
    bool pm_timer;        /* clocksource=acpi: rather than HPET */
};
extern struct x86_options x86_options;

/* multiboot.c */
void multiboot_parse(uint32_t magic, uint64_t info);
/* Whole pages of boot_info.e820[i] that we can reach. False: it is no RAM, or has none. */
bool ram_range(unsigned i, uint64_t *start, uint64_t *end);

/* bootmem.c: RAM before the frame allocator */
void bootmem_init(void);
extern uint64_t bootmem_reachable; /* what the page tables of the moment map ends here */
/* size bytes, aligned; ends the boot with a message when there is none. */
maddr_t early_alloc(uint64_t size, uint64_t align);
bool early_alloc_open(void);
/* Give what is left to the frame allocator. */
void early_alloc_finish(void);
/* And the boot modules' frames, once nobody reads them any more. */
void bootmem_give_modules(void);

/* paging.c */
/* Leaves of ours, global: every root has the same (MM-17). Accessed and dirty are set beforehand.
 */
#define PTE_HV_RW (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_G | PTE_NX)
#define PTE_HV_RO (PTE_P | PTE_A | PTE_G | PTE_NX)
#define PTE_HV_RX (PTE_P | PTE_A | PTE_G)
#define PTE_HV_TABLE (PTE_P | PTE_RW | PTE_A)
/* The guests' read-only view of the machine-to-physical table: not global, since user roots do not
 * show it, and a guest's user must not find what its kernel's accesses left cached. */
#define PTE_M2P_TABLE (PTE_P | PTE_US | PTE_A)
#define PTE_M2P_LEAF (PTE_P | PTE_US | PTE_A | PTE_NX)
void paging_init(void);
enum map_cache { MAP_WB, MAP_UC };
/* Map [ma, ma + size) for us, for ever; any byte address. */
volatile void *map_device(uint64_t ma, uint64_t size, enum map_cache cache);
/* The table that entry names, made when it is 0. */
uint64_t *paging_table(uint64_t *entry, uint64_t table_flags);
/* The entry for va at that level under l4; tables are made on the way. */
uint64_t *paging_entry(uint64_t *l4, uint64_t va, unsigned level, uint64_t table_flags);
/* The L1 entry of one of our addresses that is mapped by 4 KiB pages. */
uint64_t *paging_l1_of(uint64_t va);
/* Build CPU cpu's area from 16 contiguous frames: its block's address. */
struct pcpu *paging_map_block(unsigned cpu, mfn_t first);
extern mfn_t hv_root;

/* acpi.c */
struct pv_vcpu;

struct acpi_info {
    uint32_t cpu_apic_ids[MAX_CPUS];
    unsigned cpus;
    struct ioapic {
        volatile uint32_t *mmio; /* [0] index, [4] data; ioapic.c */
        uint64_t addr;
        unsigned gsi_base, pins;
    } ioapics[8];
    unsigned ioapic_count;
    struct acpi_override {
        uint32_t gsi;
        uint32_t mode; /* IOAPIC_LEVEL, IOAPIC_ACTIVE_LOW */
        uint8_t irq;
    } overrides[16];
    unsigned override_count;
    uint64_t lapic_addr;
    uint64_t hpet_addr; /* 0: none */
    uint16_t pm_timer_port, pm1a_port, pm1b_port;
    bool pm_timer_32bit;
    uint16_t reset_port;
    uint8_t reset_value;
};
extern struct acpi_info acpi;
void acpi_init(void);

/* gdt.c, idt.c, cpu.c, fpu.c: per CPU, on that CPU */
void gdt_init_cpu(struct pcpu *c);
/* pv NULL: nobody's. The caller loads a root afterwards, and no selector before that. */
void gdt_load_guest(struct pcpu *c, const struct pv_vcpu *pv);
void idt_init(void);
/* Again after a change of what entries have to do (isolation.c, spec.c). */
void idt_load_cpu(struct pcpu *c);
extern struct gate {
    uint64_t lo, hi;
} idt[256]; /* a page */
void cpu_detect(void);
void cpu_init(struct pcpu *c);
void fpu_init(struct pcpu *c); /* boot CPU: what there is to switch */
void xcr0_load(struct pcpu *c, uint64_t v);

/* copy.S. False: the selector cannot be loaded, and null was. */
bool load_ds(uint16_t sel);
bool load_es(uint16_t sel);
bool load_fs(uint16_t sel);
bool load_gs(uint16_t sel);

struct cpu_features {
    enum spec_vendor vendor;
    bool xsave, xsaveopt, rdtscp, x2apic, sysenter;
    bool fx_leaks_pointers; /* FXSAVE keeps no x87 pointers without a pending exception (REG-2) */
};
extern struct cpu_features cpu_features;
static inline bool cpu_is_amd(void)
{
    return cpu_features.vendor == SPEC_AMD || cpu_features.vendor == SPEC_HYGON;
}
extern uint64_t host_cr4;

/* fpu.c */
struct hal_vcpu;
void fpu_save(struct pcpu *c, struct hal_vcpu *h);
void fpu_load(struct pcpu *c, struct hal_vcpu *h, uint64_t xcr0);

/* apic.c, ioapic.c, irq.c */
void apic_init(void);
void apic_init_cpu(void);
void apic_eoi(void);
void apic_send(unsigned cpu, uint8_t vector);
void apic_timer_set(uint32_t ticks);
uint32_t apic_timer_count(void);
#define APIC_INIT (5u << 8)
#define APIC_STARTUP (6u << 8) /* and the page to start at */
void apic_command(uint32_t apic_id, uint32_t command);
unsigned ioapic_init(void); /* how many GSIs there are */
#define IOAPIC_ACTIVE_LOW (1u << 13)
#define IOAPIC_LEVEL (1u << 15)
#define IOAPIC_MASKED (1u << 16)
/* Write GSI's entry: vector and these bits; destination this CPU. */
void ioapic_route(unsigned gsi, uint32_t entry);
void ioapic_mask(unsigned gsi, bool masked);
/* Ours: GSI irq (ISA number) delivered to fn. */
void irq_claim_isa(uint8_t irq, void (*fn)(void));
void irq_init(void);

/* clock.c */
void clock_init(void);

/* serial.c */
void serial_init(void);
void serial_start_receive(void);
bool serial_owns_port(uint16_t port);

/* power.c */
void spin_ns(ns_t ns);

/* tlb.c, smp.c */
void tlb_answer_requests(void);
void unload_answer_request(void);
void smp_init(void);
noreturn_fn void cpu_run(void); /* the rest of this CPU's life */

/* Where a guest's registers lie, whatever of them has been saved. */
static inline struct cpu_user_regs *guest_frame(void)
{
    return (struct cpu_user_regs *)((uint8_t *)this_cpu() + BLOCK_STACK_TOP) - 1;
}

/* trap.c: also from entry.S */
unsigned trap_from_hv(struct cpu_user_regs *regs);

/* copy.S, extable.c */
struct extable_entry {
    uint64_t fault, fixup;
};
uint64_t extable_fixup(uint64_t rip);
void extable_selftest(void);

#endif
