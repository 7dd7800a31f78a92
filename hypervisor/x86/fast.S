/* SPDX-License-Identifier: MIT */
/*
 * Short ways through the hypervisor for what guests do all the time: hypercalls, a user's system
 * call to its kernel, the kernel's return, page faults that are the kernel's business, and the
 * upcall at the end of a hypercall (ADR 0045, which says what each step is for).
 *
 * Each is the common case of a general path (entry.S, hypercall_entry, pv_syscall, hc_iret,
 * page_fault, pv_deliver_event) and does exactly what that does. What it does not know it leaves to
 * the general path, with every register as at the entry: before it has changed anything, or, when
 * a guest's stack faults, after it has undone what it did. tests/guests/twin-* drive both.
 * They are not used on CPUs with isolation (idt.c) or with fastpaths=off.
 *
 * RSP stands at the base of the guest's register frame at the top of this CPU's block; what is
 * per CPU is a fixed distance from there. A field of the frame is written when somebody may want
 * it. Interrupts are off throughout; NMI, machine check and debug traps have their own stacks.
 *
 * ENT-10, register by register. Live guest values stay in the registers that a path neither saves
 * nor names: it does not read them, and passes them on to the same vcpu. That is all but RAX, RCX and
 * R11 in the ways to and from the guest's kernel; these three are restored or overwritten. A
 * hypercall saves all but RCX and R11 (dead by the ABI). RBX, RBP and R12 to R15 keep the guest's
 * values into C, which preserves and never reads them; R9 likewise; the arguments are arguments.
 *
 * CR3, swapgs and kernel_mode change together, CR3 with the TLB clock as hal_switch_root() does (MM-18).
 */
#include "access.inc"
#include "asm.inc"
#include "desc.h"
#include "isolation.inc"
#include "layout.h"
#include "regs.inc"

/* A field of this CPU's block. */
#define OURS(field) (field - BLOCK_STACK_TOP + REGS_SIZE)(%rsp)

#define FLAGS_CLEARED (EFLAGS_TF | EFLAGS_RF | EFLAGS_NT | EFLAGS_VM | EFLAGS_AC | EFLAGS_IOPL)
/* An entry frame; a page fault's; what iret reads. */
FIELDS FRAME, rcx, r11, rip, cs, rflags, rsp, ss
.set FRAME_SIZE, offset
FIELDS FAULT, rcx, r11, error, rip, cs, rflags, rsp, ss
.set FAULT_SIZE, offset
FIELDS IRET, rax, r11, rcx, flags, rip, cs, rflags, rsp, ss
.if offset != IRET_SIZE
.error "FIELDS IRET is not struct iret_context"
.endif

/* Go to `to` unless [addr, addr + bytes of the limit) is guest space's upper half. */
.macro IN_UPPER_HALF addr, tmp, limit, to
    movabsq $-GUEST_HIGH_START, \tmp
    addq \addr, \tmp
    cmpq \limit(%rip), \tmp
    ja \to
.endm

/*
 * Go to `to` if the way back of the vcpu in RCX is not the plain one. movzbl looks for events, movzwl
 * for a mask, too. Uses up tmp.
 */
.macro ATTEND load, info, tmp, to
    \load INFO_pending(\info), \tmp
    orl VCPU_odd(%rcx), \tmp
    orl OURS(CPU_softirqs), \tmp
    jnz \to
.endm

/*
 * Load root, a frame number, as hal_switch_root() does. Uses up root and tmp (and its lower half). With
 * tagged TLBs the first instruction becomes a jump: \tag is what the load has besides, and keeps.
 */
.macro LOAD_ROOT root, tmp, tmp32, tag
.Lload\@:
    movl $1, \tmp32
    lock xaddl \tmp32, tlb_clock(%rip)
    incl \tmp32
    movq \root, OURS(CPU_root)
    shlq $12, \root
    movq \root, %cr3
    movl \tmp32, OURS(CPU_flush_stamp)
.Lloaded\@:
    SPEC_JUMP .Lload\@, .Ltagged\@, SITE_TAGS
    .subsection 1
