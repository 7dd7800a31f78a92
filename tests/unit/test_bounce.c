/* SPDX-License-Identifier: MIT */
/*
 * pv/bounce.c, trap.c: the frame of every kind of entry into a guest kernel, word by word, and what
 * happens when there is no place for it (contract 3.3, 3.4, 3.7; ENT-4, ENT-5).
 *
 * Sabotage: leave EFLAGS_AC out of what frame_enter() clears: entries_start_clean fails. Do not
 * clear RPL in frame_push_return(): exception_frames fails. Align after subtracting: alignment
 * fails. Forget `masked` in the CS slot: upcall_mask_and_flags fails. Forget in_nmi in
 * deliver_nmi(): nmi_waits_for_an_iret fails. Compare with 0 in may_raise(): int_n_asks_the_table
 * fails. Keep PF_USER for a kernel: page_faults fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/pvcpu.h"

#include <tenue/entrypoints.h>

#define FLAGS_AFTER (EFLAGS_FIXED | EFLAGS_IF)

/* The words that end each frame, for an entry from before. */
static void check_return(unsigned at, const struct cpu_user_regs *before, bool from_kernel,
                         unsigned masked, uint64_t flags)
{
    CU_ASSERT_EQUAL(pv_frame(at), before->rip);
    CU_ASSERT_EQUAL(pv_frame(at + 1),
                    (from_kernel ? before->cs & ~3ull : before->cs) | (uint64_t)masked << 32);
    CU_ASSERT_EQUAL(pv_frame(at + 2), flags);
    CU_ASSERT_EQUAL(pv_frame(at + 3), before->rsp);
    CU_ASSERT_EQUAL(pv_frame(at + 4), before->ss);
}

static void check_entry(const struct cpu_user_regs *before, unsigned handler, unsigned words,
                        bool from_kernel)
{
    const uint64_t top = (from_kernel ? before->rsp : PV_STACK_TOP) & ~15ull;
    struct cpu_user_regs was = *before, is = *pvr;

    CU_ASSERT_FALSE(pv_crashed());
    CU_ASSERT_EQUAL(pvr->rsp, top - words * 8);
    CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(handler));
    CU_ASSERT_EQUAL(pvr->cs, 0xe033);
    CU_ASSERT_EQUAL(pvr->ss, 0xe02b);
    CU_ASSERT_TRUE(pvv->pv.kernel_mode);
    CU_ASSERT_TRUE(mfn_eq(this_cpu()->root, pvv->pv.root_kernel));
    CU_ASSERT_EQUAL(pv_frame(0), before->rcx);
    CU_ASSERT_EQUAL(pv_frame(1), before->r11);
    /* All else is the interrupted code's. */
    was.rip = is.rip = was.cs = is.cs = was.ss = is.ss = 0;
    was.rsp = is.rsp = was.rflags = is.rflags = was.entry_vector = is.entry_vector = 0;
    CU_ASSERT_EQUAL(memcmp(&was, &is, sizeof(was)), 0);
}

static void exception_frames(void)
{
    pv_begin(5);
    for (unsigned kernel = 0; kernel < 2; kernel++)
        for (unsigned vector = 0; vector < 32; vector++) {
            const bool coded = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
            struct cpu_user_regs before;

            if (vector == 2 || vector == 3 || vector == 4)
                continue; /* not exceptions of this kind */
            pv_mode(kernel);
            pvr->error_code = vector == 13 ? 0x38 : 4;
            pvr->entry_vector = vector;
            before = *pvr;
            pv_exception(pvr, (uint8_t)vector, 0x123456789000ull);
            check_entry(&before, vector, coded ? 8 : 7, kernel);
            if (coded)
                CU_ASSERT_EQUAL(pv_frame(2), vector == 13             ? 0x38u
                                             : vector == 14 && kernel ? 0u
                                                                      : 4u);
            check_return(coded ? 3 : 2, &before, kernel, 0, FLAGS_AFTER);
        }
    pv_end();
}

