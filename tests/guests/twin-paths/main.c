/* SPDX-License-Identifier: MIT */
/*
 * Contract: the hand-written paths (hypervisor/x86/fast.S) do what the general ones do. The same
 * hypercalls, system calls, returns, page faults and upcalls, each in every odd state of registers,
 * flags, stacks and events that a guest can make, are driven with either kind (the runner boots
 * this guest again with fastpaths=off) and all that can be seen of the outcome goes into a sum per
 * group: every register and flag at each entry and after each return, the frame, CR2, vcpu_info's
 * bytes.
 *
 * Invariants: ENT-1, ENT-3, ENT-4, ENT-5, ENT-8, ENT-9, ENT-10, MM-18.
 * A failure means: what a guest gets depends on which path it happened to take.
 * Sabotage, in fast.S: leave EFLAGS_AC out of FLAGS_CLEARED: "user syscall, masking" differs. Store
 * 1 for the callback's mask in user_syscall: "user syscall" differs. Read the pending byte alone
 * there: "user syscall, masking" differs; do not OR VCPU_odd: "user syscall, IOPL shown". Drop the
 * `orl EFLAGS_ALWAYS` of IRET_READ: "hypercall" differs, for its single steps. Leave out `andl
 * $~PF_USER`: "kernel fault". Leave out the mask test in hypercall_attention: "events". Take any
 * RIP in iret_from_syscall: "iret to user". Do not restore R9 in hypercall_out: the guest itself
 * fails.
 */
#include "guest.h"

#include <xen/callback.h>
#include <xen/nmi.h>

GUEST_RUN("vcpus=1 ours timeout=120 twin=fastpaths=off");

/* What an entry stub saw, before anything else of ours ran. */
struct seen {
    u64 rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15, rflags;
    u64 frame[9];
    u64 count;
};
extern struct seen seen_syscall, seen_event, seen_pf, seen_nmi;
extern char twin_syscall[], twin_event[], twin_pf[], twin_nmi[];

/* Registers to start from, the instruction's effect, registers afterwards. */
struct probe {
    u64 in[16]; /* rax rbx rcx rdx rsi rdi rbp (rsp) r8..r15 */
    u64 flags;
    u64 out[16];
    u64 flags_out;
    u64 rsp_saved;
};
extern struct probe probe;
void probe_syscall(void);
void probe_load(void);
void probe_store(void);
u64 probe_user_syscall(u64 arg);
u64 probe_user_load(u64 arg);
u64 probe_user_store(u64 arg);
u64 probe_user_fetch(u64 arg);
void probe_land(void);

/* An entry stub: record all, go on at the SDK's. \extra: words above the seven of the frame. */
#define STUB(name)                                                                                 \
    ".globl twin_" #name "\n"                                                                      \
    "twin_" #name ":\n"                                                                            \
    "mov %rax, seen_" #name "(%rip)\n"                                                             \
    "lea seen_" #name "(%rip), %rax\n"                                                             \
    "mov %rbx, 8(%rax); mov %rcx, 16(%rax); mov %rdx, 24(%rax); mov %rsi, 32(%rax)\n"              \
    "mov %rdi, 40(%rax); mov %rbp, 48(%rax); mov %rsp, 56(%rax); mov %r8, 64(%rax)\n"              \
    "mov %r9, 72(%rax); mov %r10, 80(%rax); mov %r11, 88(%rax); mov %r12, 96(%rax)\n"              \
    "mov %r13, 104(%rax); mov %r14, 112(%rax); mov %r15, 120(%rax)\n"                              \
    "pushf; popq 128(%rax)\n"                                                                      \
    "lea 136(%rax), %rdi; mov %rsp, %rsi; mov $8, %ecx; cld; rep movsq\n"                          \
    "incq 208(%rax)\n"                                                                             \
    "mov 32(%rax), %rsi; mov 40(%rax), %rdi; mov 16(%rax), %rcx; mov (%rax), %rax\n"               \
    "jmp *goes_" #name "(%rip)\n"                                                                  \
    ".pushsection .bss; .balign 8\n"                                                               \
    ".globl seen_" #name ", goes_" #name "\n"                                                      \
    "seen_" #name ": .skip 216\n"                                                                  \
    "goes_" #name ": .skip 8\n"                                                                    \
    ".popsection\n"

