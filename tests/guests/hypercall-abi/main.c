/* SPDX-License-Identifier: MIT */
/*
 * Contract: the calling convention. A hypercall is `syscall` with the number in RAX, bare or
 * through the hypercall page; it changes RAX, RCX and R11 and no other register, not even its
 * arguments; every number that is not a hypercall answers -ENOSYS; of an argument that is an int
 * only the lower half counts. Also what every guest asks
 * first: XENVER_* in full, text zero-padded to the end of its buffer.
 *
 * Invariants: HC-3 (outputs fully initialised), HC-8 (unknown numbers), ENT-10 (registers).
 * A failure means: guests that keep values in registers across a hypercall, as Linux does, are
 * corrupted; or a guest reads stale hypervisor bytes as text.
 * Sabotage: make probe's asm load r14 after the syscall (`not %r14`): registers() fails. Let
 * hc_fpu_taskswitch() or another handler take a uint64_t for an int: upper_halves() fails.
 */
#include "guest.h"

#include <xen/callback.h>
#include <xen/nmi.h>
#include <xen/physdev.h>

GUEST_RUN("vcpus=1");

enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, FLAGS, NR };
static const char *const names[NR] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8",
                                      "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "flags"};

/* Load all registers from the array, call, store them all back. R11 chooses the way in: the page
 * slot to call, or 0 for a bare syscall. */
void probe(u64 regs[NR]);
__asm__(".text\n"
        "probe:\n"
        "    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"
        "    push 120(%rdi); popf\n"
        "    mov 0(%rdi), %rax;   mov 8(%rdi), %rbx;   mov 16(%rdi), %rcx;  mov 24(%rdi), %rdx\n"
        "    mov 32(%rdi), %rsi;  mov 48(%rdi), %rbp;  mov 56(%rdi), %r8;   mov 64(%rdi), %r9\n"
        "    mov 72(%rdi), %r10;  mov 80(%rdi), %r11;  mov 88(%rdi), %r12;  mov 96(%rdi), %r13\n"
        "    mov 104(%rdi), %r14; mov 112(%rdi), %r15; mov 40(%rdi), %rdi\n"
        "    jrcxz 1f\n"
        "    call *%r11\n"
        "    jmp 2f\n"
        "1:  syscall\n"
        "2:  push %rdi; pushf; mov 16(%rsp), %rdi; pop 120(%rdi)\n"
        "    mov %rax, 0(%rdi);   mov %rbx, 8(%rdi);   mov %rcx, 16(%rdi);  mov %rdx, 24(%rdi)\n"
        "    mov %rsi, 32(%rdi);  mov %rbp, 48(%rdi);  mov %r8, 56(%rdi);   mov %r9, 64(%rdi)\n"
        "    mov %r10, 72(%rdi);  mov %r11, 80(%rdi);  mov %r12, 88(%rdi);  mov %r13, 96(%rdi)\n"
        "    mov %r14, 104(%rdi); mov %r15, 112(%rdi); pop 40(%rdi)\n"
        "    pop %rdi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; cld\n"
        "    ret\n");

static void registers(u64 nr, bool by_page, u64 a1, u64 a2, u64 want)
{
    u64 regs[NR], before[NR];

    for (unsigned i = 0; i < NR; i++)
        regs[i] = 0x1111111111111111UL * i + 0xabcd;
    regs[RAX] = nr;
    regs[RCX] = by_page;
    regs[R11] = (u64)front_hypercall_page + nr * 32;
    regs[RDI] = a1;
    regs[RSI] = a2;
    regs[FLAGS] = 0x2d7; /* CF PF AF ZF SF, with IF: all must survive */
    memcpy(before, regs, sizeof(regs));
    probe(regs);
    check_eq(regs[RAX], want);
    for (unsigned i = 0; i < NR; i++) {
        if (i != RAX && i != RCX && i != R11)
            check(regs[i] == before[i], "hypercall %lu%s: %s was %lx, is %lx", nr,
                  by_page ? " by page" : "", names[i], before[i], regs[i]);
    }
}