static void page_faults(void)
{
    pv_begin(5);
    for (unsigned kernel = 0; kernel < 2; kernel++)
        for (uint32_t error = 0; error < 32; error++) {
            const uint64_t cr2 = 0x7ffffffff000ull + error;

            if (error & 8)
                continue; /* reserved bits: below */
            pv_mode(kernel);
            pvr->error_code = error;
            pv_exception(pvr, 14, cr2);
            CU_ASSERT_EQUAL(pvv->vcpu_info->arch.cr2, cr2);
            CU_ASSERT_EQUAL(pv_frame(2), kernel ? error & ~4u : error | 4);
        }
    pv_mode(false);
    pvr->error_code = 9;
    pv_exception(pvr, 14, 0x1000);
    CU_ASSERT_TRUE(pv_crashed());
    pv_end();
}

/* Mask byte in the CS slot, IF from the mask, no IOPL unless it is architectural. */
static void upcall_mask_and_flags(void)
{
    pv_begin(5);
    for (unsigned pattern = 0; pattern < 64; pattern++) {
        const bool masked = pattern & 1, masks = pattern & 2, kernel = pattern & 4;
        const bool architectural = pattern & 8;
        const unsigned iopl = pattern >> 4;
        uint64_t flags = EFLAGS_FIXED | (masked ? 0 : EFLAGS_IF);
        struct cpu_user_regs before;

        pv_mode(kernel);
        pvv->pv.traps[6].flags = masks ? 4 : 0;
        pvv->vcpu_info->evtchn_upcall_mask = masked;
        pvv->pv.iopl = (uint8_t)iopl;
        pvg.d->pv.vm_assist = architectural ? 1ull << VMASST_TYPE_architectural_iopl : 0;
        if (architectural)
            flags |= iopl << 12;
        before = *pvr;
        pv_inject(pvr, 6, PV_NO_ERROR);
        check_entry(&before, 6, 7, kernel);
        check_return(2, &before, kernel, masked, flags);
        CU_ASSERT_EQUAL(pvv->vcpu_info->evtchn_upcall_mask, masked || masks);
    }
    pv_end();
}

/* ENT-4: the handler starts with the flags that it may rely on; the frame shows what was. */
static void entries_start_clean(void)
{
    const uint64_t bad = EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM | EFLAGS_AC | EFLAGS_IOPL;

    pv_begin(5);
    for (unsigned bit = 0; bit < 22; bit++) {
        pvr->rflags = FLAGS_AFTER | 1ull << bit;
        pvr->rsp = PV_STACK_TOP - 0x100;
        pv_inject(pvr, 6, PV_NO_ERROR);
        CU_ASSERT_EQUAL(pvr->rflags & bad, 0);
        CU_ASSERT_TRUE(pvr->rflags & EFLAGS_IF);
        CU_ASSERT_EQUAL(pv_frame(4), (FLAGS_AFTER | 1ull << bit) & ~EFLAGS_IOPL);
    }
    pv_end();
}

static void alignment(void)
{
    pv_begin(5);
    for (unsigned low = 0; low < 16; low++) {
        struct cpu_user_regs before;

        pv_mode(true);
        pvr->rsp -= low;
        before = *pvr;
        pv_inject(pvr, 13, 8);
        check_entry(&before, 13, 8, true);
        pv_mode(false);
        pvv->pv.kernel_sp = PV_STACK_TOP - low;
        pv_inject(pvr, 6, PV_NO_ERROR);
        CU_ASSERT_EQUAL(pvr->rsp, ((PV_STACK_TOP - low) & ~15ull) - 56);
        pvv->pv.kernel_sp = PV_STACK_TOP;
    }
    pv_end();
}