/* Load the registers of `probe`, its flags last; and store them. RSP is our own throughout. */
#define LOAD                                                                                       \
    "lea probe(%rip), %r15\n"                                                                      \
    "mov (%r15), %rax; mov 8(%r15), %rbx; mov 16(%r15), %rcx; mov 24(%r15), %rdx\n"                \
    "mov 32(%r15), %rsi; mov 40(%r15), %rdi; mov 48(%r15), %rbp; mov 64(%r15), %r8\n"              \
    "mov 72(%r15), %r9; mov 80(%r15), %r10; mov 88(%r15), %r11; mov 96(%r15), %r12\n"              \
    "mov 104(%r15), %r13; mov 112(%r15), %r14\n"                                                   \
    "pushq 128(%r15); mov 120(%r15), %r15; popf\n"
#define STORE                                                                                      \
    "pushf; push %rax; lea probe(%rip), %rax\n"                                                    \
    "mov %rbx, 144(%rax); mov %rcx, 152(%rax); mov %rdx, 160(%rax); mov %rsi, 168(%rax)\n"         \
    "mov %rdi, 176(%rax); mov %rbp, 184(%rax); mov %r8, 200(%rax); mov %r9, 208(%rax)\n"           \
    "mov %r10, 216(%rax); mov %r11, 224(%rax); mov %r12, 232(%rax); mov %r13, 240(%rax)\n"         \
    "mov %r14, 248(%rax); mov %r15, 256(%rax)\n"                                                   \
    "popq 136(%rax); popq 264(%rax)\n"                                                             \
    "pushq $0x202; popf\n"
#define SAVE "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
#define RESTORE "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
#define PROBE(name, insn)                                                                          \
    ".globl probe_" #name "\nprobe_" #name ":\n" SAVE LOAD insn "\n" STORE RESTORE "ret\n"

__asm__(".pushsection .text\n" STUB(syscall) STUB(event) STUB(pf) STUB(nmi)
            PROBE(syscall, "syscall") PROBE(load, "movb (%rdi), %al")
                PROBE(store, "movb %al, (%rdi)") PROBE(user_syscall, "syscall")
                    PROBE(user_load, "movb (%rdi), %al") PROBE(user_store, "movb %al, (%rdi)")
                        PROBE(user_fetch, "call *%rdi")
        /* Where a kernel's iret goes: note everything, go back to who asked. */
        ".globl probe_land\nprobe_land:\n" STORE "mov probe+272(%rip), %rsp\n" RESTORE "ret\n"
        /* void probe_iret(struct front_regs *): leave for that frame, to land above. */
        ".globl probe_iret\nprobe_iret:\n" SAVE "mov %rsp, probe+272(%rip)\n"
        "mov %rdi, %rsp; jmp front_trap_return\n"
        ".pushsection .bss; .balign 8; .globl probe; probe: .skip 280; .popsection\n"
        ".popsection\n");
void probe_iret(struct front_regs *frame);
extern u64 goes_syscall, goes_event, goes_pf, goes_nmi;

/* ---- sums ---- */

static u64 sum;
static unsigned cases;

static void add(u64 v)
{
    sum = (sum ^ v) * 0x100000001b3UL;
    sum ^= sum >> 29;
}

static void add_words(const void *p, size_t bytes)
{
    const u64 *w = p;

    for (size_t i = 0; i < bytes / 8; i++)
        add(w[i]);
}

static void add_all(void)
{
    vcpu_info_t *info = front_vcpu_info(0);

    add_words(&seen_syscall, sizeof(seen_syscall));
    add_words(&seen_event, sizeof(seen_event));
    add_words(&seen_pf, sizeof(seen_pf));
    add_words(&seen_nmi, sizeof(seen_nmi));
    add_words(probe.out, sizeof(probe.out) + sizeof(probe.flags_out));
    add(info->evtchn_upcall_pending | info->evtchn_upcall_mask << 8);
    add(info->evtchn_pending_sel);
    add(info->arch.cr2);
    cases++;
}

static void group(const char *name)
{
    front_printf("TWIN %s: %u cases, %lx\n", name, cases, sum);
    check(cases > 0, "no cases");
    sum = cases = 0;
    memset(&seen_syscall, 0, sizeof(seen_syscall));
    memset(&seen_event, 0, sizeof(seen_event));
    memset(&seen_pf, 0, sizeof(seen_pf));
    memset(&seen_nmi, 0, sizeof(seen_nmi));
}

/* ---- states ---- */

