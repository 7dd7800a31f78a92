/* SPDX-License-Identifier: MIT */
/*
 * Birth, context and death of a PV vcpu's and domain's state.
 *
 * Context load goes through the sanitisers of the individual hypercalls (LC-9), so whatever is in
 * struct pv_vcpu can be loaded on a CPU. No locks: the vcpu does not run while its context is
 * set, read or released. Leaves page tables to root.c and the page types.
 */
#include "state.h"

#include "desc.h"
#include "root.h"

#define DESCS_PER_FRAME (PAGE_SIZE / sizeof(uint64_t))
#define HYPERCALL_SLOT 32u
#define HYPERCALL_SLOTS (PAGE_SIZE / HYPERCALL_SLOT)

void pv_vcpu_init(struct vcpu *v)
{
    v->pv = (struct pv_vcpu){
        .kernel_mode = true,
        .root_kernel = MFN_NONE,
        .root_user = MFN_NONE,
        .entry_frame = PV_ENTRY_FRAME_NONE,
        .cr4_guest = PV_CR4_FIXED,
        .xcr0 = XCR0_X87 | XCR0_SSE,
        .debugreg = {[6] = DR6_DEFAULT, [7] = DR7_DEFAULT},
    };
    __builtin_memset(v->pv.gdt_frames, 0xff, sizeof(v->pv.gdt_frames)); /* MFN_NONE */
    __builtin_memset(v->pv.ldt_frames, 0xff, sizeof(v->pv.ldt_frames));
}

/* Whatever can be refused without side effects. */
static bool context_is_sane(const vcpu_guest_context_t *c)
{
    if (!pv_canonical(c->fs_base) || !pv_canonical(c->gs_base_kernel) ||
        !pv_canonical(c->gs_base_user))
        return false;
    if (!guest_addr_ok(c->kernel_sp) || !guest_addr_ok(c->event_callback_eip) ||
        !guest_addr_ok(c->failsafe_callback_eip) || !guest_addr_ok(c->syscall_callback_eip))
        return false;
    if (c->gdt_ents > FIRST_RESERVED_GDT_ENTRY || c->ldt_ents > 8192)
        return false;
    /* Guest user mode needs its root from the first instruction on (ENT-15). */
    return c->flags & VGCF_in_kernel || xen_cr3_to_pfn(c->ctrlreg[1]) != 0;
}

static int set_roots(struct vcpu *v, const vcpu_guest_context_t *c)
{
    int rc = pv_root_set(v, xen_cr3_to_pfn(c->ctrlreg[3]), false);

    return rc ? rc : pv_root_set(v, xen_cr3_to_pfn(c->ctrlreg[1]), true);
}

static int set_tables(struct vcpu *v, const vcpu_guest_context_t *c)
{
    unsigned count = (unsigned)((c->gdt_ents + DESCS_PER_FRAME - 1) / DESCS_PER_FRAME);
    mfn_t frames[GDT_GUEST_FRAMES];
    int rc;

    for (unsigned i = 0; i < count; i++)
        frames[i] = mfn_make(c->gdt_frames[i]);
    rc = pv_set_gdt(v, frames, count, (uint32_t)c->gdt_ents);
    if (rc == 0)
        rc = pv_set_ldt(v, c->ldt_base, (uint32_t)c->ldt_ents);
    for (unsigned i = 0; rc == 0 && i < PV_TRAPS; i++) {
        struct trap_info ti = c->trap_ctxt[i];

        ti.vector = (uint8_t)i;
        if (!pv_trap_entry_set(v, &ti))
            rc = -XEN_EINVAL;
    }
    for (unsigned i = 0; rc == 0 && i < 8; i++)
        if (i != 4 && i != 5)
            rc = pv_debugreg_set(v, i, c->debugreg[i]);
    return rc;
}

static void set_registers(struct vcpu *v, const vcpu_guest_context_t *c)
{
    const bool failsafe_masks = c->flags & VGCF_failsafe_disables_events;
    const bool syscall_masks = c->flags & VGCF_syscall_disables_events;
    struct pv_vcpu *pv = &v->pv;

    v->regs = c->user_regs;
    v->regs.cs |= 3;
    v->regs.ss |= 3;
    v->regs.rflags = pv_eflags_sanitise(c->user_regs.rflags);
    v->regs.entry_vector = 0;
    pv->kernel_mode = c->flags & VGCF_in_kernel;
    pv->iopl = c->user_regs.rflags >> EFLAGS_IOPL_SHIFT & 3;
    pv->fs_base = c->fs_base;
    pv->gs_base_kernel = c->gs_base_kernel;
    pv->gs_base_user = c->gs_base_user;
    pv->event = (struct pv_callback){c->event_callback_eip, true};
    pv->failsafe = (struct pv_callback){c->failsafe_callback_eip, failsafe_masks};
    pv->syscall = (struct pv_callback){c->syscall_callback_eip, syscall_masks};
    /* The structure has no place for the other callbacks: a resumed vcpu's stay. */
    pv->cr0_guest = c->ctrlreg[0] & CR0_TS;
    pv->cr4_guest = pv_cr4_merge(c->ctrlreg[4]);
}