.Ltagged\@:
    movq \root, OURS(CPU_root)
    shlq $12, \root
    orq OURS(\tag), \root
    movq \root, %cr3
    movb $0x80, OURS(\tag + 7)
    jmp .Lloaded\@
    .previous
.endm

/* From guest user to guest kernel mode, of the vcpu in RCX. Uses up RAX and R11. */
.macro ENTER_KERNEL
    movb $1, VCPU_kernel_mode(%rcx)
    swapgs
    movq VCPU_root_kernel(%rcx), %rax
    LOAD_ROOT %rax, %r11, %r11d, CPU_tags + 8
.endm

/* From guest kernel to guest user mode. Uses up root, which may be RCX, and R11. */
.macro ENTER_USER root
    movb $0, VCPU_kernel_mode(%rcx)
    swapgs
    movq VCPU_root_user(%rcx), \root
    LOAD_ROOT \root, %r11, %r11d, CPU_tags
.endm

.section .rodata
    .balign 8
upper_iret: .quad -GUEST_HIGH_START - IRET_SIZE
upper_frame: .quad -GUEST_HIGH_START - FRAME_SIZE
upper_fault_frame: .quad -GUEST_HIGH_START - FAULT_SIZE
.text

/*
 * SYSCALL, from the CPU's stub, which has stored the guest's RSP. RCX, R11: the guest's RIP, RFLAGS.
 */
FUNCTION fast_start
FUNCTION fast_syscall
    movq %rcx, REGS_rip(%rsp)
    movq %r11, REGS_rflags(%rsp)
    movq OURS(CPU_current), %rcx
    cmpb $0, VCPU_kernel_mode(%rcx)
    je user_syscall
    cmpq $HYPERCALL_iret, %rax
    je kernel_iret

/*
 * A hypercall from the upper half, where no return address is out of canonical form (ENT-1).
 * Saved is what C may change; hal_guest_regs() adds what SYSCALL implies if somebody asks. The
 * other registers join the frame when another vcpu may be next.
 */
    cmpq $0, REGS_rip(%rsp)
    jns general
    testl $(EFLAGS_TF | EFLAGS_NT | EFLAGS_RF), %r11d
    jnz general
    movl $EXIT_HYPERCALL, REGS_entry_vector(%rsp)
    SAVE rdi, rsi, rdx, rax, r8, r9, r10
    movq %r10, %rcx
    movq %rax, %r8
    call hypercall_dispatch
    movq OURS(CPU_current), %rcx
    movq VCPU_vcpu_info(%rcx), %r11
    ATTEND movzbl, %r11, %edx, hypercall_attention
hypercall_out:
    LOAD rdi, rsi, rdx, r8, r9, r10
    movq REGS_rip(%rsp), %rcx
    movq REGS_rflags(%rsp), %r11
    movq REGS_rsp(%rsp), %rsp
    sysretq

/* Something is pending: it may be masked; an event alone is delivered here. */
hypercall_attention:
    cmpl $0, OURS(CPU_softirqs)
    jne hypercall_general_exit
    cmpl $0, VCPU_odd(%rcx)
    jne hypercall_general_exit
    cmpb $0, INFO_mask(%r11)
    jne hypercall_out
    /* A restarted call is not where it was. */
    cmpl $EXIT_HYPERCALL, REGS_entry_vector(%rsp)
    jne hypercall_general_exit
    movq VCPU_event_address(%rcx), %r9
    testq %r9, %r9
    jz hypercall_general_exit
    movq REGS_rsp(%rsp), %rdi
    movq %rdi, %rdx
    andq $-16, %rdx
    subq $FRAME_SIZE, %rdx
    IN_UPPER_HALF %rdx, %rcx, upper_frame, hypercall_general_exit
    movq REGS_rip(%rsp), %rcx
    movl REGS_rflags(%rsp), %esi
    STAC
    TRY upcall_fault, movq %rcx, FRAME_rcx(%rdx)
    TRY upcall_fault, movq %rsi, FRAME_r11(%rdx)
    TRY upcall_fault, movq %rcx, FRAME_rip(%rdx)
    TRY upcall_fault, movq $(GUEST_CS64 & ~3), FRAME_cs(%rdx)
    TRY upcall_fault, movq %rsi, FRAME_rflags(%rdx)
    TRY upcall_fault, movq %rdi, FRAME_rsp(%rdx)
    TRY upcall_fault, movq $GUEST_SS, FRAME_ss(%rdx)
    CLAC
    movb $1, INFO_mask(%r11)
    andl $~FLAGS_CLEARED, %esi
    movq %r9, REGS_rip(%rsp)
    movq %rsi, REGS_rflags(%rsp)
    movq %rdx, REGS_rsp(%rsp)
    jmp hypercall_out