/* CF..OF, TF, DF, NT, AC, ID in many company; bits that POPF does not take are left as they are. */
static const u64 flags[] = {0x202,   0x0,      0x2d7,   0xad7,    0x602,
                            0x4202,  0x40202,  0x46ed7, 0x200202, 0x3202,
                            0x10202, 0x246ad7, 0x302,   0x44702,  0x302 | 0x40000};
#define FLAGS FRONT_ARRAY_SIZE(flags)

static void pattern(u64 seed)
{
    for (unsigned i = 0; i < 16; i++)
        probe.in[i] = (seed + i) * 0x9e3779b97f4a7c15UL;
}

static u64 traps_taken;

/* Single steps are counted and go on; a few dozen of them, then no more. */
static bool on_debug(struct front_regs *regs)
{
    add(regs->rflags & ~0x10000UL);
    add(regs->cs & 3);
    traps_taken++;
    return true;
}

static void callback(unsigned type, u64 address, unsigned how)
{
    struct callback_register reg = {.type = (u16)type, .flags = (u16)how, .address = address};

    check_eq(hc_callback_op(CALLBACKOP_register, &reg), 0);
}

static void trap(unsigned vector, u64 address, unsigned how)
{
    struct trap_info table[2] = {
        {.vector = (u8)vector, .flags = (u8)how, .cs = FLAT_KERNEL_CS, .address = address}, {0}};

    check_eq(hc_set_trap_table(table), 0);
}

/* ---- hypercalls ---- */

static void hypercalls(void)
{
    static const u64 calls[] = {__HYPERVISOR_xen_version,
                                __HYPERVISOR_stack_switch,
                                __HYPERVISOR_get_debugreg,
                                11,
                                63,
                                64,
                                1UL << 32 | 17,
                                ~0UL,
                                __HYPERVISOR_vm_assist,
                                36};

    for (unsigned c = 0; c < FRONT_ARRAY_SIZE(calls); c++) {
        for (unsigned f = 0; f < FLAGS; f++) {
            pattern(c * 100 + f);
            probe.in[0] = calls[c];
            if (calls[c] == __HYPERVISOR_xen_version)
                probe.in[5] = XENVER_version;
            probe.flags = flags[f];
            probe_syscall();
            add_all();
        }
    }
    group("hypercall");
}

/* ---- system calls of a user ---- */

static u64 answer_flags, answer_rflags;

static bool on_syscall(struct front_regs *regs)
{
    add_words(regs, sizeof(*regs));
    add(front_vcpu_info(0)->evtchn_upcall_mask);
    regs->flags = answer_flags;
    regs->rflags = regs->rflags ^ answer_rflags;
    regs->rax = 0x1234567890abcdef;
    return true;
}

static void run_user(u64 (*fn)(u64), u64 rflags)
{
    struct front_regs f;
    struct front_user_result r;

    front_user_prepare(&f, fn, 0);
    f.rflags = rflags;
    r = front_user_enter(&f);
    add(r.faulted);
    add(r.fault);
    if (r.faulted)
        add_words(&r.regs, sizeof(r.regs));
    add_all();
}

static void syscalls(u64 first_flags, const char *name)
{
    static const u64 change[] = {0, 0x200, 0x10000, 0x4000, 0x3000, 0x40000, 0xcd5, 0x120000};

    front_user_set_syscall(on_syscall);
    for (unsigned a = 0; a < 2; a++) {
        for (unsigned c = 0; c < FRONT_ARRAY_SIZE(change); c++) {
            for (unsigned f = 0; f < FLAGS; f++) {
                answer_flags = a ? VGCF_in_syscall : 0;
                answer_rflags = change[c];
                pattern(a * 1000 + c * 100 + f);
                probe.flags = flags[f];
                run_user(probe_user_syscall, first_flags);
            }
        }
    }
    group(name);
}

/* ---- page faults ---- */

#define HOLE 0x0000200000000000UL
#define READ_ONLY 0x0000200000001000UL
#define NO_CODE 0x0000200000002000UL

/* Step over the access, by its length. */
static bool on_page_fault(struct front_regs *regs)
{
    add_words(regs, sizeof(*regs));
    add(front_vcpu_info(0)->evtchn_upcall_mask);
    if (regs->rip == probe.in[5])
        regs->rip = *(u64 *)regs->rsp, regs->rsp += 8; /* a call to where nothing is */
    else
        regs->rip += 2;
    regs->rflags &= ~0x10000UL;
    return true;
}