/* The other ways in. */
static void system_calls(void)
{
    static void (*const entry[])(struct cpu_user_regs *) = {pv_syscall, pv_syscall32, pv_sysenter};
    struct pv_callback *cb[3];

    pv_begin(5);
    cb[0] = &pvv->pv.syscall;
    cb[1] = &pvv->pv.syscall32;
    cb[2] = &pvv->pv.sysenter;
    for (unsigned i = 0; i < 3; i++)
        for (unsigned masks = 0; masks < 2; masks++) {
            struct cpu_user_regs before;

            pv_mode(false);
            pvv->vcpu_info->evtchn_upcall_mask = 0;
            cb[i]->mask_events = masks;
            before = *pvr;
            entry[i](pvr);
            check_entry(&before, PV_AT_SYSCALL + i, 7, false);
            check_return(2, &before, false, 0, FLAGS_AFTER);
            CU_ASSERT_EQUAL(pvv->vcpu_info->evtchn_upcall_mask, masks);
            CU_ASSERT_EQUAL(hal_segbase_read(HAL_GS_BASE), 0xffffffff82000000ull);
        }
    pvv->vcpu_info->evtchn_upcall_mask = 0;
    /* Without a callback: what hardware would raise; the 64-bit one is a must. */
    cb[0]->address = cb[1]->address = cb[2]->address = 0;
    pv_mode(false);
    pv_syscall32(pvr);
    CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(6));
    pv_mode(false);
    pv_sysenter(pvr);
    CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(13));
    CU_ASSERT_EQUAL(pv_frame(2), 0);
    pv_mode(false);
    pv_syscall(pvr);
    CU_ASSERT_TRUE(pv_crashed());
    pv_end();
}

static void events(void)
{
    pv_begin(5);
    for (unsigned kernel = 0; kernel < 2; kernel++) {
        struct cpu_user_regs before;

        pv_mode(kernel);
        pvv->vcpu_info->evtchn_upcall_mask = 0;
        pvv->vcpu_info->evtchn_upcall_pending = 1;
        before = *pvr;
        pv_deliver_event(pvr);
        check_entry(&before, PV_AT_EVENT, 7, kernel);
        check_return(2, &before, kernel, 0, FLAGS_AFTER);
        CU_ASSERT_EQUAL(pvv->vcpu_info->evtchn_upcall_mask, 1);
        CU_ASSERT_EQUAL(pvv->vcpu_info->evtchn_upcall_pending, 1); /* the guest's to clear */
    }
    pvv->pv.event.address = 0;
    pv_deliver_event(pvr);
    CU_ASSERT_TRUE(pv_crashed());
    pv_end();
}

static void nmi_waits_for_an_iret(void)
{
    pv_begin(5);
    pvv->nmi_pending = true;
    pvv->vcpu_info->evtchn_upcall_mask = 1;
    pv_deliver_event(pvr);
    CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(2));
    CU_ASSERT_EQUAL(pv_frame(3), 0xe030 | 1ull << 32);
    CU_ASSERT_FALSE(pvv->nmi_pending);
    CU_ASSERT_TRUE(pvv->in_nmi);
    /* A second one stays where it is: an event is delivered meanwhile. */
    pvv->nmi_pending = true;
    pv_deliver_event(pvr);
    CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(PV_AT_EVENT));
    CU_ASSERT_TRUE(pvv->nmi_pending);
    /* Dropped when there is no handler. */
    pvv->in_nmi = false;
    pvv->pv.traps[2].address = 0;
    pvv->nmi_pending = true;
    pvr->rip = 0x1234;
    pv_deliver_event(pvr);
    CU_ASSERT_EQUAL(pvr->rip, 0x1234);
    CU_ASSERT_FALSE(pvv->nmi_pending);
    CU_ASSERT_FALSE(pvv->in_nmi);
    pv_end();
}

static void failsafe_frame(void)
{
    struct cpu_user_regs before;

    pv_begin(5);
    for (unsigned kernel = 0; kernel < 2; kernel++)
        for (unsigned masks = 0; masks < 2; masks++) {
            pv_mode(kernel);
            pvv->vcpu_info->evtchn_upcall_mask = 0;
            pvv->pv.failsafe.mask_events = masks;
            for (unsigned i = 0; i < 4; i++)
                fake_metal.selectors[i] = (uint16_t)(0x11 * (i + 1));
            pvr->rip = 0x800000000000ull; /* what an IRET refuses */
            hal_read_selectors(pvr);
            before = *pvr;
            pv_failsafe(pvr);
            check_entry(&before, PV_AT_FAILSAFE, 11, kernel);
            for (unsigned i = 0; i < 4; i++)
                CU_ASSERT_EQUAL(pv_frame(2 + i), 0x11 * (i + 1));
            check_return(6, &before, kernel, 0, FLAGS_AFTER);
            CU_ASSERT_EQUAL(pvv->vcpu_info->evtchn_upcall_mask, masks);
        }
    pvr->ds = 0xffff;
    pvr->gs = 2;
    pv_failsafe(pvr);
    CU_ASSERT_EQUAL(pv_frame(2), 0xffff);
    CU_ASSERT_EQUAL(pv_frame(5), 2);
    pvv->pv.failsafe.address = 0;
    pv_failsafe(pvr);
    CU_ASSERT_TRUE(pv_crashed());
    pv_end();
}