static void unknown_numbers(void)
{
    static const u64 numbers[] = {11,
                                  38,
                                  43,
                                  44,
                                  47,
                                  56,
                                  63,
                                  64,
                                  127,
                                  128,
                                  1024,
                                  0xffffffff,
                                  1UL << 32 | __HYPERVISOR_xen_version,
                                  1UL << 63,
                                  ~0UL};

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(numbers); i++)
        check(front_hc0(numbers[i]) == -XEN_ENOSYS, "hypercall %lx answers %ld", numbers[i],
              front_hc0(numbers[i]));
}

/* Text: something, then zeroes to the end of the buffer, and not one byte beyond it. */
static void text(const char *what, unsigned cmd, size_t size, bool may_be_empty)
{
    static char buf[XEN_CAPABILITIES_INFO_LEN + 64];
    long rc;
    size_t end;

    memset(buf, 0xee, sizeof(buf));
    rc = hc_xen_version(cmd, buf);
    check(rc == 0, "%s answers %ld", what, rc);
    for (end = 0; end < size && buf[end]; end++)
        check((u8)buf[end] >= ' ' && (u8)buf[end] < 127, "%s: byte %zu is %x", what, end, buf[end]);
    check(end < size && (end || may_be_empty), "%s: text of %zu bytes", what, end);
    for (size_t i = end; i < size; i++) {
        if (!check(!buf[i], "%s: byte %zu after the text is %x", what, i, (u8)buf[i]))
            break;
    }
    check((u8)buf[size] == 0xee, "%s wrote past its %zu bytes", what, size);
}

static void compile_info(void)
{
    struct xen_compile_info info;

    memset(&info, 0xee, sizeof(info));
    check_eq(hc_xen_version(XENVER_compile_info, &info), 0);
    for (size_t i = strlen(info.compiler); i < sizeof(info.compiler); i++)
        check_eq(info.compiler[i], 0);
    for (size_t i = strlen(info.compile_date); i < sizeof(info.compile_date); i++)
        check_eq(info.compile_date[i], 0);
    check(info.compiler[0] && info.compile_date[0]);
    check(strlen(info.compile_by) < sizeof(info.compile_by));
    check(strlen(info.compile_domain) < sizeof(info.compile_domain));
}

static void features(void)
{
    xen_feature_info_t f = {.submap_idx = 0, .submap = 0xeeeeeeee};

    check_eq(hc_xen_version(XENVER_get_features, &f), 0);
    check(f.submap >> XENFEAT_mmu_pt_update_preserve_ad & 1, "features %x", f.submap);
    check(f.submap >> XENFEAT_gnttab_map_avail_bits & 1, "features %x", f.submap);
    check(!(f.submap >> XENFEAT_writable_page_tables & 1), "features %x", f.submap);
    check(!(f.submap >> XENFEAT_auto_translated_physmap & 1), "features %x", f.submap);
    check(!(f.submap >> XENFEAT_supervisor_mode_kernel & 1), "features %x", f.submap);
    check(f.submap >> XENFEAT_dom0 & 1, "features %x", f.submap);
    f.submap_idx = 0x1234;
    check_eq(hc_xen_version(XENVER_get_features, &f), -XEN_EINVAL);
}