upcall_fault:
    CLAC
hypercall_general_exit:
    SAVE rax
    call hal_guest_regs
    SAVE rbx, rbp, r12, r13, r14, r15
    jmp exit_to_guest

/*
 * A user's system call: its kernel's handler is entered with a frame on its stack. RCX: the vcpu.
 * No event may be pending or masked, so that the frame's flags are RFLAGS as they are.
 */
    .balign 16
user_syscall:
    movq VCPU_vcpu_info(%rcx), %r11
    ATTEND movzwl, %r11, %r11d, general
    cmpq $0, VCPU_syscall_address(%rcx)
    je general
    movq %rax, REGS_rax(%rsp)
    ENTER_KERNEL
    movq VCPU_entry_frame(%rcx), %rax
    movq REGS_rip(%rsp), %r11
    STAC
    TRY user_syscall_fault, movq %r11, FRAME_rcx(%rax)
    TRY user_syscall_fault, movq %r11, FRAME_rip(%rax)
    TRY user_syscall_fault, movq $GUEST_CS64, FRAME_cs(%rax)
    movq REGS_rsp(%rsp), %r11
    TRY user_syscall_fault, movq %r11, FRAME_rsp(%rax)
    TRY user_syscall_fault, movq $GUEST_SS, FRAME_ss(%rax)
    movl REGS_rflags(%rsp), %r11d
    TRY user_syscall_fault, movq %r11, FRAME_r11(%rax)
    TRY user_syscall_fault, movq %r11, FRAME_rflags(%rax)
    CLAC
    andl $~FLAGS_CLEARED, %r11d
    movq VCPU_vcpu_info(%rcx), %rax
    movq %r11, REGS_r11(%rsp)
    movb VCPU_syscall_masks(%rcx), %r11b
    movb %r11b, INFO_mask(%rax)
    LOAD r11, rax
    movq VCPU_entry_frame(%rcx), %rsp
    movq VCPU_syscall_address(%rcx), %rcx
    sysretq

user_syscall_fault:
    CLAC
    ENTER_USER %rax
    movq REGS_rax(%rsp), %rax
    jmp general

/*
 * The guest kernel returns, to its user or to itself. RAX, RCX and R11 come from its frame. What has
 * no place elsewhere yet waits in their slots; REGS_rip and REGS_rflags change when all is read.
 */
    .balign 16
kernel_iret:
    movq VCPU_vcpu_info(%rcx), %r11
    ATTEND movzbl, %r11, %r11d, general
    movq REGS_rsp(%rsp), %rax
    IN_UPPER_HALF %rax, %r11, upper_iret, iret_undo
    STAC
    TRY iret_undo, testb $(IRET_in_syscall >> 8), (IRET_flags + 1)(%rax)
    jnz iret_from_syscall
    TRY iret_undo, movzwl IRET_cs(%rax), %r11d
    movw %r11w, REGS_cs(%rsp)
    notl %r11d
    testl $3, %r11d
    jnz iret_to_kernel
    cmpq $-1, VCPU_root_user(%rcx)
    je iret_undo