int pv_vcpu_set_context(struct vcpu *v, const vcpu_guest_context_t *ctxt)
{
    int rc;

    if (!context_is_sane(ctxt))
        return -XEN_EINVAL;
    rc = set_roots(v, ctxt);
    if (rc == 0)
        rc = set_tables(v, ctxt);
    if (rc != 0)
        return rc;
    if (!pv_entry_stack_set(v, ctxt->kernel_ss, ctxt->kernel_sp))
        return -XEN_EINVAL;
    set_registers(v, ctxt);
    __atomic_or_fetch(&v->domain->pv.vm_assist, ctxt->vm_assist & PV_VM_ASSIST_OFFERED,
                      __ATOMIC_RELAXED);
    pv_assists_changed(v->domain);
    return 0;
}

void pv_vcpu_get_context(struct vcpu *v, vcpu_guest_context_t *c)
{
    const struct pv_vcpu *pv = &v->pv;

    __builtin_memset(c, 0, sizeof(*c));
    c->user_regs = v->regs;
    c->user_regs.entry_vector = 0;
    c->user_regs.error_code = 0;
    c->user_regs.rflags |= (uint64_t)pv->iopl << EFLAGS_IOPL_SHIFT;
    if (pv->kernel_mode)
        c->flags |= VGCF_in_kernel;
    if (pv->failsafe.mask_events)
        c->flags |= VGCF_failsafe_disables_events;
    if (pv->syscall.mask_events)
        c->flags |= VGCF_syscall_disables_events;
    if (!(READ_ONCE(v->pause_flags) & 1u << VPF_DOWN))
        c->flags |= VGCF_online;
    __builtin_memcpy(c->trap_ctxt, pv->traps, sizeof(c->trap_ctxt));
    c->ldt_base = pv->ldt_base;
    c->ldt_ents = pv->ldt_entries;
    for (unsigned i = 0; i < GDT_GUEST_FRAMES; i++)
        c->gdt_frames[i] = mfn_is_none(pv->gdt_frames[i]) ? 0 : pv->gdt_frames[i].n;
    c->gdt_ents = pv->gdt_entries;
    c->kernel_ss = pv->kernel_ss;
    c->kernel_sp = pv->kernel_sp;
    c->ctrlreg[0] = CR0_OURS | pv->cr0_guest;
    c->ctrlreg[1] = mfn_is_none(pv->root_user) ? 0 : xen_pfn_to_cr3(pv->root_user.n);
    c->ctrlreg[3] = mfn_is_none(pv->root_kernel) ? 0 : xen_pfn_to_cr3(pv->root_kernel.n);
    c->ctrlreg[4] = pv->cr4_guest;
    __builtin_memcpy(c->debugreg, pv->debugreg, sizeof(c->debugreg));
    c->event_callback_eip = pv->event.address;
    c->failsafe_callback_eip = pv->failsafe.address;
    c->syscall_callback_eip = pv->syscall.address;
    c->vm_assist = v->domain->pv.vm_assist;
    c->fs_base = pv->fs_base;
    c->gs_base_kernel = pv->gs_base_kernel;
    c->gs_base_user = pv->gs_base_user;
}

int pv_domain_relinquish(struct domain *d)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpus[i];
        int rc;

        if (v == NULL)
            continue;
        rc = pv_root_release(v);
        if (rc != 0)
            return rc;
        if (pv_release_descriptors(v) && hal_preempt_point())
            return -XEN_ERESTART; /* next time there are none */
    }
    return 0;
}

/*
 * Slot n: push %rcx; push %r11; mov $n,%eax; syscall; pop %r11; pop %rcx; ret. The iret slot pushes
 * RAX too, which completes struct iret_context, and never returns.
 */
void pv_fill_hypercall_page(void *page)
{
    static const uint8_t stub[] = {0x51, 0x41, 0x53, 0xb8, 0,    0,    0,
                                   0,    0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3};
    static const uint8_t iret[] = {0x51, 0x41, 0x53, 0x50, 0xb8, __HYPERVISOR_iret, 0, 0, 0,
                                   0x0f, 0x05, 0xcc, 0xcc, 0xcc};
    uint8_t *p = page;

    __builtin_memset(p, 0xcc, PAGE_SIZE);
    for (unsigned n = 0; n < HYPERCALL_SLOTS; n++, p += HYPERCALL_SLOT) {
        __builtin_memcpy(p, stub, sizeof(stub));
        p[4] = (uint8_t)n;
    }
    STATIC_ASSERT(replaces_all, sizeof(iret) == sizeof(stub));
    __builtin_memcpy((uint8_t *)page + __HYPERVISOR_iret * HYPERCALL_SLOT, iret, sizeof(iret));
}
