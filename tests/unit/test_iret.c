/* SPDX-License-Identifier: MIT */
/*
 * pv/iret.c: what a guest kernel may return to (contract 3.4; ENT-3, ENT-9, ENT-15).
 *
 * Sabotage: use ctx.rflags unsanitised: every_flag fails. Drop the `|= 3` of CS: junk_selectors
 * fails. Drop the test for a user root: no_user_root fails. Read the frame's cs twice from guest
 * memory: frame_is_read_once fails. Leave in_nmi set: nmi_ends_here fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/pvcpu.h"

static struct iret_context good(bool to_user)
{
    return (struct iret_context){
        .rax = 0xa0a0a0a0a0a0a0a0ull,
        .r11 = 0x1111111111111111ull,
        .rcx = 0xcccccccccccccccull,
        .rip = guest_va_at(PV_CODE) + 0x40,
        .cs = to_user ? PV_USER_CS : 0xe030,
        .rflags = EFLAGS_IF,
        .rsp = PV_USER_SP,
        .ss = to_user ? PV_USER_SS : 0xe02b,
    };
}

static long iret_at(uint64_t at)
{
    struct cpu_user_regs *r = hal_guest_regs();

    r->rsp = at;
    r->rax = __HYPERVISOR_iret;
    hypercall_entry(r);
    return (long)r->rax;
}

static void iret(const struct iret_context *c)
{
    if (!pvv->pv.kernel_mode)
        pv_toggle_mode(pvv);
    pv_fresh_regs();
    memcpy(guest_ptr(&pvg, PV_DATA), c, sizeof(*c));
    CU_ASSERT_EQUAL((uint64_t)iret_at(guest_va_at(PV_DATA)), c->rax);
}

static void to_kernel_and_user(void)
{
    pv_begin(5);
    for (unsigned user = 0; user < 2; user++) {
        const struct iret_context c = good(user);
        struct cpu_user_regs before;

        pv_mode(true);
        before = *pvr;
        iret(&c);
        CU_ASSERT_EQUAL(pvv->pv.kernel_mode, !user);
        CU_ASSERT_TRUE(mfn_eq(this_cpu()->root, user ? pvv->pv.root_user : pvv->pv.root_kernel));
        CU_ASSERT_EQUAL(hal_segbase_read(HAL_GS_BASE), user ? 0x65000 : 0xffffffff82000000ull);
        CU_ASSERT_EQUAL(pvr->rip, c.rip);
        CU_ASSERT_EQUAL(pvr->cs, c.cs | 3);
        CU_ASSERT_EQUAL(pvr->ss, c.ss);
        CU_ASSERT_EQUAL(pvr->rsp, c.rsp);
        CU_ASSERT_EQUAL(pvr->rcx, c.rcx);
        CU_ASSERT_EQUAL(pvr->r11, c.r11);
        CU_ASSERT_EQUAL(pvr->rax, c.rax);
        CU_ASSERT_EQUAL(pvr->rbx, before.rbx);
        CU_ASSERT_EQUAL(pvr->rdi, before.rdi);
        CU_ASSERT_EQUAL(pvr->r15, before.r15);
        CU_ASSERT_NOT_EQUAL(pvr->entry_vector, PV_EXIT_SYSRET_OK); /* RCX and R11 are alive */
    }
    pv_end();
}

/* A return as from a system call leaves RCX and R11 to SYSRET. */
static void in_syscall_form(void)
{
    struct iret_context c = good(true);

    pv_begin(5);
    c.flags = VGCF_in_syscall;
    pvr->entry_vector = 0;
    iret(&c);
    CU_ASSERT_NOT_EQUAL(pvr->rcx, c.rcx);
    CU_ASSERT_NOT_EQUAL(pvr->r11, c.r11);
    pv_end();
}

/* ENT-3: each flag alone, and all patterns of the low 22 bits that can go wrong together. */
static void every_flag(void)
{
    const uint64_t may = 0xcd5 | EFLAGS_TF | EFLAGS_RF | EFLAGS_AC | EFLAGS_ID;

    pv_begin(5);
    for (unsigned user = 0; user < 2; user++) {
        struct iret_context c = good(user);

        for (unsigned pattern = 0; pattern < 64 + 1024; pattern++) {
            if (pattern < 64)
                c.rflags = 1ull << pattern;
            else /* IF IOPL IOPL NT, RF VM AC VIF VIP ID */
                c.rflags = (uint64_t)(pattern & 1) << 9 | (uint64_t)(pattern >> 1 & 7) << 12 |
                           (uint64_t)(pattern >> 4 & 63) << 16;
            iret(&c);
            CU_ASSERT_EQUAL(pvr->rflags, (c.rflags & may) | EFLAGS_FIXED | EFLAGS_IF);
            CU_ASSERT_EQUAL(pvv->vcpu_info->evtchn_upcall_mask, !(c.rflags & EFLAGS_IF));
            CU_ASSERT_EQUAL(pvv->pv.iopl, 0);
        }
    }
    /* Architectural IOPL: kept, and still not in the real flags. */
    pvg.d->pv.vm_assist = 1ull << VMASST_TYPE_architectural_iopl;
    for (unsigned iopl = 0; iopl < 4; iopl++) {
        struct iret_context c = good(true);

        c.rflags |= iopl << 12;
        iret(&c);
        CU_ASSERT_EQUAL(pvv->pv.iopl, iopl);
        CU_ASSERT_EQUAL(pvr->rflags & EFLAGS_IOPL, 0);
    }
    pv_end();
}

