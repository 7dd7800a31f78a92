/* SPDX-License-Identifier: MIT */
/*
 * The fake machine: CPUs, RAM and TLBs as data, under the same CORE and PV objects that run on
 * metal. RAM is one arena whose first page is frame 0, so page tables in it are real; the TLBs
 * are adversarial: they keep every translation they ever saw until they are flushed.
 *
 * One host thread plays all CPUs: fake_on_cpu() says which one runs. Nothing waits, so a wait that
 * does not end at once (hal_spin_wait) is reported as a hang.
 */
#ifndef TENUE_FAKE_H
#define TENUE_FAKE_H

#include <tenue/abi.h>
#include <tenue/domain.h>
#include <tenue/frame.h>
#include <tenue/hal.h>
#include <tenue/hypercall.h>
#include <tenue/page.h>
#include <tenue/pagetype.h>
#include <tenue/vcpu.h>

#define FAKE_CPUS 4u
#define FAKE_FRAMES 8192u       /* RAM unless fake_frames says otherwise: 32 MiB */
#define FAKE_MMIO_FRAME 0x9000u /* beyond RAM: devices; +1 is ours, +2 is read-only */

struct fake_counts {
    unsigned full_flushes, tag_flushes, invlpgs, root_loads, preempt_polls, spins;
};

extern struct fake_counts fake_counts;
/* Translations are tagged: loads of CR3 say whether they flush (pv/tags.c). Empties all TLBs. */
void fake_tags(bool on);
/* Frames of RAM; to be set before fake_machine_init(). The first 256 are never given out. */
extern unsigned fake_frames;
/* The n-th allocation of memory from now on fails, and none after it; 0: none does. */
extern unsigned fake_fail_alloc;
/* Every n-th look at pending work finds some; 0: never. */
extern unsigned fake_preempt_every;
/* Log lines go to stderr too. */
extern bool fake_verbose;
/* What the hypervisor's clock says; tests move it. */
extern ns_t fake_time;
extern ns_t fake_timer[FAKE_CPUS]; /* what each CPU's one-shot timer was last told */

