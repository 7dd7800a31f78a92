/* SPDX-License-Identifier: MIT */
/*
 * pv/state.c: loading a context obeys the rules of the single calls (LC-9, ENT-2, ENT-15), and what
 * is read back is what was loaded.
 *
 * Sabotage: drop a line of context_is_sane(): illegal_contexts fails. Leave IOPL out of
 * pv_vcpu_get_context(): round_trip fails. Copy rflags unsanitised: the same. Keep the old user
 * root when a context has none: a_context_is_the_whole_state fails. Number the stubs from 1:
 * hypercall_page fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/desc.h"
#include "fake/pvcpu.h"

#include <tenue/pv.h>

static vcpu_guest_context_t c, back;
static struct vcpu *ap; /* vcpu 1, which never runs */

static void begin(void)
{
    pv_begin(5);
    ap = pvg.d->vcpus[1];
    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel;
    c.user_regs.rip = 0x123456;
    c.user_regs.rflags = 0x1000;
    c.user_regs.cs = 0x10;
    c.user_regs.ss = 0x18;
    c.user_regs.ds = c.user_regs.es = 0x2b;
    c.kernel_ss = 0x18;
    c.kernel_sp = PV_STACK_TOP;
    c.ctrlreg[3] = xen_pfn_to_cr3(pvg.frames[pvg.l4].n);
    c.gdt_frames[0] = pvg.frames[PV_GDT].n;
    c.gdt_ents = 16;
    c.event_callback_eip = 0x2000;
    c.failsafe_callback_eip = 0x3000;
    c.syscall_callback_eip = 0x4000;
    c.fs_base = 0x5000;
    c.gs_base_kernel = 0xffffffff80000000ull;
    c.gs_base_user = 0x6000;
    c.debugreg[0] = 0x7000;
    c.debugreg[7] = 0x401;
    c.trap_ctxt[3] = (struct trap_info){.vector = 3, .flags = 7, .cs = 0x10, .address = 0x8000};
    c.ctrlreg[0] = CR0_TS;
    c.ctrlreg[4] = ~0ull;
    c.vm_assist = ~0ull;
}

