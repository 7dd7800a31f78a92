/* SPDX-License-Identifier: MIT */
/*
 * A running vcpu (pvcpu.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pvcpu.h"

#include "../../hypervisor/pv/mmu.h"
#include "../../hypervisor/pv/root.h"

#include <tenue/pv.h>

struct guest pvg;
struct vcpu *pvv;
struct cpu_user_regs *pvr;

static uint64_t free_before;

static noreturn_fn void cannot(const char *what)
{
    fprintf(stderr, "fake vcpu: %s\n%s", what, fake_log_take());
    exit(2);
}

static void map_page(unsigned frame, uint64_t bits)
{
    const uint64_t slot = guest_maddr(&pvg, pvg.l1) + frame * 8;

    if (mmu_write_at(pvg.d, pvg.d, slot, bits ? guest_maddr(&pvg, frame) | bits : 0, MMU_SET) != 0)
        cannot("a mapping was refused");
}

static void entry_points(void)
{
    static const unsigned types[] = {CALLBACKTYPE_event, CALLBACKTYPE_failsafe,
                                     CALLBACKTYPE_syscall, CALLBACKTYPE_syscall32,
                                     CALLBACKTYPE_sysenter};
    struct pv_callback *const slots[] = {&pvv->pv.event, &pvv->pv.failsafe, &pvv->pv.syscall,
                                         &pvv->pv.syscall32, &pvv->pv.sysenter};

    for (unsigned i = 0; i < PV_TRAPS; i++) {
        struct trap_info ti = {
            .vector = (uint8_t)i, .flags = 0, .cs = 0x10, .address = PV_HANDLER(i)};

        if (!pv_trap_entry_set(pvv, &ti))
            cannot("a handler was refused");
    }
    for (unsigned i = 0; i < ARRAY_LEN(types); i++)
        *slots[i] = (struct pv_callback){PV_HANDLER(PV_AT_EVENT + i), false};
}

static void user_root(void)
{
    uint64_t *user = guest_ptr(&pvg, pvg.user_l4);

    user[pte_index(GUEST_BASE, 4)] = guest_ptr(&pvg, pvg.l4)[pte_index(GUEST_BASE, 4)];
    if (pv_root_set(pvv, pvg.frames[pvg.user_l4].n, true) != 0)
        cannot("its user root was refused");
}

void pv_begin(uint16_t domid)
{
    struct domain *d;

    fake_metal_reset();
    free_before = READ_ONCE(heap_free_frames);
    d = domid ? fake_domain(domid, 2, 200) : control_domain;
    if (!d)
        cannot("no domain");
    guest_init(&pvg, d);
    pvv = d->vcpus[0];
    user_root();
    for (unsigned i = 0; i < 2; i++) {
        map_page(PV_GDT + i, 0);
        map_page(PV_LDT + i, PTE_P);
    }
    map_page(PV_STACK - 1, 0);
    map_page(PV_STACK + 1, 0);
    map_page(PV_UNMAPPED, 0);
    fake_on_cpu(0);
    fake_run(pvv);
    pv_cpuid_prepare();
    pvr = hal_guest_regs();
    entry_points();
    pvv->pv.kernel_sp = PV_STACK_TOP;
    pvv->pv.kernel_ss = PV_SEL_KERNEL_SS;
    pvv->pv.iopl = 0;
    pvg.d->pv.vm_assist = 1ull << VMASST_TYPE_writable_pagetables;
    hal_segbase_write(HAL_FS_BASE, 0xf5000);
    hal_segbase_write(HAL_GS_BASE, 0xffffffff82000000ull);
    hal_segbase_write(HAL_GS_BASE_INACTIVE, 0x65000);
    pvv->vcpu_info->evtchn_upcall_mask = 0;
    pvv->vcpu_info->evtchn_upcall_pending = 0;
    pv_fresh_regs();
    (void)fake_log_take();
}

/* The control domain lives on: its guest is taken apart by hand. */
static void dismantle_control(void)
{
    if (mmu_unpin(pvg.d, pvg.frames[pvg.l4]) != 0 || pv_domain_relinquish(pvg.d) != 0)
        cannot("the control domain kept something");
    for (unsigned i = 0; i < GUEST_FRAMES; i++)
        if (domain_release_frame(pvg.d, pvg.frames[i]) != 0)
            cannot("a frame of the control domain is in use");
    pvv->pv = (struct pv_vcpu){.kernel_mode = true,
                               .traps = pvv->pv.traps,
                               .root_kernel = MFN_NONE,
                               .root_user = MFN_NONE,
                               .cr4_guest = PV_CR4_FIXED,
                               .xcr0 = 1,
                               .debugreg = {[6] = 0xffff0ff0, [7] = 0x400}};
    for (unsigned i = 0; i < GDT_GUEST_FRAMES; i++)
        pvv->pv.gdt_frames[i] = MFN_NONE;
    for (unsigned i = 0; i < ARRAY_LEN(pvv->pv.ldt_frames); i++)
        pvv->pv.ldt_frames[i] = MFN_NONE;
    memset(pvv->pv.traps, 0, PAGE_SIZE);
    pvg.d->pv = (struct pv_domain){0};
}

