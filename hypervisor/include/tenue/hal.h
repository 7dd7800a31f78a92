/* SPDX-License-Identifier: MIT */
/*
 * All that core and pv may ask of the machine. Implemented by x86/ on metal and by
 * tests/unit/fake/ in the hosted build. Everything is callable with interrupts off; nothing here
 * takes a lock of a rank below RANK_IRQ. "Current" is this_cpu()->current.
 *
 * The hypervisor runs with interrupts off. They are taken only in hal_preempt_point(), in
 * hal_idle() and while a guest runs.
 */
#ifndef TENUE_HAL_H
#define TENUE_HAL_H

#include <tenue/abi.h>
#include <tenue/bootinfo.h>
#include <tenue/frame.h>
#include <tenue/percpu.h>
#include <tenue/timer.h>
#include <tenue/tlb.h>

struct vcpu;
struct domain;

/* --- running vcpus --- */
struct hal_vcpu;
void hal_vcpu_init(struct hal_vcpu *h); /* a page, of zeros: FPU in its init state */
/*
 * Make next current: save the outgoing current's registers, segments, FPU (REG-1), debug and CR
 * state into it (if any and if it is another vcpu), load next's, its GDT/LDT window, root and CR4.
 * Sets this_cpu()->current and both is_running fields. On return hal_guest_regs() are next's.
 */
void hal_context_switch(struct vcpu *next);
/* Save current's state into it and load the hypervisor's own root: nothing of it stays lazily. */
void hal_unload_current(void);
/* Have CPU cpu do hal_unload_current() if it keeps v lazily (it idles); waits. */
void hal_unload_remote(unsigned cpu, struct vcpu *v);
/* Live registers of the current vcpu (top of this CPU's stack). */
struct cpu_user_regs *hal_guest_regs(void);
/* Halt until an interrupt, unless softirqs are pending; interrupts are taken inside. */
void hal_idle(void);
/* Take pending interrupts now. True when softirqs are pending afterwards: the caller of a long
 * operation then saves its progress and returns. Never call with a lock held. */
bool hal_preempt_point(void);
/* The same for what cannot stop half-way: interrupts do not wait, whoever wants the CPU does. */
void hal_take_interrupts(void);
/* In every spin loop: answers flush requests of other CPUs, then relaxes. */
void hal_spin_wait(void);
void hal_send_softirq_ipi(unsigned cpu);
/* May guests on this CPU use entries and exits that pass no hook of account.h? */
void hal_fast_paths(bool allowed);

/* --- state of the current vcpu that the CPU holds --- */
/* As their MSRs follow each other. */
enum hal_segbase { HAL_FS_BASE, HAL_GS_BASE, HAL_GS_BASE_INACTIVE };
uint64_t hal_segbase_read(enum hal_segbase which);
void hal_segbase_write(enum hal_segbase which, uint64_t base); /* canonical, checked by caller */
void hal_swapgs(void); /* active and inactive GS base change places: guest user <-> kernel */
/* Load the *inactive* (user) GS selector and the base its descriptor gives; kernel's active base
 * survives. A bad selector loads null. */
void hal_load_gs_user_sel(uint16_t sel);
void hal_read_selectors(struct cpu_user_regs *r); /* ds, es, fs, gs of r: those in force */
/* Current's pv.gdt_* or pv.ldt_* changed: show what they name now, and nothing else any more. */
void hal_descriptors_changed(void);
void hal_set_ts(bool ts);       /* next FPU use by the guest raises #NM */
void hal_cr4_changed(void);     /* current's pv.cr4_guest changed (ENT-11) */
bool hal_xsetbv(uint64_t xcr0); /* validated against what we context-switch; false: refuse (#GP) */
extern uint64_t hal_xcr0_supported; /* 0: no XSAVE */
void hal_debugreg_changed(void);    /* current's pv.debugreg[] changed */

/* --- roots and TLBs (MM-4, MM-5, MM-18) --- */
/* Load root m (an L4 carrying our template slots, or MFN_NONE for our own root); flushes this CPU's
 * non-global translations and stamps it. Records it in this_cpu()->root. */
void hal_load_root(mfn_t m);
/* From one root of the current vcpu to its other one, or back. What is cached of either may stay.
 */
void hal_switch_root(mfn_t m);
/* An entry of L4 m was changed: CPUs that run guests on copies of it take the change. No locks
 * held. */