/* All of the frame but CS, with nothing else changed yet; then what is the same for both modes. */
.macro IRET_READ
    TRY iret_undo, movzwl IRET_ss(%rax), %ecx
    orl $3, %ecx
    movw %cx, REGS_ss(%rsp)
    .irp name, rsp, rcx, r11
    TRY iret_undo, movq IRET_\name(%rax), %rcx
    movq %rcx, REGS_\name(%rsp)
    .endr
    TRY iret_undo, movl IRET_rflags(%rax), %r11d
    TRY iret_undo, movq IRET_rip(%rax), %rcx
    TRY iret_undo, movq IRET_rax(%rax), %rax
    CLAC
    movq %rcx, REGS_rip(%rsp)
    movq OURS(CPU_current), %rcx
    movq VCPU_vcpu_info(%rcx), %rcx
    testl $EFLAGS_IF, %r11d
    sete INFO_mask(%rcx)
    andl $EFLAGS_GUEST, %r11d
    orl $EFLAGS_ALWAYS, %r11d
    movq %r11, REGS_rflags(%rsp)
.endm
.macro GO_BY_IRET
    LOAD rcx, r11
    addq $REGS_rip, %rsp
    jmp exit_iretq
.endm
    IRET_READ
    movq OURS(CPU_current), %rcx
    ENTER_USER %rcx
    GO_BY_IRET

iret_to_kernel:
    orb $3, REGS_cs(%rsp)
    IRET_READ
    GO_BY_IRET

/* From a system call, with the flat selectors and nothing odd: RCX and R11 are dead, so by SYSRET. */
iret_from_syscall:
    TRY iret_undo, cmpw $GUEST_CS64, IRET_cs(%rax)
    jne iret_undo
    TRY iret_undo, cmpw $GUEST_SS, IRET_ss(%rax)
    jne iret_undo
    cmpq $-1, VCPU_root_user(%rcx)
    je iret_undo
    TRY iret_undo, movl IRET_rflags(%rax), %r11d
    xorl $EFLAGS_IF, %r11d
    testl $(EFLAGS_IF | EFLAGS_TF | EFLAGS_RF), %r11d
    jnz iret_undo
    andl $EFLAGS_GUEST, %r11d
    orl $EFLAGS_ALWAYS, %r11d
    movq %r11, REGS_r11(%rsp)
    TRY iret_undo, movq IRET_rip(%rax), %rcx
    movq %rcx, REGS_rcx(%rsp)
    shlq $16, %rcx
    sarq $16, %rcx
    cmpq %rcx, REGS_rcx(%rsp)
    jne iret_undo
    TRY iret_undo, movq IRET_rsp(%rax), %rcx
    movq %rcx, REGS_rsp(%rsp)
    TRY iret_undo, movq IRET_rax(%rax), %rax
    CLAC
    movq OURS(CPU_current), %rcx
    movq VCPU_vcpu_info(%rcx), %r11
    movb $0, INFO_mask(%r11)
    ENTER_USER %rcx
    LOAD rcx, r11
    movq REGS_rsp(%rsp), %rsp
    sysretq

/* RAX: the guest's stack pointer, where its frame is. */
iret_undo:
    CLAC
    movq %rax, REGS_rsp(%rsp)
    movl $HYPERCALL_iret, %eax

/* SYSCALL by the general path. REGS_rip, REGS_rflags and REGS_rsp hold what SYSCALL left; RCX, R11 are free. */
general:
    movq REGS_rip(%rsp), %rcx
    movq REGS_rflags(%rsp), %r11
    movq $GUEST_CS64, REGS_cs(%rsp)
    movq $GUEST_SS, REGS_ss(%rsp)
    addq $REGS_error_code, %rsp
    movl $0, (%rsp)
    movl $EXIT_SYSRET_OK, 4(%rsp)
    jmp syscall_framed

/*
 * A page fault that only the guest's kernel can mean something to: not a store to a table, not the
 * CPU's own access to a descriptor. From the gate: RSP at the error code.
 */
#define TRAP_masks 4

/* The frame's words that do not depend on the mode. RAX: where it goes; RCX: vcpu. */
.macro PF_FRAME to
    .irp name, rcx, r11, rip, rsp
    movq REGS_\name(%rsp), %r11
    TRY \to, movq %r11, FAULT_\name(%rax)
    .endr
    movzwl REGS_ss(%rsp), %r11d
    TRY \to, movq %r11, FAULT_ss(%rax)
    CLAC
