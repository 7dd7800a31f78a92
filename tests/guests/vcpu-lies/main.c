/* SPDX-License-Identifier: MIT */
/*
 * Contract: what a guest says about its own vCPUs. A context with a wrong root, descriptor frame
 * or address, or in user mode without a user root, is refused and the vCPU stays as it was; one
 * with wild flags, selectors and debug registers starts, but in ring 3 with clean flags. Areas that
 * the hypervisor keeps up to date are written with the guest's own rights, wherever their address
 * leads by then.
 *
 * Invariants: LC-9, ENT-2, ENT-3, ENT-7, ENT-8, ENT-12, ENT-15, HC-1, HC-11, EV-9, HC-12.
 * Advisories: 1, 12, 20, 98, 193, 327.
 * A failure means: a guest starts a vCPU in a state that no instruction could have reached.
 * Sabotage: let context_is_sane() in pv/state.c accept user mode without a user root: it starts. In
 * pv/root.c drop the test for MFN_NONE.n: NEW_USER_BASEPTR takes it for none.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 append=dom0_max_vcpus=8 append=guest_loglvl=none");

#define WINDOW 0x0000100000000000UL
#define SECOND 1000000000UL

static vcpu_guest_context_t c;
/* What a vCPU that has started found: cs, ss, rflags, and that it ran. */
static volatile u64 seen[4];
static u8 stack[4096] FRONT_PAGE_ALIGNED;
static u64 *data, *table;

void lies_entry(void);
__asm__(".text\n"
        ".globl lies_entry\n"
        "lies_entry:\n"
        "mov %cs, %rax\n mov %rax, 0(%rbp)\n"
        "mov %ss, %rax\n mov %rax, 8(%rbp)\n"
        "pushfq\n pop %rax\n mov %rax, 16(%rbp)\n"
        "incq 24(%rbp)\n"
        "1: mov $24, %eax\n" /* vcpu_op */
        "mov $2, %edi\n"     /* down */
        "mov %rbx, %rsi\n"
        "xor %edx, %edx\n"
        "syscall\n"
        "jmp 1b\n");

static void good_context(void)
{
    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel;
    c.user_regs.rip = (u64)lies_entry;
    c.user_regs.rsp = (u64)stack + sizeof(stack);
    c.user_regs.rbp = (u64)seen;
    c.user_regs.rflags = 0x202;
    c.user_regs.cs = FLAT_KERNEL_CS;
    c.user_regs.ss = FLAT_KERNEL_SS;
    c.kernel_ss = FLAT_KERNEL_SS;
    c.kernel_sp = (u64)stack + sizeof(stack);
    c.ctrlreg[3] = xen_pfn_to_cr3(front_root_mfn());
    c.event_callback_eip = c.failsafe_callback_eip = (u64)lies_entry;
    /* A single step, or whatever else befalls it, leads to the same place. */
    for (unsigned v = 0; v < 32; v++)
        c.trap_ctxt[v] =
            (struct trap_info){.vector = (u8)v, .cs = FLAT_KERNEL_CS, .address = (u64)lies_entry};
}

static void refused(const char *what)
{
    long rc = hc_vcpu_op(VCPUOP_initialise, 1, &c);

    check(rc < 0 && rc != -XEN_EEXIST, "%s: %ld", what, rc);
    check(hc_vcpu_op(VCPUOP_up, 1, 0) < 0, "%s: and then up", what);
    good_context();
}

static void bad_contexts(void)
{
    const u64 roots[] = {front_va_to_mfn(data), 1UL << 39, ~0UL >> 12, front_si->shared_info >> 12};

    good_context();
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(roots); i++) {
        c.ctrlreg[3] = xen_pfn_to_cr3(roots[i]);
        refused("a root that is none");
        c.ctrlreg[1] = xen_pfn_to_cr3(roots[i]) | 1;
        refused("a user root that is none");
        c.gdt_ents = 512;
        c.gdt_frames[0] = i < 1 ? front_root_mfn() : roots[i];
        refused("a GDT in a frame that cannot be");
    }
    c.flags = 0;
    c.user_regs.cs = FLAT_USER_CS;
    c.user_regs.ss = FLAT_USER_SS;
    refused("user mode without a user root");
    c.flags = 0;
    c.user_regs.cs = FLAT_USER_CS;
    c.user_regs.ss = FLAT_USER_SS;
    c.ctrlreg[1] = 0xfff; /* no number, though not zero */
    refused("user mode on flags of a user root");
    c.gdt_ents = 8193;
    c.gdt_frames[0] = front_va_to_mfn(table);
    refused("a GDT of 8193 entries");
    c.gdt_ents = ~0UL;
    refused("a GDT of all entries");
    c.ldt_base = (u64)table;
    c.ldt_ents = 8193;
    refused("an LDT of 8193 entries");
    c.ldt_base = HYPERVISOR_VIRT_START;
    c.ldt_ents = 16;
    refused("an LDT of the hypervisor's");
    c.syscall_callback_eip = 0x0000800000000000UL;
    refused("a syscall callback that is not canonical");
    c.gs_base_user = 0x8000000000000000UL;
    refused("a user GS base that is not canonical");
    check_eq(front_mmuext1(MMUEXT_NEW_USER_BASEPTR, ~0UL), -XEN_EINVAL);
    check(hc_vcpu_op(VCPUOP_initialise, 1, HYPERVISOR_VIRT_START) < 0, "the hypervisor's memory");
    check(hc_vcpu_op(VCPUOP_initialise, 1, 0x1000) < 0, "no memory");
    check(hc_vcpu_op(VCPUOP_initialise, 8, &c) < 0, "vCPU 8 of 8");
    check(hc_vcpu_op(VCPUOP_initialise, ~0U, &c) < 0, "vCPU -1");
}