static const u64 places[] = {
    HOLE, READ_ONLY, NO_CODE, 0xffff800000000000UL, 0xffff810000000000UL, 0x00007fffffffffffUL};

static void user_faults(const char *name)
{
    u64 (*const how[])(u64) = {probe_user_load, probe_user_store, probe_user_fetch};

    for (unsigned p = 0; p < FRONT_ARRAY_SIZE(places); p++) {
        for (unsigned h = 0; h < 3; h++) {
            for (unsigned f = 0; f < FLAGS; f++) {
                if (h == 2 && p != 0 && p != 2)
                    continue;
                pattern(p * 1000 + h * 100 + f);
                probe.in[5] = places[p];
                probe.flags = flags[f];
                run_user(how[h], 0x202);
            }
        }
    }
    group(name);
}

static void kernel_faults(const char *name)
{
    void (*const how[])(void) = {probe_load, probe_store};

    for (unsigned mask = 0; mask < 3; mask++) {
        for (unsigned p = 0; p < FRONT_ARRAY_SIZE(places); p++) {
            for (unsigned h = 0; h < 2; h++) {
                for (unsigned f = 0; f < FLAGS; f++) {
                    pattern(p * 1000 + h * 100 + f);
                    probe.in[5] = places[p];
                    probe.flags = flags[f];
                    front_vcpu_info(0)->evtchn_upcall_mask = (u8)(mask == 2 ? 0x81 : mask);
                    how[h]();
                    add_all();
                }
            }
        }
    }
    front_vcpu_info(0)->evtchn_upcall_mask = 0;
    group(name);
}

/* ---- returns ---- */

static u8 land_stack[FRONT_PAGE_SIZE * 4] FRONT_PAGE_ALIGNED;

static void kernel_returns(void)
{
    static const u64 selectors[] = {FLAT_KERNEL_CS & ~3UL, FLAT_KERNEL_CS & ~2UL, 0xe032,
                                    1UL << 32 | 0xe030};
    static const u64 data[] = {FLAT_KERNEL_SS, FLAT_KERNEL_SS & ~3UL, 5UL << 16 | FLAT_KERNEL_SS};

    for (unsigned n = 0; n < 4 * 3 * FLAGS * 2 * 4; n++) {
        struct front_regs f;
        unsigned odd = n / (4 * 3 * FLAGS * 2);

        memset(&f, 0, sizeof(f));
        for (u64 *w = (u64 *)&f; w < (u64 *)(&f + 1); w++)
            *w = (n + (u64)(w - (u64 *)&f)) * 0x9e3779b97f4a7c15UL;
        f.rip = (u64)probe_land;
        f.cs = selectors[n % 4];
        f.ss = data[n / 4 % 3];
        f.rflags = flags[n / 12 % FLAGS];
        f.flags = n / (12 * FLAGS) % 2 ? VGCF_in_syscall : 0;
        f.rsp = (u64)land_stack + sizeof(land_stack) - 64 - odd * 5;
        probe_iret(&f);
        /* Dead after a return from a system call. */
        if (f.flags)
            probe.out[2] = probe.out[11] = 0;
        add(probe.rsp_saved != 0);
        add_all();
        front_vcpu_info(0)->evtchn_upcall_mask = 0;
    }
    group("iret to kernel");
}

static u64 u_nothing(u64 arg)
{
    return arg;
}

static void user_returns(void)
{
    static const u64 selectors[] = {FLAT_USER_CS, FLAT_USER_CS32, 0x2b, 0x33, 3, 0xe02b, 0x1e033};
    u64 rips[] = {(u64)u_nothing,
                  0,
                  0x0000800000000000UL,
                  0xffff7fffffffffffUL,
                  HYPERVISOR_VIRT_START,
                  0x00007fffffffffffUL,
                  ~0UL};
    u64 sps[] = {0, 0x8000000000000001UL, 0, HYPERVISOR_VIRT_END - 8, 3};

    for (u64 n = 0; n < 7 * 7 * FLAGS * 7 * 2; n++) {
        struct front_regs f;
        struct front_user_result r;

        front_user_prepare(&f, u_nothing, n);
        sps[0] = f.rsp;
        sps[2] = f.rsp - 9;
        f.cs = selectors[n % 7] | 3;
        f.ss = n / 7 % 7 == 0 ? FLAT_USER_SS : selectors[n / 7 % 7] | 3;
        f.rflags = flags[n / 49 % FLAGS] & ~0x100UL;
        f.rip = rips[n / (49 * FLAGS) % 7];
        f.rsp = sps[n % 5];
        f.flags = n / (49 * FLAGS * 7) ? VGCF_in_syscall : 0;
        r = front_user_enter(&f);
        add(r.faulted);
        add(r.fault);
        /* The stack pointer's rest at the exit call tells where it stood. */
        add_words(&r.regs, sizeof(r.regs));
        add_all();
        front_vcpu_info(0)->evtchn_upcall_mask = 0;
    }
    group("iret to user");
}