/* ENT-5: a stack that cannot take the frame costs the guest its life, and nobody else anything. */
static void stacks_without_room(void)
{
    static const uint64_t tops[] = {
        0,
        8,
        16,
        64,
        0x0000800000000000ull, /* first address past the lower half: fits, unmapped */
        0x0000800000000010ull, /* the frame would begin below the hole and end in it */
        0x0000800000000100ull,
        0xffff800000000000ull, /* ours */
        0xffff800000000040ull,
        0xffff880000000000ull, /* guest space again, the frame would end at its start */
        0xffff880000000008ull,
        0xffff880000000038ull,
        ~0ull,
        GUEST_BASE, /* ends at mapped memory, begins in unmapped */
    };

    pv_begin(5);
    for (unsigned kernel = 0; kernel < 2; kernel++) {
        for (unsigned i = 0; i < ARRAY_LEN(tops); i++) {
            pv_mode(kernel);
            pvr->rsp = kernel ? tops[i] : pvr->rsp;
            pvv->pv.kernel_sp = tops[i];
            pv_inject(pvr, 13, 0);
            CU_ASSERT_TRUE(pv_crashed());
            pvv->pv.kernel_mode = true;
        }
        /* Each start near the ends of the one page of stack; its neighbours are not mapped. */
        for (unsigned offset = 0; offset <= 128; offset += 8)
            for (unsigned end = 0; end < 2; end++) {
                const uint64_t top = guest_va_at(PV_STACK + end) + (end ? 64 : 0) + offset;
                const uint64_t from = (top & ~15ull) - 64;
                const bool fits = from >= guest_va_at(PV_STACK) && from + 64 <= PV_STACK_TOP;

                pv_mode(kernel);
                pvr->rsp = kernel ? top : pvr->rsp;
                pvv->pv.kernel_sp = top;
                pv_inject(pvr, 13, 0);
                CU_ASSERT_EQUAL(pv_crashed(), !fits);
                pvv->pv.kernel_mode = true;
            }
        /* Mapped, but read-only. */
        pv_mode(kernel);
        pvr->rsp = kernel ? guest_va_at(PV_LDT + 1) : pvr->rsp;
        pvv->pv.kernel_sp = guest_va_at(PV_LDT + 1);
        pv_inject(pvr, 6, PV_NO_ERROR);
        CU_ASSERT_TRUE(pv_crashed());
    }
    pv_mode(true);
    pvv->pv.kernel_sp = PV_STACK_TOP;
    pv_end();
}

static void no_handler_is_the_end(void)
{
    pv_begin(5);
    for (unsigned vector = 0; vector < 32; vector++) {
        pv_mode(true);
        memset(&pvv->pv.traps[vector], 0, sizeof(pvv->pv.traps[vector]));
        pvr->error_code = 2;
        if (vector == 13)
            pvr->error_code = 0x10;
        pv_exception(pvr, (uint8_t)vector, 0);
        if (vector != 3 && vector != 4) /* those are int n: without a handler, #GP */
            CU_ASSERT_TRUE(pv_crashed());
    }
    pv_end();
}

/* int n: the DPL of the guest's table decides, but for int 3 and int 4; else #GP that names the
 * vector, RIP on the instruction. */