void pv_end(void)
{
    fake_preempt_every = 0;
    fake_metal_reset();
    if (fake_audit() != 0)
        cannot("the audit failed at the end of a test");
    fake_run(NULL);
    if (pvg.d->is_control)
        dismantle_control();
    else if (!fake_destroy(pvg.d))
        cannot("the domain does not go");
    if (fake_audit() != 0 || READ_ONCE(heap_free_frames) != free_before)
        cannot("a test left something behind");
}

void pv_fresh_regs(void)
{
    uint64_t *const gprs[] = {&pvr->rax, &pvr->rbx, &pvr->rcx, &pvr->rdx, &pvr->rsi,
                              &pvr->rdi, &pvr->rbp, &pvr->r8,  &pvr->r9,  &pvr->r10,
                              &pvr->r11, &pvr->r12, &pvr->r13, &pvr->r14, &pvr->r15};

    memset(pvr, 0, sizeof(*pvr));
    for (unsigned i = 0; i < ARRAY_LEN(gprs); i++)
        *gprs[i] = 0x1122334455667700ull + 0x0101010101010101ull * i;
    pvr->rflags = EFLAGS_FIXED | EFLAGS_IF;
    pvr->rip = guest_va_at(PV_CODE);
    pvr->cs = pvv->pv.kernel_mode ? PV_SEL_KERNEL_CS : PV_USER_CS;
    pvr->ss = pvv->pv.kernel_mode ? PV_SEL_KERNEL_SS : PV_USER_SS;
    pvr->rsp = pvv->pv.kernel_mode ? PV_STACK_TOP - 0x100 : PV_USER_SP;
}

void pv_mode(bool kernel)
{
    if (pvv->pv.kernel_mode != kernel)
        pv_toggle_mode(pvv);
    pv_fresh_regs();
}

void pv_code(unsigned offset, const void *bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ((uint8_t *)guest_ptr(&pvg, PV_CODE + (offset + i) / PAGE_SIZE))[(offset + i) % PAGE_SIZE] =
            ((const uint8_t *)bytes)[i];
    pvr->rip = guest_va_at(PV_CODE) + offset;
}

bool pv_crashed(void)
{
    const bool crashed = pvg.d->shutting_down;

    if (crashed) {
        domain_resume(pvg.d);
        this_cpu()->softirqs &= ~(1u << SOFTIRQ_SCHED);
        (void)fake_log_take();
    }
    return crashed;
}

uint64_t pv_frame(unsigned n)
{
    uint64_t word = 0;

    if (!fake_load(pvr->rsp + 8 * n, &word))
        cannot("no frame where the stack points");
    return word;
}