static void round_trip(void)
{
    begin();
    c.ctrlreg[1] = xen_pfn_to_cr3(pvg.frames[pvg.user_l4].n);
    c.flags |= VGCF_failsafe_disables_events | VGCF_syscall_disables_events;
    c.ldt_base = guest_va_at(PV_LDT);
    c.ldt_ents = 7;
    c.user_regs.rflags = ~0ull;
    CU_ASSERT_EQUAL(pv_vcpu_set_context(ap, &c), 0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(ap->regs.cs, 0x13);
    CU_ASSERT_EQUAL(ap->regs.ss, 0x1b);
    CU_ASSERT_EQUAL(ap->regs.rflags,
                    0x250ed5 | 0x100 | 2); /* TF RF AC ID and the arithmetic ones */
    CU_ASSERT_EQUAL(ap->pv.iopl, 3);
    CU_ASSERT_EQUAL(ap->pv.cr4_guest, 0x660 | 1 << 2 | 1 << 3 | 1 << 16 | 1 << 18);
    CU_ASSERT_EQUAL(pvg.d->pv.vm_assist & ~0x10000003full, 0);
    memset(&back, 0xaa, sizeof(back));
    pv_vcpu_get_context(ap, &back);
    CU_ASSERT_EQUAL(back.flags & ~(unsigned)VGCF_online, c.flags);
    CU_ASSERT_EQUAL(back.user_regs.rip, c.user_regs.rip);
    CU_ASSERT_EQUAL(back.user_regs.rflags & EFLAGS_IOPL, EFLAGS_IOPL);
    CU_ASSERT_EQUAL(back.user_regs.ds, 0x2b);
    CU_ASSERT_EQUAL(back.trap_ctxt[3].address, 0x8000);
    CU_ASSERT_EQUAL(back.ctrlreg[0], 0x8005003b);
    CU_ASSERT_EQUAL(back.ctrlreg[1], c.ctrlreg[1]);
    CU_ASSERT_EQUAL(back.ctrlreg[3], c.ctrlreg[3]);
    CU_ASSERT_EQUAL(back.gdt_frames[0], c.gdt_frames[0]);
    CU_ASSERT_EQUAL(back.gdt_ents, 16);
    CU_ASSERT_EQUAL(back.ldt_base, c.ldt_base);
    CU_ASSERT_EQUAL(back.ldt_ents, 7);
    CU_ASSERT_EQUAL(back.debugreg[0], 0x7000);
    CU_ASSERT_EQUAL(back.gs_base_user, 0x6000);
    /* LC-3: what is read can be loaded again and reads the same. */
    c = back;
    CU_ASSERT_EQUAL(pv_vcpu_set_context(ap, &c), 0);
    pv_vcpu_get_context(ap, &back);
    CU_ASSERT_EQUAL(memcmp(&c, &back, sizeof(c)), 0);
    pv_end();
}

static void a_context_is_the_whole_state(void)
{
    begin();
    c.ctrlreg[1] = xen_pfn_to_cr3(pvg.frames[pvg.user_l4].n);
    CU_ASSERT_EQUAL(pv_vcpu_set_context(ap, &c), 0);
    ap->pv.sysenter.address = ap->pv.syscall32.address = 0x1000;
    ap->in_nmi = true;
    c.ctrlreg[1] = 0;
    c.gdt_ents = 0;
    c.trap_ctxt[3].address = 0;
    CU_ASSERT_EQUAL(pv_vcpu_set_context(ap, &c), 0);
    CU_ASSERT_TRUE(mfn_is_none(ap->pv.root_user));
    CU_ASSERT_TRUE(mfn_is_none(ap->pv.gdt_frames[0]));
    CU_ASSERT_EQUAL(ap->pv.traps[3].address, 0);
    /* What it has no place for stays: a resumed guest has its context loaded as it was read. */
    CU_ASSERT_EQUAL(ap->pv.sysenter.address & ap->pv.syscall32.address, 0x1000);
    CU_ASSERT_TRUE(ap->in_nmi);
    ap->in_nmi = false;
    CU_ASSERT_EQUAL(fake_audit(), 0);
    pv_end();
}

/* The same value through the call and through the context: both refuse, or both take it. */
static void check_both(uint64_t *field, uint64_t value, long single)
{
    const uint64_t was = *field;

    *field = value;
    CU_ASSERT_EQUAL(pv_vcpu_set_context(ap, &c) == 0, single == 0);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    *field = was;
}

static void illegal_contexts(void)
{
    static const uint64_t values[] = {1,
                                      0x00007fffffffffffull,
                                      0x0000800000000000ull,
                                      0xffff7fffffffffffull,
                                      0xffff800000000000ull,
                                      0xffff87ffffffffffull,
                                      0xffff880000000000ull,
                                      ~0ull};
    const uint64_t ok = 0x1000;

    begin();
    for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
        const uint64_t v = values[i];
        struct trap_info ti[2] = {{.vector = 5, .address = v}};
        const uint64_t dr0 = pvv->pv.debugreg[0];

        check_both(&c.kernel_sp, v, fake_hypercall(__HYPERVISOR_stack_switch, 0, v, 0, 0));
        check_both(&c.event_callback_eip, v,
                   fake_hypercall(__HYPERVISOR_set_callbacks, v, ok, ok, 0));
        check_both(&c.failsafe_callback_eip, v,
                   fake_hypercall(__HYPERVISOR_set_callbacks, ok, v, ok, 0));
        check_both(&c.syscall_callback_eip, v,
                   fake_hypercall(__HYPERVISOR_set_callbacks, ok, ok, v, 0));
        check_both(&c.fs_base, v, fake_hypercall(__HYPERVISOR_set_segment_base, 0, v, 0, 0));
        check_both(&c.gs_base_user, v, fake_hypercall(__HYPERVISOR_set_segment_base, 1, v, 0, 0));
        check_both(&c.gs_base_kernel, v, fake_hypercall(__HYPERVISOR_set_segment_base, 2, v, 0, 0));
        memcpy(guest_ptr(&pvg, PV_ARGS), ti, sizeof(ti));
        check_both(&c.trap_ctxt[5].address, v,
                   fake_hypercall(__HYPERVISOR_set_trap_table, guest_va_at(PV_ARGS), 0, 0, 0));
        check_both(&c.debugreg[2], v, fake_hypercall(__HYPERVISOR_set_debugreg, 2, v, 0, 0));
        pvv->pv.debugreg[0] = dr0;
    }
    check_both(&c.debugreg[7], 0x20001,
               fake_hypercall(__HYPERVISOR_set_debugreg, 7, 0x20001, 0, 0));
    for (unsigned i = 0; i < 3; i++) {
        static const uint64_t entries[] = {7168, 7169, ~0ull};

        guest_ptr(&pvg, PV_ARGS)[0] = ~0ull;
        check_both(&c.gdt_ents, entries[i],
                   fake_hypercall(__HYPERVISOR_set_gdt, guest_va_at(PV_ARGS), entries[i], 0, 0));
    }
    check_both(&c.gdt_frames[0], pvg.frames[PV_DATA].n, -XEN_EINVAL);
    check_both(&c.gdt_frames[0], ~0ull, -XEN_EINVAL);
    for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
        c.ldt_ents = 1;
        check_both(&c.ldt_base, values[i], pv_set_ldt(pvv, values[i], 1));
        check_both(&c.ldt_base, values[i] & PAGE_MASK, pv_set_ldt(pvv, values[i] & PAGE_MASK, 1));
        c.ldt_ents = 0;
    }
    check_both(&c.ldt_ents, 8193, -XEN_EINVAL);
    check_both(&c.ldt_ents, 1ull << 32, -XEN_EINVAL);
    check_both(&c.ctrlreg[3], 0, -XEN_EINVAL);
    check_both(&c.ctrlreg[3], xen_pfn_to_cr3(pvg.frames[pvg.l3].n), -XEN_EINVAL);
    check_both(&c.ctrlreg[3], ~0ull, -XEN_EINVAL);
    check_both(&c.ctrlreg[1], xen_pfn_to_cr3(pvg.frames[PV_CODE].n), -XEN_EINVAL);
    check_both(&c.ctrlreg[3], xen_pfn_to_cr3(pvg.frames[pvg.l4].n), 0);
    pv_end();
}