/* ---- events ---- */

static evtchn_port_t port;

static void on_port(evtchn_port_t p, void *opaque)
{
    (void)opaque;
    add(p);
}

/* An event pending, masked or not, at each of the ways out. */
static void events(void)
{
    vcpu_info_t *info = front_vcpu_info(0);
    struct evtchn_send send = {.port = port};

    for (unsigned f = 0; f < FLAGS; f++) {
        for (unsigned mask = 0; mask < 3; mask++) {
            pattern(f * 10 + mask);
            probe.in[0] = __HYPERVISOR_event_channel_op;
            probe.in[5] = EVTCHNOP_send;
            probe.in[4] = (u64)&send;
            probe.flags = flags[f];
            info->evtchn_upcall_mask = (u8)(mask == 2 ? 0x80 : mask);
            probe_syscall();
            add_all();
            /* A fault with it pending; and another, which returns to where it is delivered. */
            pattern(f);
            probe.in[5] = HOLE;
            probe.flags = flags[f];
            probe_load();
            add_all();
            info->evtchn_upcall_mask = 0;
            probe_load();
            add_all();
        }
    }
    group("events");
}

/* User code that makes itself an event, or masks them, and calls. */
static u64 u_pend(u64 arg)
{
    vcpu_info_t *info = front_vcpu_info(0);

    info->evtchn_upcall_mask = (u8)arg;
    info->evtchn_upcall_pending = (u8)(arg >> 8);
    return probe_user_syscall(0);
}

static void user_events(void)
{
    for (unsigned n = 0; n < 16; n++) {
        static const u8 bytes[] = {0, 1, 2, 0xff};
        struct front_regs f;
        struct front_user_result r;

        front_user_prepare(&f, u_pend, (u64)bytes[n % 4] | (u64)bytes[n / 4] << 8);
        pattern(n);
        probe.flags = 0x202;
        answer_rflags = 0;
        r = front_user_enter(&f);
        add(r.faulted);
        add(r.fault);
        add_all();
        front_vcpu_info(0)->evtchn_upcall_mask = 0;
        front_vcpu_info(0)->evtchn_upcall_pending = 0;
    }
    group("user's events");
}

/* ---- NMIs ---- */

static unsigned nmi_depth;

