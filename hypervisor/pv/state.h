/* SPDX-License-Identifier: MIT */
/*
 * Private to pv/ (and read by x86/): bits of the guest's view of CPU state, and the setters shared
 * between hypercalls, emulation and context load, so that there is one sanitiser of each (LC-9).
 */
#ifndef TENUE_PV_STATE_H
#define TENUE_PV_STATE_H

#include <tenue/abi.h>
#include <tenue/vcpu.h>

#define PV_TRAPS 256u

/* Not canonical, nor is anything near it: whoever writes a frame there faults. */
#define PV_ENTRY_FRAME_NONE (1ull << 63)

#define PV_CR4_FIXED (CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT)
/* What a guest may toggle. */
#define PV_CR4_GUEST (CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE)

/* Flags a guest may choose; the rest has one legal value in ring 3 (ENT-3). */
#define PV_EFLAGS_GUEST (0xcd5ull | EFLAGS_TF | EFLAGS_RF | EFLAGS_AC | EFLAGS_ID)

/* vm_assist types that may be enabled. */
#define PV_VM_ASSIST_OFFERED                                                                       \
    (1ull << VMASST_TYPE_4gb_segments | 1ull << VMASST_TYPE_4gb_segments_notify |                  \
     1ull << VMASST_TYPE_writable_pagetables | 1ull << VMASST_TYPE_pae_extended_cr3 |              \
     1ull << VMASST_TYPE_architectural_iopl | 1ull << VMASST_TYPE_runstate_update_flag |           \
     1ull << VMASST_TYPE_m2p_strict)

/* Is virtual IOPL kept in the guest's own flags (iret sets it, frames show it)? */
static inline bool pv_iopl_is_architectural(const struct vcpu *v)
{
    return v->domain->pv.vm_assist & 1ull << VMASST_TYPE_architectural_iopl;
}
/* May v, in its present mode, use ports and the interrupt flag? A guest kernel counts as ring 1, as
 * ring 0 when its flags are architectural. */
static inline bool pv_iopl_ok(const struct vcpu *v)
{
    if (!v->pv.kernel_mode)
        return v->pv.iopl == 3;
    return v->pv.iopl >= 1 || pv_iopl_is_architectural(v);
}

static inline uint64_t pv_eflags_sanitise(uint64_t flags)
{
    return (flags & PV_EFLAGS_GUEST) | EFLAGS_FIXED | EFLAGS_IF;
}

/* The guest's CR0.TS, of v which is current. */
static inline void pv_set_ts(struct vcpu *v, bool ts)
{
    v->pv.cr0_guest = ts ? CR0_TS : 0;
    hal_set_ts(ts);
}

bool pv_canonical(uint64_t a);
/* False: address refused, nothing stored. */
bool pv_trap_entry_set(struct vcpu *v, const struct trap_info *ti) must_check;
/* Set the stack for entries from user mode. False: address refused, nothing stored. */
bool pv_entry_stack_set(struct vcpu *v, uint64_t ss, uint64_t sp) must_check;
/* d's vm_assist changed: what its vcpus keep of it. */
void pv_assists_changed(struct domain *d);
/* 0, -XEN_EPERM (value not allowed), -XEN_EINVAL (no such register). */
int pv_debugreg_set(struct vcpu *v, unsigned reg, uint64_t value) must_check;
int pv_debugreg_get(struct vcpu *v, unsigned reg, uint64_t *value) must_check;
/* The guest's view after writing cr4: what it may not change keeps its value. */
uint64_t pv_cr4_merge(uint64_t cr4);

/* Guest kernel <-> guest user: GS bases change places, the other root is loaded. From kernel to
 * user only with a user root installed (ENT-15; the caller checked). */
void pv_toggle_mode(struct vcpu *v);

/* cpuid.c: make the answers that pv_cpuid() looks up; while no vcpu runs. */
void pv_cpuid_prepare(void);
/* What all vcpus get, made anew. */
void pv_cpuid_compute(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/*
 * regs->entry_vector when RCX and R11 are dead for the guest, so that SYSRET may load RIP and
 * RFLAGS through them: after a hypercall, and into every handler entered by a frame. Any other
 * value: all registers must be restored.
 */
#define PV_EXIT_SYSRET_OK 0x100u
/* The same, in a hypercall under way of which only the registers that it may change are saved with
 * their final meaning: hal_guest_regs() completes the frame and makes it the above. */
#define PV_EXIT_HYPERCALL 0x102u

/* Enter the guest's handler for vector, or crash the domain when it has none. */
#define PV_NO_ERROR (~0ull) /* for error: the frame has no error code */
void pv_inject(struct cpu_user_regs *regs, uint8_t vector, uint64_t error);
void pv_inject_page_fault(struct cpu_user_regs *regs, uint64_t cr2, uint32_t error);

/* emul.c: true when the instruction was executed on the guest's behalf. */
bool pv_emulate_privileged(struct cpu_user_regs *regs);
/* The vector of an `int n` at RIP (and its length in bytes), or -1. */
int pv_decode_int_n(const struct cpu_user_regs *regs, unsigned *len);

/* ptwr.c: true when a store to a read-only L1 table was carried out. */
bool pv_emulate_table_store(struct cpu_user_regs *regs, uint64_t va);

/* msr.c */
bool pv_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);
bool pv_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);

/* port.c: may this vcpu, in its present mode, use count ports from port; and the access. */
bool pv_port_allowed(struct vcpu *v, uint16_t port, unsigned bytes);
uint32_t pv_port_in(struct domain *d, uint16_t port, unsigned bytes);
void pv_port_out(struct domain *d, uint16_t port, unsigned bytes, uint32_t value);

#endif