static void user_mode_needs_a_root(void)
{
    begin();
    c.flags = 0;
    CU_ASSERT_EQUAL(pv_vcpu_set_context(ap, &c), -XEN_EINVAL);
    c.ctrlreg[1] = xen_pfn_to_cr3(pvg.frames[pvg.user_l4].n);
    CU_ASSERT_EQUAL(pv_vcpu_set_context(ap, &c), 0);
    CU_ASSERT_FALSE(ap->pv.kernel_mode);
    pv_end();
}

/* A root that is validated on the way, preempted at each poll. */
static void preempted(void)
{
    int rc;

    begin();
    memcpy(guest_ptr(&pvg, PV_GDT + 1), guest_ptr(&pvg, pvg.l4), PAGE_SIZE);
    c.ctrlreg[3] = xen_pfn_to_cr3(pvg.frames[PV_GDT + 1].n);
    fake_preempt_every = 1;
    do {
        rc = pv_vcpu_set_context(ap, &c);
        CU_ASSERT_EQUAL(fake_audit(), 0);
    } while (rc == -XEN_ERESTART);
    CU_ASSERT_EQUAL(rc, 0);
    pv_end();
}

static void hypercall_page(void)
{
    static uint8_t page[PAGE_SIZE];

    pv_fill_hypercall_page(page);
    for (unsigned n = 0; n < PAGE_SIZE / 32; n++) {
        const uint8_t *p = page + 32 * n;
        const unsigned mov = n == __HYPERVISOR_iret ? 4 : 3;
        uint32_t number;

        CU_ASSERT_EQUAL(p[0], 0x51); /* push %rcx; push %r11 */
        CU_ASSERT_EQUAL(p[1], 0x41);
        CU_ASSERT_EQUAL(p[2], 0x53);
        CU_ASSERT_EQUAL(p[mov], 0xb8);
        memcpy(&number, p + mov + 1, 4);
        CU_ASSERT_EQUAL(number, n);
        CU_ASSERT_EQUAL(p[mov + 5], 0x0f);
        CU_ASSERT_EQUAL(p[mov + 6], 0x05);
    }
}

void suite_state(void);
void suite_state(void)
{
    CU_pSuite s = CU_add_suite("state", NULL, NULL);

    CU_add_test(s, "a context reads back as it was loaded", round_trip);
    CU_add_test(s, "a context is the whole state", a_context_is_the_whole_state);
    CU_add_test(s, "LC-9: a context refuses what the calls refuse", illegal_contexts);
    CU_add_test(s, "ENT-15: user mode needs a root", user_mode_needs_a_root);
    CU_add_test(s, "a context whose root is validated in steps", preempted);
    CU_add_test(s, "the hypercall page", hypercall_page);
}