/* Another one is asked for from within: it waits for the return. */
static bool on_nmi(struct front_regs *regs)
{
    add_words(regs, sizeof(*regs));
    if (nmi_depth++ < 2) {
        check_eq(hc_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
        pattern(nmi_depth);
        probe.in[0] = __HYPERVISOR_xen_version;
        probe.in[5] = XENVER_version;
        probe.flags = 0x202;
        probe_syscall();
        add_all();
        probe.in[5] = HOLE;
        probe_load();
        add_all();
    }
    return true;
}

static void nmis(void)
{
    callback(CALLBACKTYPE_nmi, (u64)twin_nmi, 0);
    front_trap_set(2, on_nmi);
    for (unsigned i = 0; i < 4; i++) {
        nmi_depth = 0;
        check_eq(hc_vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
        check(nmi_depth == 3, "%u NMIs", nmi_depth);
        add_all();
    }
    group("NMIs");
}

/* ---- stacks ---- */

/* Entries from user mode with the kernel's stack pointer anywhere in two pages, one the other's
 * neighbour. */
static void stacks(void)
{
    u64 top = (u64)land_stack + 2 * FRONT_PAGE_SIZE;

    answer_flags = answer_rflags = 0;
    for (unsigned off = 0; off < 200; off++) {
        check_eq(hc_stack_switch(FLAT_KERNEL_SS, top + 96 - off), 0);
        pattern(off);
        probe.flags = 0x202;
        run_user(probe_user_syscall, 0x202);
        probe.in[5] = HOLE;
        run_user(probe_user_load, 0x202);
    }
    front_trap_vcpu_init();
    callback(CALLBACKTYPE_syscall, (u64)twin_syscall, 0);
    group("stacks");
}

/* Watchpoints on what the hypervisor writes for us. */
static void watched(void)
{
    u64 top = (u64)land_stack + FRONT_PAGE_SIZE;

    check_eq(hc_stack_switch(FLAT_KERNEL_SS, top), 0);
    for (unsigned word = 0; word < 9; word++) {
        check_eq(hc_set_debugreg(0, top - 8 - word * 8), 0);
        check_eq(hc_set_debugreg(7, 0xd0001 | 0x400), 0);
        pattern(word);
        probe.flags = 0x202;
        run_user(probe_user_syscall, 0x202);
        probe.in[5] = HOLE;
        run_user(probe_user_load, 0x202);
        check_eq(hc_set_debugreg(7, 0x400), 0);
        hc_set_debugreg(6, 0);
    }
    front_trap_vcpu_init();
    callback(CALLBACKTYPE_syscall, (u64)twin_syscall, 0);
    group("watchpoints");
}

/* ---- addresses at the edges ---- */

/* `syscall` as the last instruction of the lower half: its return address is not canonical. */
static void edge_of_half(void)
{
    u8 *page = front_page_alloc();

    memset(page, 0x90, FRONT_PAGE_SIZE);
    page[4094] = 0x0f;
    page[4095] = 0x05;
    check_eq(front_map(0x00007ffffffff000UL, front_va_to_mfn(page), PTE_KERN), 0);
    for (unsigned n = 0; n < 4; n++) {
        struct front_regs f;
        struct front_user_result r;

        answer_flags = n & 1 ? VGCF_in_syscall : 0;
        front_user_prepare(&f, u_nothing, n);
        f.rip = 0x00007ffffffffffeUL - (n & 2);
        r = front_user_enter(&f);
        add(r.faulted);
        add(r.fault);
        add_words(&r.regs, sizeof(r.regs));
        add_all();
        front_vcpu_info(0)->evtchn_upcall_mask = 0;
    }
    check_eq(front_unmap(0x00007ffffffff000UL), 0);
    group("edge of the lower half");
}

void guest_test(void)
{
    u64 *page = front_page_alloc();
    u64 high = (u64)twin_syscall;

    check(high >> 63, "this guest is meant for the upper half");
    check_eq(front_user_root_init(), 0);
    check_eq(front_map(READ_ONLY, front_va_to_mfn(page), PTE_KERN & ~PTE_RW), 0);
    check_eq(front_map(NO_CODE, front_va_to_mfn(page), PTE_KERN | PTE_NX), 0);
    goes_syscall = front_trap_stub(FRONT_VEC_SYSCALL);
    goes_event = front_trap_stub(FRONT_VEC_EVENT);
    goes_pf = front_trap_stub(14);
    goes_nmi = front_trap_stub(2);
    callback(CALLBACKTYPE_event, (u64)twin_event, CALLBACKF_mask_events);
    callback(CALLBACKTYPE_syscall, (u64)twin_syscall, CALLBACKF_mask_events);
    trap(14, (u64)twin_pf, 4);
    front_trap_set(1, on_debug);
    front_trap_set(14, on_page_fault);
    port = (evtchn_port_t)front_evtchn_bind_ipi(0);
    front_evtchn_handle(port, on_port, NULL);
    front_evtchn_unmask(port);

    hypercalls();
    syscalls(0x202, "user syscall, masking");
    callback(CALLBACKTYPE_syscall, (u64)twin_syscall, 0);
    syscalls(0x202, "user syscall");
    syscalls(0x2, "syscall masked");
    user_faults("user fault");
    kernel_faults("kernel fault");
    trap(14, (u64)twin_pf, 0);
    user_faults("user fault, not masking");
    kernel_faults("kernel fault, not masking");
    kernel_returns();
    front_trap_set(14, NULL);
    user_returns();
    edge_of_half();
    front_trap_set(14, on_page_fault);
    events();
    user_events();
    stacks();
    watched();
    nmis();
    check_eq(hc_vm_assist(VMASST_CMD_enable, VMASST_TYPE_architectural_iopl), 0);
    syscalls(0x3202, "user syscall, IOPL shown");
    check_eq(hc_vm_assist(VMASST_CMD_disable, VMASST_TYPE_architectural_iopl), 0);
    check(traps_taken > 0, "no single step");
}
