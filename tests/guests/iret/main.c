/* SPDX-License-Identifier: MIT */
/*
 * Contract: HYPERVISOR_iret. It loads RAX, R11, RCX, RIP, CS, RFLAGS, RSP, SS from the frame, all
 * other registers stay live; CS RPL 3 means user mode, anything else guest kernel mode; RFLAGS.IF
 * becomes the inverse of the event mask while the real IF stays set and IOPL, VM stay 0. User
 * mode's `syscall` enters the registered callback with RCX = next RIP, R11 = RFLAGS. A frame that
 * the processor refuses enters the kernel instead, once and with the frame unchanged: by the
 * failsafe callback, or (as Debian's Xen 4.17 does) as #GP with the selector as if user code had
 * raised it; a kernel has to expect either. Without a user root, going to user mode is the end
 * (crash-no-user-root).
 *
 * Invariants: ENT-1, ENT-3, ENT-8, ENT-9, HC-4.
 * A failure means: user processes run with wrong registers or flags, or can take down more than
 * themselves with a bad return frame.
 * Sabotage: give front_user_jump's way out (`front_trap_return`) an extra `not %r9`.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static struct front_regs seen;
static u64 failsafes, syscalls;
static u8 mask_inside;

/* User code: store what arrived in all registers on the user stack, then exit with its address. */
u64 user_dump(u64 arg);
__asm__(".text\n"
        "user_dump:\n"
        "    pushf\n"
        "    push %r15; push %r14; push %r13; push %r12; push %r11; push %r10; push %r9; push %r8\n"
        "    push %rbp; push %rdi; push %rsi; push %rdx; push %rcx; push %rbx; push %rax\n"
        "    mov %rsp, %rdi\n"
        "    mov $0x45584954, %eax\n"
        "    syscall\n");

static void registers(u64 iret_flags)
{
    static const char *const names[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
                                        "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rflags"};
    struct front_regs f;
    u64 *got, want[16];

    front_user_prepare(&f, user_dump, 0);
    f.flags = iret_flags;
    f.rax = 1, f.rbx = 2, f.rcx = 3, f.rdx = 4, f.rsi = 5, f.rdi = 6, f.rbp = 7, f.r8 = 8;
    f.r9 = 9, f.r10 = 10, f.r11 = 11, f.r12 = 12, f.r13 = 13, f.r14 = 14, f.r15 = 15;
    f.rflags = 0x2d7;
    for (unsigned i = 0; i < 15; i++)
        want[i] = i + 1;
    want[15] = f.rflags;
    got = (u64 *)front_user_enter(&f).value;
    for (unsigned i = 0; i < 16; i++) {
        /* In a system call context RCX and R11 are discarded. */
        if (iret_flags & VGCF_in_syscall && (i == 2 || i == 10))
            continue;
        check(got[i] == want[i], "iret flags %lx: %s is %lx, wanted %lx", iret_flags, names[i],
              got[i], want[i]);
    }
}

static u64 user_flags(u64 arg)
{
    (void)arg;
    return front_rflags();
}

static void flags(void)
{
    static const struct {
        u64 in, mask;
    } cases[] = {{0x202, 0}, {0x002, 1}, {0x3202, 0}, {0x3002, 1}, {0x23202, 0}, {0xd7, 1}};
    struct front_regs f;

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(cases); i++) {
        struct front_user_result r;

        front_user_prepare(&f, user_flags, 0);
        f.rflags = cases[i].in;
        r = front_user_enter(&f);
        check((r.value & 0x23200) == 0x200, "rflags %lx in, %lx in user mode", cases[i].in,
              r.value);
        /* What the kernel is shown has IF as the mask stood while user code ran. */
        check((r.regs.rflags & 0x200) == (cases[i].mask ? 0 : 0x200), "in %lx: frame rflags %lx",
              cases[i].in, r.regs.rflags);
        check((r.regs.cs >> 32 & 0xff) == cases[i].mask, "in %lx: frame cs %lx", cases[i].in,
              r.regs.cs);
    }
}

static u64 user_two_calls(u64 arg)
{
    return front_user_syscall(1, arg) + front_user_syscall(2, arg);
}

static bool on_syscall(struct front_regs *regs)
{
    seen = *regs;
    mask_inside = front_vcpu_info(0)->evtchn_upcall_mask;
    syscalls++;
    regs->rax = regs->rax * 1000 + regs->rdi;
    regs->flags = syscalls & 1 ? VGCF_in_syscall : 0;
    return true;
}

