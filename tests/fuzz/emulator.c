/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: everything that is executed on a guest's behalf. The input is a vcpu's registers and
 * a few traps, each with instruction bytes at RIP: privileged instructions, stores to read-only
 * tables, forced CPUID, software interrupts, entry frames.
 *
 * No assertion, no undefined behaviour, no endless repetition; what the guest then runs with is
 * ring 3 with interrupts on (ENT-3); page types, counts, TLBs and descriptor windows are audited
 * at the end, and every frame comes back (pv_end).
 *
 * Sabotage, each caught by a seed: let apply() in ptwr.c shift by the unmasked bit number. Let
 * write_hypercall_page() in msr.c take no type: the audit fails. Say > for >= in insn_next().
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/fake/pvcpu.h"
#include "fuzz.h"

#include "../../hypervisor/pv/desc.h"

#include <tenue/entrypoints.h>
#include <tenue/m2p.h>

#define STEPS_MAX 12u
#define AGAIN_MAX                                                                                  \
    2000u /* a rep ins of 64 elements a trap, or a cr3 load preempted at every entry */

static struct input in;
static jmp_buf control_domain_ended;

static noreturn_fn void broken(const char *what)
{
    fprintf(stderr, "emulator: %s: rip %lx rflags %lx cs %x ss %x\n%s\n", what, pvr->rip,
            pvr->rflags, pvr->cs, pvr->ss, fake_log_take());
    abort();
}

/* A control domain that crashes takes the machine with it: as it should be. A panic is none. */
static void on_end(const char *said)
{
    if (strstr(said, "control domain ended") && !strstr(said, "***"))
        longjmp(control_domain_ended, 1);
    fprintf(stderr, "%s\n", said);
}

/* MSRs, their values' halves, CPUID leaves. */
static const uint32_t words[] = {
    0x1b,       0x8b,       0x277,      0x179,      0x400,      0x186,      0xc1,       0x1a0,
    0xc0000080, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xc0010015, 0x40000000, 0xd01,
    0x00070406, 0xfee00900, 0xfee00800, 0x80000000, 0x80000001, 0x80000002, 0x80000007, 0x80000008,
    0x40000001, 0x40000002, 0x40000003, 0x40000005, 0x40000006, 1,          7,          0xd,
};

/* Numbers that mean something to the code under test. */
static uint64_t number(unsigned kind)
{
    switch (kind & 15) {
    case 0:
        return input_take(&in, 8);
    case 1:
        return input_take(&in, 1);
    case 2:
        return input_take(&in, 4);
    case 3:
        return 0;
    case 4:
        return ~0ull;
    case 5: /* a frame of the guest's */
        return guest_maddr(&pvg, input_take(&in, 1) % GUEST_FRAMES);
    case 6: /* an entry that maps one */
        return guest_maddr(&pvg, input_take(&in, 1) % GUEST_FRAMES) | input_take(&in, 2);
    case 7: /* an entry that maps a stranger's, or a device */
        return input_take(&in, 2) << PAGE_SHIFT | 7;
    case 8:
        return guest_va_at(PV_DATA) + input_take(&in, 2) % (2 * PAGE_SIZE);
    case 9: /* in a page table */
        return guest_va_at(pvg.l4 + input_take(&in, 1) % 5) + input_take(&in, 2) % PAGE_SIZE;
    case 10: /* near the end of some page */
        return guest_va_at(1 + input_take(&in, 1) % GUEST_FRAMES) - input_take(&in, 1) % 32;
    case 11:
        return HYPERVISOR_VIRT_START + input_take(&in, 2);
    case 12:
        return 0x0000800000000000ull - input_take(&in, 1) % 16;
    case 13:
    case 14:
        return words[input_take(&in, 1) % ARRAY_LEN(words)];
    default:
        return 0x80050033u ^ input_take(&in, 1);
    }
}

static uint16_t selector(bool code)
{
    switch (input_take(&in, 1) % 8) {
    case 0:
        return (uint16_t)input_take(&in, 2) | 3;
    case 1:
        return 7; /* the LDT's first */
    case 2:
        return code ? FLAT_RING3_CS32 : FLAT_RING3_SS32;
    default:
        return code ? PV_SEL_KERNEL_CS : PV_SEL_KERNEL_SS;
    }
}

/* Flags that code in ring 3 can have got itself. */
static uint64_t flags(uint64_t wanted)
{
    return pv_eflags_sanitise(wanted) | (wanted & EFLAGS_NT);
}