static void start(unsigned id, const char *what)
{
    u64 before = seen[3], end = front_time_ns() + SECOND;
    long rc;

    c.user_regs.rbx = id;
    rc = hc_vcpu_op(VCPUOP_initialise, id, &c);
    if (rc) /* refusing the lie is as good */
        return;
    check_eq(hc_vcpu_op(VCPUOP_up, id, 0), 0);
    while (seen[3] == before && front_time_ns() < end)
        hc_sched_op(SCHEDOP_yield, 0);
    check(seen[3] > before, "%s: vCPU %u does not run", what, id);
    check((seen[0] & 3) == 3 && (seen[1] & 3) == 3, "%s: cs %lx ss %lx", what, seen[0], seen[1]);
    check((seen[2] & 0x23200) == 0x200, "%s: rflags %lx", what, seen[2]);
    while (hc_vcpu_op(VCPUOP_is_up, id, 0) == 1 && front_time_ns() < end)
        hc_sched_op(SCHEDOP_yield, 0);
}

/* One lie at a time about flags and control registers, then about selectors. */
static void lying(void)
{
    static const u64 flags[] = {0, 0x3000, 0x27000, 0x3ff7ed5};
    static const u16 code[] = {0xe008, 0x10, FLAT_KERNEL_CS},
                     stacks[] = {FLAT_KERNEL_SS, 0xe010, 0};
    unsigned id = 1;

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(flags); i++) {
        good_context();
        c.user_regs.rflags = flags[i];
        c.flags = VGCF_in_kernel | (i & 1 ? ~0U << 8 : 0);
        c.user_regs.error_code = c.user_regs.entry_vector = ~0U;
        for (unsigned r = 0; r < 8; r++)
            c.debugreg[r] = (u64[]){0, 0x400, HYPERVISOR_VIRT_START, ~0UL}[i];
        c.ctrlreg[0] = c.ctrlreg[4] = i ? ~0UL : 0;
        start(id++, "flags");
    }
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(code); i++) {
        good_context();
        c.user_regs.cs = code[i];
        c.user_regs.ss = stacks[i];
        c.user_regs.ds = c.user_regs.es = (u16[]){0x7, 0xe02b, 0xfff8}[i];
        c.user_regs.fs = c.user_regs.gs = (u16[]){0xe010, 0xfffb, 7}[i];
        c.kernel_ss = (u16)(i * 8);
        start(id++, "selectors");
    }
}

static void switch_away(void)
{
    hc_set_timer_op(front_time_ns() + 3000000);
    front_irq_disable();
    hc_sched_op(SCHEDOP_poll, &(struct sched_poll){.timeout = front_time_ns() + 2000000});
    front_irq_enable();
}

/* The runstate area's address is the guest's: what it means may change at any time. */
static void areas(void)
{
    struct vcpu_register_runstate_memory_area at = {.addr.p = WINDOW + 128};
    static const u64 bad[] = {HYPERVISOR_VIRT_START, HYPERVISOR_VIRT_END - 8, 0x0000800000000000UL,
                              0x00007fffffffffffUL, ~0UL};

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(bad); i++) {
        at.addr.p = bad[i];
        hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &at);
        switch_away();
    }
    check_eq(front_map(WINDOW, front_va_to_mfn(data), PTE_KERN), 0);
    for (unsigned offset = 0; offset < 4096; offset += 61) { /* also across the end of the page */
        at.addr.p = WINDOW + offset;
        hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &at);
        switch_away();
    }
    at.addr.p = WINDOW + 128;
    check_eq(hc_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &at), 0);
    switch_away();
    check(data[17] != 0, "the area is not written");
    check_eq(front_unmap(WINDOW), 0);
    switch_away();
    /* A pinned table there, mapped read-only as it must be: nothing may be written. */
    check_eq(front_mmuext1(MMUEXT_PIN_L1_TABLE, front_va_to_mfn(table)), 0);
    check_eq(front_map(WINDOW, front_va_to_mfn(table), PTE_KERN & ~PTE_RW), 0);
    switch_away();
    for (unsigned i = 0; i < 512; i++)
        check(table[i] == 0, "entry %u of a table became %lx", i, table[i]);
    check_eq(front_unmap(WINDOW), 0);
    check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(table)), 0);
}

/* Periods and deadlines at the ends of their range (20): time goes on all the same. */
static void timers(void)
{
    static const u64 periods[] = {0, 1, 999999, ~0UL, 1UL << 63, 1UL << 62};
    u64 before = front_time_ns();

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(periods); i++) {
        struct vcpu_set_periodic_timer p = {.period_ns = periods[i]};
        struct vcpu_set_singleshot_timer s = {.timeout_abs_ns = periods[i]};

        hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &p);
        hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &s);
        hc_set_timer_op(periods[i]);
        for (unsigned n = 0; n < 50; n++)
            hc_sched_op(SCHEDOP_yield, 0);
        hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, 0);
        hc_vcpu_op(VCPUOP_stop_singleshot_timer, 0, 0);
    }
    check(front_time_ns() > before, "time stands");
}

void guest_test(void)
{
    data = front_page_alloc();
    table = front_table_alloc();
    bad_contexts();
    lying();
    areas();
    timers();
    check_eq(FAULT("ud2", :), UD());
}