static void syscall_callback(void)
{
    struct front_user_result r;

    front_user_set_syscall(on_syscall);
    r = front_user_run(user_two_calls, 5);
    check_eq(r.value, 1005 + 2005);
    check_eq(syscalls, 2);
    check_eq(mask_inside, 1);
    check(seen.rcx == seen.rip, "rcx %lx rip %lx", seen.rcx, seen.rip);
    check((seen.r11 & 0x3200) == 0x200, "r11 %lx", seen.r11);
    check((seen.cs & 3) == 3 && (seen.ss & 3) == 3, "cs %lx ss %lx", seen.cs, seen.ss);
    /* A hypercall number means nothing in user mode: it is just another system call. */
    syscalls = 0;
    r = front_user_run(user_two_calls, __HYPERVISOR_xen_version);
    check_eq(syscalls, 2);
}

static bool on_failsafe(struct front_regs *regs)
{
    seen = *regs;
    failsafes++;
    return false;
}

static void bad_frames(void)
{
    static const struct {
        const char *what;
        u16 cs, ss, error;
    } cases[] = {
        {"cs beyond the GDT", 0xfff3, FLAT_USER_SS, 0xfff0},
        {"null cs", 0x0003, FLAT_USER_SS, 0},
        {"data segment as cs", FLAT_USER_SS, FLAT_USER_SS, 0xe028},
        {"cs in an absent LDT", 0x0007, FLAT_USER_SS, 4},
        {"code segment as ss", FLAT_USER_CS, FLAT_USER_CS, 0xe030},
        {"ss beyond the GDT", FLAT_USER_CS, 0xfffb, 0xfff8},
    };
    struct front_regs f;

    front_trap_set(FRONT_VEC_FAILSAFE, on_failsafe);
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(cases); i++) {
        struct front_user_result r;

        failsafes = 0;
        front_user_prepare(&f, user_flags, 0);
        f.cs = cases[i].cs;
        f.ss = cases[i].ss;
        r = front_user_enter(&f);
        check(r.faulted && (failsafes == 1 || r.fault == GP(cases[i].error)),
              "%s: %lu failsafe calls, fault %lx value %lx", cases[i].what, failsafes, r.fault,
              r.value);
        check((r.regs.cs & 0xffff) == cases[i].cs && r.regs.ss == cases[i].ss &&
                  r.regs.rip == f.rip && r.regs.rsp == f.rsp,
              "%s: frame cs %lx ss %lx rip %lx rsp %lx", cases[i].what, r.regs.cs, r.regs.ss,
              r.regs.rip, r.regs.rsp);
        check(!failsafes || !(front_failsafe_sel[0] | front_failsafe_sel[1] |
                              front_failsafe_sel[2] | front_failsafe_sel[3]),
              "%s: data selectors changed", cases[i].what);
    }
}

/* An iret within guest kernel mode, from a trap handler: every selector RPL but 3 means kernel. */
static bool to_rpl(struct front_regs *regs)
{
    regs->cs = (FLAT_KERNEL_CS & ~3UL) | (regs->cs & 1);
    regs->rip += 2;
    return true;
}

static void kernel_to_kernel(void)
{
    front_trap_set(6, to_rpl);
    __asm__ volatile("ud2" ::: "memory");
    front_trap_set(6, NULL);
    check_eq(FAULT("hlt", :), GP(0)); /* still the kernel, not a user process */
    /* The mask follows IF in kernel-to-kernel returns too. */
    front_irq_disable();
    check_eq(FAULT("ud2", :), UD());
    check_eq(front_irq_enabled(), false);
    front_irq_enable();
    check_eq(FAULT("ud2", :), UD());
    check_eq(front_irq_enabled(), true);
}

static u64 events;

static void on_event(evtchn_port_t port, void *opaque)
{
    (void)port;
    (void)opaque;
    events++;
}

/* An event that waits is delivered by the iret that opens the mask, before the next instruction. */
static void delivers_events(void)
{
    int port = front_evtchn_bind_ipi(0);

    front_evtchn_handle((evtchn_port_t)port, on_event, NULL);
    front_evtchn_unmask((evtchn_port_t)port);
    front_irq_disable();
    front_evtchn_send((evtchn_port_t)port);
    check_eq(events, 0);
    front_user_run(user_flags, 0);
    check_eq(events, 1);
    front_evtchn_close((evtchn_port_t)port);
}

void guest_test(void)
{
    check_eq(front_user_root_init(), 0);
    registers(0);
    registers(VGCF_in_syscall);
    flags();
    syscall_callback();
    bad_frames();
    kernel_to_kernel();
    delivers_events();
}