static void load_registers(void)
{
    uint64_t *const gprs[] = {&pvr->rax, &pvr->rcx, &pvr->rdx, &pvr->rbx, &pvr->rbp,
                              &pvr->rsi, &pvr->rdi, &pvr->r8,  &pvr->r9,  &pvr->r10,
                              &pvr->r11, &pvr->r12, &pvr->r13, &pvr->r14, &pvr->r15};
    uint64_t kinds = input_take(&in, 8);

    for (unsigned i = 0; i < ARRAY_LEN(gprs); i++, kinds >>= 4)
        *gprs[i] = number((unsigned)kinds);
    if (kinds & 8) /* else the stack stays a good one */
        pvr->rsp = number((unsigned)kinds);
    pvr->rflags = flags(input_take(&in, 3));
    pvr->cs = selector(true);
    pvr->ss = selector(false);
}

/* Hostile memory: the instruction changes as soon as it was read (EMU-1). */
static void rewrite_code(uint64_t va, uint64_t bytes)
{
    if (bytes <= 15 && va - guest_va_at(PV_CODE) < 2 * PAGE_SIZE)
        *((uint8_t *)guest_ptr(&pvg,
                               PV_CODE + (unsigned)((va - guest_va_at(PV_CODE)) / PAGE_SIZE)) +
          va % PAGE_SIZE) ^= 0x21;
}

static void cpuid_ones(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = leaf == 0xd && subleaf > 1 ? 0x100 * (i + 1) : ~0u;
}

/* How instructions begin that somebody takes care of: length, bytes. */
static const uint8_t beginnings[][5] = {
    {2, 0x0f, 0x30},
    {2, 0x0f, 0x32},
    {2, 0x0f, 0x31},
    {3, 0x0f, 0x01, 0xd1},
    {3, 0x0f, 0x01, 0xf9},
    {2, 0x0f, 0x20},
    {2, 0x0f, 0x21},
    {2, 0x0f, 0x22},
    {2, 0x0f, 0x23},
    {2, 0x0f, 0x06},
    {2, 0x0f, 0x09},
    {1, 0x6c},
    {1, 0x6d},
    {1, 0x6e},
    {1, 0x6f},
    {1, 0xe4},
    {1, 0xe5},
    {1, 0xe6},
    {1, 0xe7},
    {1, 0xec},
    {1, 0xed},
    {1, 0xee},
    {1, 0xef},
    {1, 0xfa},
    {1, 0xfb},
    {1, 0xcd},
    {1, 0x87},
    {1, 0x89},
    {1, 0x88},
    {1, 0xc7},
    {1, 0xc6},
    {1, 0x81},
    {1, 0x83},
    {1, 0x80},
    {2, 0x0f, 0xb1},
    {2, 0x0f, 0xb0},
    {2, 0x0f, 0xab},
    {2, 0x0f, 0xb3},
    {2, 0x0f, 0xbb},
    {2, 0x0f, 0xba},
    {1, 0x21},
    {1, 0x09},
    {1, 0x31},
    {1, 0x86},
    {2, 0xf3, 0x6d},
    {2, 0xf3, 0x6e},
    {2, 0x48, 0x87},
    {3, 0x48, 0x0f, 0xb1},
    {2, 0x66, 0x89},
    {3, 0x44, 0x0f, 0x22},
    {2, 0x66, 0x6f},
    {3, 0x48, 0x0f, 0xba},
    {3, 0x0f, 0x22, 0xd8},
    {3, 0x0f, 0x22, 0xe0},
    {3, 0x0f, 0x22, 0xc0},
    {3, 0x0f, 0x22, 0xd0},
    {3, 0x0f, 0x20, 0xd8},
    {3, 0x0f, 0x20, 0xe0},
    {3, 0x0f, 0x20, 0xc0},
    {3, 0x0f, 0x23, 0xf8},
};

/* The instruction bytes: at RIP, which lies anywhere, often before something that cannot be read.
 */
static void place_code(void)
{
    unsigned where = (unsigned)input_take(&in, 1), count = (where & 15) + 1, n = 0;
    unsigned offset = (where >> 4 & 3) * 16;
    uint8_t code[16];

    if (where >> 6 == 0) /* behind the first page of code nothing is missing */
        offset = PAGE_SIZE - (where >> 4 & 3) * 3;
    if (where >> 6 == 1) /* behind the third all is */
        offset = 3 * PAGE_SIZE - 1 - (where >> 4 & 3) * 4;
    if (where >> 6 == 2) {
        const uint8_t *b = beginnings[input_take(&in, 1) % ARRAY_LEN(beginnings)];

        for (; n < b[0]; n++)
            code[n] = b[n + 1];
    }
    for (; n < sizeof(code); n++)
        code[n] = n < count ? (uint8_t)input_take(&in, 1) : 0x90;
    pv_code(offset, code, MIN(16u, 3 * PAGE_SIZE - offset));
}

/* Into guest user mode, or back, as the guest itself could. */
static void change_mode(void)
{
    if (pvv->pv.kernel_mode && mfn_is_none(pvv->pv.root_user))
        return;
    pv_toggle_mode(pvv);
}