void hal_root_changed(mfn_t m);
void hal_tlb_flush_local(void);
/* Full non-global flush / one page on all CPUs in mask, this one included; returns when done. */
void hal_tlb_flush(cpumask_t mask);
void hal_invlpg(cpumask_t mask, uint64_t va);
/* Our entries for L4 slots 256..271 (HV_L4_FIRST..): what every loadable root holds (MM-17). */
#define HV_L4_FIRST 256u
#define HV_L4_COUNT 16u
extern const uint64_t *hal_root_template; /* by slot */
/* Machine-to-physical table: writable view for us; read-only for guests at MACH2PHYS_VIRT_START.
 * Entries [0, hal_m2p_entries). */
extern uint64_t *hal_m2p;
extern uint64_t hal_m2p_entries;

/* --- guest memory (guestmem.c only) --- */
/* Copy with fault recovery; ranges already checked to lie in guest space. Bytes NOT copied. */
uint64_t hal_copy_from_guest(void *dst, uint64_t src, uint64_t bytes);
uint64_t hal_copy_to_guest(uint64_t dst, const void *src, uint64_t bytes);
/* 8-byte atomic compare-and-swap at a hypervisor address: plain C atomics do; none here. */

/* --- time --- */
ns_t hal_now(void); /* system time, ns, monotonic on this CPU */
/* How pvclock turns TSC into system time on this CPU, as guests read it, of version 0. */
void hal_time_params(struct vcpu_time_info *t);
extern uint32_t hal_tsc_khz;
extern uint64_t hal_wallclock_at_boot; /* UTC seconds at system time 0, from the RTC */
void hal_timer_arm(ns_t deadline);     /* this CPU's next timer interrupt; NS_NEVER: none */

/* --- interrupts and ports, for the control domain --- */
extern unsigned hal_gsi_count;
int hal_gsi_setup(unsigned gsi, bool level, bool active_low) must_check; /* program, masked */
/* GSI_END: of a level interrupt that pirq_interrupt() took; where none is under way, nothing. */
enum hal_gsi_change { GSI_MASK, GSI_UNMASK, GSI_END };
void hal_gsi_change(unsigned gsi, enum hal_gsi_change change);
int hal_ioapic_read(uint64_t physbase, uint32_t reg, uint32_t *value) must_check;
/* A vector for a message: what the device is to write where. Interrupts come as
 * pirq_interrupt(pirq). -XEN_ENOSPC: none is left. */
int hal_msi_route(unsigned pirq, uint64_t *address, uint32_t *data) must_check;
void hal_msi_unroute(unsigned pirq);
/* Configuration space: address as port 0xcf8 takes it, offset 0..3 into the data port. */
uint32_t hal_pci_in(uint32_t address, unsigned offset, unsigned bytes);
void hal_pci_out(uint32_t address, unsigned offset, unsigned bytes, uint32_t value);
/* A page of a device's memory, mapped uncached for good; NULL when there were too many. */
volatile void *hal_device_page(mfn_t m);
uint32_t hal_port_in(uint16_t port, unsigned bytes); /* bytes 1, 2, 4 */
void hal_port_out(uint16_t port, unsigned bytes, uint32_t value);
/* Ports and frames that are ours alone (serial in use, PIC, PIT, timers, APICs, RAM above the first
 * MiB, which is firmware's...). */
bool hal_port_is_ours(uint16_t port);
bool hal_mmio_is_ours(mfn_t m);
bool hal_rdmsr_safe(uint32_t msr, uint64_t *value);
bool hal_wrmsr_safe(uint32_t msr, uint64_t value);
void hal_wbinvd(void);
/* PAT as Xen's PV ABI has it, entry by entry: WB WT UC- UC WC WP UC UC. Guests' PWT, PCD and PAT
 * bits select from it. */
#define HAL_PAT 0x050100070406ull
extern unsigned hal_maddr_bits;   /* physical address width */
extern bool hal_null_clears_base; /* a null selector in FS or GS makes the base zero: not on AMD's
                                     before Zen 2 */
uint32_t hal_cpu_apic_id(unsigned cpu);

/* --- console and the end --- */
void hal_serial_write(const char *s, size_t len);
noreturn_fn void hal_reboot(void);
noreturn_fn void hal_halt(void);
/* Enter an ACPI sleep state with the values the control domain computed; only S5 is offered. */
int hal_acpi_sleep(uint32_t sleep_state, uint32_t pm1a, uint32_t pm1b) must_check;

#endif