.endm

/* RDX: vcpu_info. Into the handler. */
.macro PF_OUT
    movq VCPU_traps(%rcx), %rcx
    movq %rax, REGS_r11(%rsp)
    testb $TRAP_masks, TRAP_PF_flags(%rcx)
    setnz %al
    orb %al, INFO_mask(%rdx)
    movl REGS_rflags(%rsp), %r11d
    andl $~FLAGS_CLEARED, %r11d
    movq TRAP_PF_address(%rcx), %rcx
    LOAD rax, rdx
    movq REGS_r11(%rsp), %rsp
    sysretq
.endm

FUNCTION fast_page_fault
    CLAC
    subq $REGS_error_code, %rsp
    testb $3, REGS_cs(%rsp)
    jz pf_not_of_guest
    SAVE rax, rcx, rdx, r11
    movq OURS(CPU_current), %rcx
    movl REGS_error_code(%rsp), %eax
    movq VCPU_traps(%rcx), %r11
    movq VCPU_vcpu_info(%rcx), %rdx
    cmpq $0, TRAP_PF_address(%r11)
    je pf_general
    cmpb $0, VCPU_kernel_mode(%rcx)
    jne pf_from_kernel
    andl $~(PF_PRESENT | PF_WRITE | PF_FETCH), %eax
    cmpl $PF_USER, %eax
    jne pf_general
    ATTEND movzwl, %rdx, %eax, pf_general
    movq %cr2, %rax
    movq %rax, INFO_cr2(%rdx)
    ENTER_KERNEL
    movq VCPU_entry_frame(%rcx), %rax
    subq $8, %rax
    STAC
    movl REGS_error_code(%rsp), %r11d
    TRY pf_user_fault, movq %r11, FAULT_error(%rax)
    movzwl REGS_cs(%rsp), %r11d
    TRY pf_user_fault, movq %r11, FAULT_cs(%rax)
    movq REGS_rflags(%rsp), %r11
    TRY pf_user_fault, movq %r11, FAULT_rflags(%rax)
    PF_FRAME pf_user_fault
    PF_OUT

/* The kernel's own: its events may be masked, and its accesses are not a user's in its eyes. */
pf_from_kernel:
    andl $~(PF_WRITE | PF_FETCH), %eax
    cmpl $PF_USER, %eax
    jne pf_general
    ATTEND movzbl, %rdx, %eax, pf_general
    movq %cr2, %rax
    movq %rax, INFO_cr2(%rdx)
    movzbl INFO_mask(%rdx), %edx
    cmpl $1, %edx
    ja pf_general
    movq REGS_rsp(%rsp), %rax
    andq $-16, %rax
    subq $FAULT_SIZE, %rax
    IN_UPPER_HALF %rax, %r11, upper_fault_frame, pf_general
    STAC
    movl REGS_error_code(%rsp), %r11d
    andl $~PF_USER, %r11d
    TRY pf_kernel_fault, movq %r11, FAULT_error(%rax)
    movzwl REGS_cs(%rsp), %r11d
    andl $~3, %r11d
    TRY pf_kernel_fault, movl %r11d, FAULT_cs(%rax)
    TRY pf_kernel_fault, movl %edx, (FAULT_cs + 4)(%rax)
    shll $9, %edx
    movq REGS_rflags(%rsp), %r11
    xorq %rdx, %r11
    TRY pf_kernel_fault, movq %r11, FAULT_rflags(%rax)
    PF_FRAME pf_kernel_fault
    movq VCPU_vcpu_info(%rcx), %rdx
    PF_OUT

/* The stack faulted, and CR2 says where: put it back. */
pf_user_fault:
    CLAC
    ENTER_USER %rax
pf_kernel_fault:
    CLAC
    movq VCPU_vcpu_info(%rcx), %rdx
    movq INFO_cr2(%rdx), %rax
    movq %rax, %cr2
pf_general:
    LOAD rax, rcx, rdx, r11
pf_not_of_guest:
    addq $REGS_error_code, %rsp
    jmp idt_stubs + 16 * VEC_PF
FUNCTION fast_end