static void general_protection(void)
{
    uint32_t error = input_take(&in, 1) & 1 ? (uint32_t)input_take(&in, 2) : 0;
    uint64_t rip;

    for (unsigned i = 0; i < AGAIN_MAX; i++) {
        rip = pvr->rip;
        pvr->error_code = error;
        pv_exception(pvr, VEC_GP, 0);
        if (pvr->rip != rip || READ_ONCE(pvg.d->shutting_down))
            return;
    }
    if (pvr->rcx < 64 && !fake_preempt_every)
        broken("an instruction is repeated for ever");
}

static void forced_cpuid(void)
{
    static const uint8_t form[] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};

    if (input_take(&in, 1) & 1)
        pv_code(0, form, sizeof(form));
    pv_exception(pvr, VEC_UD, 0);
}

static void raise_something(void)
{
    unsigned what = (unsigned)input_take(&in, 1);

    switch (what & 15) {
    case 0 ... 3:
        general_protection();
        break;
    case 4 ... 7:
        pvr->error_code = what & 16 ? 7u : (uint32_t)input_take(&in, 1) & 0x1f;
        pv_exception(pvr, VEC_PF, number(what >> 4));
        break;
    case 8:
        forced_cpuid();
        break;
    case 9:
        pv_software_interrupt(pvr, (uint8_t)input_take(&in, 1));
        break;
    case 10:
        pvr->error_code = (uint32_t)input_take(&in, 2);
        pv_exception(pvr, (uint8_t)(what >> 4 | (input_take(&in, 1) & 1) << 4), 0);
        break;
    case 11:
        pvv->vcpu_info->evtchn_upcall_pending = 1;
        pvv->vcpu_info->evtchn_upcall_mask = what >> 4 & 1;
        pvv->nmi_pending = what >> 5 & 1;
        pv_deliver_event(pvr);
        break;
    case 12:
        pvr->ds = (uint16_t)number(what >> 4);
        pv_failsafe(pvr);
        break;
    case 13:
        (void)pv_ldt_fault(input_take(&in, 2));
        break;
    case 14:
        if (!pvv->pv.kernel_mode)
            pv_syscall(pvr);
        break;
    default:
        change_mode();
    }
}

/* What IRET or SYSRET is about to load must be the guest's to have. */
static void check_return(void)
{
    if ((pvr->cs & 3) != 3 || (pvr->ss & 3) != 3)
        broken("not ring 3");
    if (pvr->rflags & (EFLAGS_IOPL | EFLAGS_VM) || !(pvr->rflags & EFLAGS_IF))
        broken("flags that are not a guest's");
    if (!pvv->pv.kernel_mode && mfn_is_none(pvv->pv.root_user))
        broken("user mode without a root");
    if (!mfn_eq(this_cpu()->root, pvv->pv.kernel_mode ? pvv->pv.root_kernel : pvv->pv.root_user))
        broken("another root is loaded than the mode's");
    if (this_cpu()->held_count)
        broken("a lock is held");
}

static void set_up(unsigned how)
{
    pv_begin(how & 1 ? 0 : 5);
    fake_metal.cpuid = how & 2 ? cpuid_ones : NULL;
    pv_cpuid_prepare();
    fake_metal.msrs_exist = how & 4;
    fake_metal.after_guest_read = how & 8 ? rewrite_code : NULL;
    if (how & 16)
        pvg.d->pv.vm_assist |= 1ull << VMASST_TYPE_architectural_iopl;
    pvv->pv.iopl = how >> 5 & 3;
    pvv->pv.iobmp_va = how & 0x80 ? guest_va_at(PV_DATA) : 0;
    pvv->pv.iobmp_limit = 0x8000;
    how = (unsigned)input_take(&in, 1);
    fake_preempt_every = how & 7;
    if (how & 8)
        pvv->pv.traps[input_take(&in, 1)].address = 0;
    if (how & 16)
        pvv->pv.traps[VEC_GP].flags = 4;
    if (how & 32)
        guest_ptr(&pvg, PV_LDT)[0] = input_take(&in, 8);
    if (pv_set_ldt(pvv, guest_va_at(PV_LDT), how & 64 ? 1024 : 3) != 0)
        broken("its LDT was refused");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fake_frames = 768; /* what is audited each time */
    fake_machine_init();
    fake_on_end = on_end;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    in = (struct input){data, size};
    set_up((unsigned)input_take(&in, 1));
    if (setjmp(control_domain_ended) == 0) {
        load_registers();
        for (unsigned i = 0; i < STEPS_MAX && in.left != 0 && !pvg.d->shutting_down; i++) {
            (void)fake_log_take();
            place_code();
            raise_something();
            check_return();
            pvr->rflags = flags(pvr->rflags);
        }
    }
    (void)fake_log_take();
    (void)pv_crashed();
    (void)fake_leak_audit(); /* the pattern that it looks for may come from the guest's registers */
    pv_end();
    return 0;
}