static void int_n_asks_the_table(void)
{
    pv_begin(5);
    for (unsigned vector = 0; vector < 256; vector += vector < 40 ? 1 : 9)
        for (unsigned dpl = 0; dpl < 4; dpl++)
            for (unsigned kernel = 0; kernel < 2; kernel++) {
                const uint8_t insn[] = {0xcd, (uint8_t)vector};
                const bool may = dpl >= (kernel ? 1u : 3u) || vector == 3 || vector == 4;

                if (vector == 13)
                    continue;
                pvv->pv.traps[vector].flags = (uint8_t)dpl;
                pv_mode(kernel);
                pv_code(0, insn, 2);
                pvr->error_code = vector * 8 + 2;
                pv_exception(pvr, 13, 0);
                CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(may ? vector : 13u));
                CU_ASSERT_EQUAL(pv_frame(may ? 2 : 3), guest_va_at(PV_CODE) + (may ? 2 : 0));
                if (!may)
                    CU_ASSERT_EQUAL(pv_frame(2), vector * 8 + 2);
                /* The same through one of our own gates, RIP past it. */
                pv_mode(kernel);
                pv_code(0, insn, 2);
                pvr->rip += 2;
                pv_software_interrupt(pvr, (uint8_t)vector);
                CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(may ? vector : 13u));
                CU_ASSERT_EQUAL(pv_frame(may ? 2 : 3), guest_va_at(PV_CODE) + (may ? 2 : 0));
            }
    pv_end();
}

/* An emulator's error code of 16n + 2 for `int n` changes nothing. */
static void int_n_is_what_the_instruction_says(void)
{
    static const uint8_t code[] = {0xcd, 0x21};

    pv_begin(5);
    for (unsigned dpl = 0; dpl < 4; dpl += 3) {
        pvv->pv.traps[0x21].flags = (uint8_t)dpl;
        pv_mode(false);
        pv_code(0, code, 2);
        pvr->error_code = 0x21 * 16 + 2;
        pv_exception(pvr, 13, 0);
        CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(dpl ? 0x21u : 13u));
        if (dpl == 0)
            CU_ASSERT_EQUAL(pv_frame(2), 0x21 * 8 + 2);
    }
    pv_end();
}

/* One-byte forms: int3, and into of 32-bit code. Without a handler RIP is on them again. */
static void one_byte_software_interrupts(void)
{
    static const struct {
        uint8_t code, vector;
    } forms[] = {{0xcc, 3}, {0xce, 4}};

    pv_begin(5);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned there = 0; there < 2; there++) {
            pvv->pv.traps[forms[i].vector].address = there ? PV_HANDLER(forms[i].vector) : 0;
            pv_mode(false);
            pv_code(16, &forms[i].code, 1);
            pvr->rip++;
            pv_software_interrupt(pvr, forms[i].vector);
            CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(there ? forms[i].vector : 13u));
            CU_ASSERT_EQUAL(pv_frame(there ? 2 : 3), guest_va_at(PV_CODE) + (there ? 17 : 16));
        }
    pv_end();
}

static void nm_clears_ts(void)
{
    pv_begin(5);
    pvv->pv.cr0_guest = CR0_TS;
    fake_metal.ts = true;
    pv_exception(pvr, 7, 0);
    CU_ASSERT_EQUAL(pvr->rip, PV_HANDLER(7));
    CU_ASSERT_FALSE(fake_metal.ts);
    CU_ASSERT_EQUAL(pvv->pv.cr0_guest, 0);
    pv_end();
}

void suite_bounce(void);
void suite_bounce(void)
{
    CU_pSuite s = CU_add_suite("bounce", NULL, NULL);

    CU_add_test(s, "every exception's frame, from kernel and user", exception_frames);
    CU_add_test(s, "#PF: CR2 first, error code without U/S for a kernel", page_faults);
    CU_add_test(s, "upcall mask, IF and IOPL in the frame", upcall_mask_and_flags);
    CU_add_test(s, "ENT-4: handlers start with clean flags", entries_start_clean);
    CU_add_test(s, "frames are aligned before they are pushed", alignment);
    CU_add_test(s, "system calls of three kinds", system_calls);
    CU_add_test(s, "events", events);
    CU_add_test(s, "an NMI waits for the iret of the one before", nmi_waits_for_an_iret);
    CU_add_test(s, "ENT-8: the failsafe frame", failsafe_frame);
    CU_add_test(s, "ENT-5: a stack without room crashes the domain", stacks_without_room);
    CU_add_test(s, "no handler crashes the domain", no_handler_is_the_end);
    CU_add_test(s, "int n by DPL, mode and way in", int_n_asks_the_table);
    CU_add_test(s, "int n is what the instruction says", int_n_is_what_the_instruction_says);
    CU_add_test(s, "int3 and into are one byte long", one_byte_software_interrupts);
    CU_add_test(s, "#NM clears TS", nm_clears_ts);
}