static void version(void)
{
    xen_platform_parameters_t p = {0};
    u8 uuid[16 + 1];

    check_eq(hc_xen_version(XENVER_version, 0), 4 << 16 | 17);
    text("extraversion", XENVER_extraversion, XEN_EXTRAVERSION_LEN, false);
    text("capabilities", XENVER_capabilities, XEN_CAPABILITIES_INFO_LEN, false);
    text("changeset", XENVER_changeset, XEN_CHANGESET_INFO_LEN, true);
    text("commandline", XENVER_commandline, 1024, false);
    compile_info();
    features();
    check_eq(hc_xen_version(XENVER_platform_parameters, &p), 0);
    check_eq(p.virt_start, HYPERVISOR_VIRT_START);
    check_eq(hc_xen_version(XENVER_pagesize, 0), FRONT_PAGE_SIZE);
    uuid[16] = 0xee;
    check_eq(hc_xen_version(XENVER_guest_handle, uuid), 0);
    check_eq(uuid[16], 0xee);
    check_eq(hc_xen_version(99, 0), -XEN_ENOSYS);
    check_eq(hc_xen_version(XENVER_extraversion, 0x8000000000000000UL), -XEN_EFAULT);
}

/* Who has an int to pass may leave anything in the upper half of the register. */
static void upper_halves(void)
{
    const u64 rest = 0xdeadbeefUL << 32;
    struct gnttab_query_size size = {.dom = DOMID_SELF};
    struct multicall_entry call = {.op = __HYPERVISOR_xen_version};
    struct callback_unregister nmi = {.type = CALLBACKTYPE_nmi};
    struct physdev_set_iopl iopl = {.iopl = 1};

    check_eq(hc_set_debugreg(rest | 3, 0x1000), 0);
    check_eq(hc_get_debugreg(rest | 3), 0x1000);
    check_eq(hc_set_debugreg(3, 0), 0);
    check_eq(hc_set_segment_base(rest | SEGBASE_FS, 0), 0);
    check_eq(hc_vm_assist(rest | VMASST_CMD_enable, rest | VMASST_TYPE_writable_pagetables), 0);
    check_eq(hc_set_gdt(0, rest), 0);
    check_eq(hc_grant_table_op(rest | GNTTABOP_query_size, &size, rest | 1), 0);
    check_eq(size.status, GNTST_okay);
    check_eq(hc_callback_op(rest | CALLBACKOP_unregister, &nmi), 0);
    check_eq(hc_nmi_op(rest | XENNMI_unregister_callback, 0), 0);
    check_eq(hc_multicall(&call, rest | 1), 0);
    check_eq(call.result, 4 << 16 | 17);
    check_eq(hc_vcpu_op(rest | VCPUOP_is_up, rest, 0), 1);
    check_eq(hc_sched_op(rest | SCHEDOP_yield, 0), 0);
    check_eq(hc_sched_op_compat(rest | SCHEDOP_yield, 0), 0);
    check_eq(hc_event_channel_op(rest | EVTCHNOP_send, 0), -XEN_EFAULT);
    check_eq(hc_console_io(rest | CONSOLEIO_write, rest, 0), 0);
    check_eq(hc_physdev_op(rest | PHYSDEVOP_set_iopl, &iopl), 0);
    check_eq(hc_fpu_taskswitch(rest), 0);
    check_eq(FAULT("fnop", :), FAULT_NONE);
}

void guest_test(void)
{
    struct sched_poll none = {.nr_ports = 200};

    registers(__HYPERVISOR_xen_version, false, XENVER_version, 0, 4 << 16 | 17);
    registers(__HYPERVISOR_xen_version, true, XENVER_version, 0, 4 << 16 | 17);
    registers(__HYPERVISOR_sched_op, false, SCHEDOP_yield, 0, 0);
    registers(__HYPERVISOR_sched_op, true, SCHEDOP_yield, 0, 0);
    registers(__HYPERVISOR_sched_op, false, SCHEDOP_poll, (u64)&none, (u64)-XEN_EINVAL);
    registers(__HYPERVISOR_event_channel_op, true, EVTCHNOP_send, 0, (u64)-XEN_EFAULT);
    registers(63, false, 1, 2, (u64)-XEN_ENOSYS);
    registers(63, true, 1, 2, (u64)-XEN_ENOSYS);
    unknown_numbers();
    version();
    upper_halves();
}