/* Selectors are ring 3, whatever they name; only RPL 3 of CS means user. */
static void junk_selectors(void)
{
    pv_begin(5);
    for (unsigned i = 0; i < 1u << 16; i += 7) {
        struct iret_context c = good(true);

        c.cs = i | 0xabcd0001ull << 16;
        c.ss = (i * 31 & 0xffff) | 0x1ull << 40;
        iret(&c);
        CU_ASSERT_EQUAL(pvr->cs, i | 3);
        CU_ASSERT_EQUAL(pvr->ss, (i * 31 & 0xffff) | 3);
        CU_ASSERT_EQUAL(pvv->pv.kernel_mode, (i & 3) != 3);
    }
    pv_end();
}

static void no_user_root(void)
{
    const struct mmuext_op op = {.cmd = MMUEXT_NEW_USER_BASEPTR};
    const struct iret_context c = good(true);

    pv_begin(5);
    memcpy(guest_ptr(&pvg, PV_ARGS), &op, sizeof(op));
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_mmuext_op, guest_va_at(PV_ARGS), 1, 0, DOMID_SELF),
                    0);
    memcpy(guest_ptr(&pvg, PV_DATA), &c, sizeof(c));
    (void)iret_at(guest_va_at(PV_DATA));
    CU_ASSERT_TRUE(pv_crashed());
    CU_ASSERT_TRUE(pvv->pv.kernel_mode);
    CU_ASSERT_FALSE(mfn_is_none(this_cpu()->root));
    pv_end();
}

static void unreadable_frames(void)
{
    static const uint64_t at[] = {0,
                                  0x800000000000ull - 8,
                                  0x800000000000ull,
                                  MACH2PHYS_VIRT_START,
                                  0xffff880000000000ull - 8,
                                  ~0ull,
                                  ~0ull - 64,
                                  GUEST_BASE + PV_UNMAPPED * PAGE_SIZE,
                                  GUEST_BASE + PV_UNMAPPED * PAGE_SIZE - 8};

    pv_begin(5);
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        (void)iret_at(at[i]);
        CU_ASSERT_TRUE(pv_crashed());
        CU_ASSERT_TRUE(pvv->pv.kernel_mode);
    }
    pv_end();
}

static unsigned reads;
static void flip(uint64_t va, uint64_t bytes)
{
    struct iret_context *c = (void *)guest_ptr(&pvg, PV_DATA);

    if (va - guest_va_at(PV_DATA) >= PAGE_SIZE)
        return;
    reads++;
    CU_ASSERT_EQUAL(bytes, sizeof(*c));
    c->cs = 0xe030;
    c->rflags = ~0ull;
    c->rip = MACH2PHYS_VIRT_START;
}

/* ENT-9: hostile memory shows another frame when it is looked at again. */
static void frame_is_read_once(void)
{
    const struct iret_context c = good(true);

    pv_begin(5);
    reads = 0;
    fake_metal.after_guest_read = flip;
    iret(&c);
    CU_ASSERT_EQUAL(reads, 1);
    CU_ASSERT_FALSE(pvv->pv.kernel_mode);
    CU_ASSERT_EQUAL(pvr->rip, c.rip);
    CU_ASSERT_EQUAL(pvr->cs, PV_USER_CS);
    pv_end();
}

static void nmi_ends_here(void)
{
    const struct iret_context c = good(false);

    pv_begin(5);
    pvv->in_nmi = true;
    iret(&c);
    CU_ASSERT_FALSE(pvv->in_nmi);
    pv_end();
}

void suite_iret(void);
void suite_iret(void)
{
    CU_pSuite s = CU_add_suite("iret", NULL, NULL);

    CU_add_test(s, "to kernel and to user", to_kernel_and_user);
    CU_add_test(s, "in_syscall leaves RCX and R11", in_syscall_form);
    CU_add_test(s, "ENT-3: every flag pattern", every_flag);
    CU_add_test(s, "ENT-3: junk selectors are ring 3", junk_selectors);
    CU_add_test(s, "ENT-15: no user root, no user mode", no_user_root);
    CU_add_test(s, "HC-1: unreadable frames crash the domain", unreadable_frames);
    CU_add_test(s, "ENT-9: the frame is read once", frame_is_read_once);
    CU_add_test(s, "an iret ends the NMI", nmi_ends_here);
}