/* What the metal was told or asked, and what it answers; tests set and read it freely. */
struct fake_port_access {
    uint16_t port;
    uint8_t bytes;
    bool out;
    uint32_t value;
};
#define FAKE_PORT_LOG 256u
extern struct fake_metal {
    uint16_t selectors[4]; /* in force: ds, es, fs, gs */
    uint16_t gs_user_sel;  /* the last one loaded */
    bool ts;
    bool fast_paths; /* as last told */
    unsigned cr4_changes, debugreg_changes, wbinvds, swapgs, msr_reads, msr_writes;
    bool msrs_exist;                              /* hal_rdmsr_safe and hal_wrmsr_safe succeed */
    struct fake_port_access ports[FAKE_PORT_LOG]; /* the first ones */
    unsigned port_count;
    uint32_t port_value; /* what every port reads, cut to width */
    /* A device in PCI configuration space: reads, or writes *out. NULL: none but the ports. */
    uint32_t (*pci)(uint32_t address, unsigned offset, unsigned bytes, const uint32_t *out);
    uint32_t device[1024]; /* the device page at FAKE_MMIO_FRAME */
    unsigned msi_routes, msi_routes_max;
    /* The hardware's CPUID; NULL: zeroes. */
    void (*cpuid)(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
    /* Its MSRs; NULL: as msrs_exist says. */
    bool (*rdmsr)(uint32_t msr, uint64_t *value);
    bool (*wrmsr)(uint32_t msr, uint64_t value);
    /* Hostile memory: called after each successful read of guest memory. */
    void (*after_guest_read)(uint64_t va, uint64_t bytes);
    /* Other CPUs: called at each preemption point, where no lock is held; and before a reference
     * with its type is taken by name. */
    void (*at_preempt_point)(void);
    void (*before_get_and_type)(void);
    /* The same after a block of memory was taken, and when a flush of TLBs is over; once each. */
    void (*after_heap_take)(void);
    void (*after_flush)(void);
    void (*at_idle)(void);          /* instead of idling a millisecond away */
    void (*wait_for)(unsigned cpu); /* somebody waits for that CPU to give up its vcpu */
} fake_metal;
/* Back to what it was at the start. */
void fake_metal_reset(void);
void fake_once(void (**hook)(void)); /* calls it and forgets it */

/* Once per process: CPUs, RAM, the control domain (domid 0, no frames, one vcpu). */
void fake_machine_init(void);
/* A machine without domains, the control domain included, and with a new one. */
void fake_control_end(void);
struct domain *fake_control_begin(unsigned vcpus);
/* The text logged since the last call, at most 4 KiB of it. */
const char *fake_log_take(void);
/* When the machine halts or reboots: called with what was logged last, so that a fuzzer can tell a
 * control domain that gave up from a panic, and jump away. Unset, or returning: the process aborts.
 */
extern void (*fake_on_end)(const char *said);

void fake_on_cpu(unsigned cpu);
/* Load v on this CPU, as the scheduler would (v must be on no other). NULL: unload. */
void fake_run(struct vcpu *v);
/* Nobody runs on CPU 0 any more, nor waits for the end of a turn there (all its domains are
 * paused). */
void fake_stop_turns(void);

/* --- domains --- */
/* A domain of `vcpus` vcpus and at most max_frames frames, not running, without frames. */
struct domain *fake_domain(uint16_t domid, unsigned vcpus, uint32_t max_frames);
/* Kill d to the end: all stages and the reaper. False when it is still there. */
bool fake_destroy(struct domain *d);
/* Let every CPU do its deferred work, some seconds long. */
void fake_settle(void);
/* Let the reaper work; true when only the control domain is left. */
bool fake_domains_gone(void);

/* --- a small guest: frames and tables it can run on --- */
#define GUEST_FRAMES 64u
#define GUEST_BASE 0xffffffff80000000ull /* frame i is mapped at GUEST_BASE + i pages */
struct guest {
    struct domain *d;
    mfn_t frames[GUEST_FRAMES];
    /* Indices of frames that are its tables; all others are plain, mapped writable. */
    unsigned l4, l3, l2, l1, user_l4;
};
/* Give d GUEST_FRAMES frames, map them all (tables read-only), pin l4, make it every vcpu's root.
 */
void guest_init(struct guest *g, struct domain *d);
static inline uint64_t guest_va_at(unsigned frame)
{
    return GUEST_BASE + (uint64_t)frame * PAGE_SIZE;
}
static inline uint64_t guest_maddr(const struct guest *g, unsigned frame)
{
    return mfn_to_maddr(g->frames[frame]).a;
}
uint64_t *guest_ptr(const struct guest *g, unsigned frame); /* contents, as hypervisor memory */
/* Contents of a domain's frame that is about to be written as if through a writable mapping, which
 * must have existed: then nobody takes the frame for one that was never written. */
uint64_t *fake_written(mfn_t m);

/* --- doing things as the guest --- */
/* A hypercall by the current vcpu, issued again as long as it is restarted. */
long fake_hypercall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3);
/* Restarts the last hypercall needed; called at each, when set. */
extern unsigned fake_restarts;
extern void (*fake_on_restart)(void);
/* The call is not issued again after this many restarts; 0: always. The guest forgot about it. */
extern unsigned fake_abandon_after;
/* A load or store of 8 bytes by the current vcpu, through its TLB; false: page fault. */
bool fake_load(uint64_t va, uint64_t *value);
bool fake_store(uint64_t va, uint64_t value);

/* --- what must hold --- */
/* Stale translations that would let a guest reach what it may not: number of violations. */
unsigned fake_tlb_audit(void);
/* Frames in a CPU's descriptor windows that are not held as descriptor frames (MM-24). */
unsigned fake_window_audit(void);
/* Frames that reached a domain without having been cleared (MM-12), and bytes that nobody ever set
 * which were copied to a guest (HC-3; in builds that fill new stack variables), since last asked.
 */
unsigned fake_leak_audit(void);
/* Every frame of the machine is free, a domain's, or one that a domain's structures explain, each
 * by one (LC-4). */
unsigned fake_balance_audit(void);
/* What the hypervisor has now beyond its domains is its own for good. */
void fake_memory_baseline(void);
/* All audits: 0 when all is well. */
unsigned fake_audit(void);

#endif
