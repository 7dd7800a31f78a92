/* SPDX-License-Identifier: MIT */
/* hvbench: a freestanding Xen PV guest that times hypercalls. Entry code. */
#define __ASSEMBLY__
#include <xen/xen.h>
#include <xen/elfnote.h>

#define VIRT_BASE 0xffffffff80000000

.macro NOTE type, kind:vararg
	.pushsection .note.Xen, "a", @note
	.align 4
	.long 4, 2f - 1f, \type
	.asciz "Xen"
1:	\kind
2:	.align 4
	.popsection
.endm

	NOTE XEN_ELFNOTE_GUEST_OS,       .asciz "hvbench"
	NOTE XEN_ELFNOTE_GUEST_VERSION,  .asciz "1"
	NOTE XEN_ELFNOTE_XEN_VERSION,    .asciz "xen-3.0"
	NOTE XEN_ELFNOTE_VIRT_BASE,      .quad VIRT_BASE
	NOTE XEN_ELFNOTE_PADDR_OFFSET,   .quad 0
	NOTE XEN_ELFNOTE_ENTRY,          .quad _start
	NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page
	NOTE XEN_ELFNOTE_FEATURES,       .asciz "!writable_page_tables|pae_pgdir_above_4gb"
	NOTE XEN_ELFNOTE_PAE_MODE,       .asciz "yes"
	NOTE XEN_ELFNOTE_LOADER,         .asciz "generic"
	NOTE XEN_ELFNOTE_SUSPEND_CANCEL, .long 0

	.section .text.head, "ax"
	.globl _start
_start:
	cld
	mov	$stack_top, %rsp
	mov	%rsi, %rdi
	xor	%ebp, %ebp
	call	cmain
1:	jmp	1b

	.balign 4096
	.globl hypercall_page
hypercall_page:
	.skip	4096

/* Bounce frame on entry: rcx r11 [error] rip cs rflags rsp ss */
.macro IRET flags
	push	$\flags
	jmp	hypercall_page + __HYPERVISOR_iret * 32
.endm

/* Event upcall: acknowledge everything, count, return. */
	.globl event_entry
event_entry:
	pop	%rcx
	pop	%r11
	push	%rax
	push	%rdx
	mov	shared, %rax
	movb	$0, 0(%rax)			/* vcpu 0 evtchn_upcall_pending */
	xor	%edx, %edx
	xchg	%rdx, 8(%rax)			/* evtchn_pending_sel */
	movq	$0, 2048(%rax)			/* evtchn_pending[0]: vcpu_info is 64 x 32 */
	incq	upcalls
	pop	%rdx
	pop	%rax
	/* Upcall delivery masked events: unmask in the iret flags word path */
	IRET	0

	.globl failsafe_entry
failsafe_entry:
	mov	$0xbad0, %edi
	jmp	die

/* int3: come straight back */
	.globl bp_entry
bp_entry:
	pop	%rcx
	pop	%r11
	IRET	0

/* #UD: skip the two bytes of ud2 */
	.globl ud_entry
ud_entry:
	pop	%rcx
	pop	%r11
	addq	$2, (%rsp)
	IRET	0

/* #GP: skip two bytes (unexpected in most benches, counted) */
	.globl gp_entry
gp_entry:
	pop	%rcx
	pop	%r11
	incq	gps
	add	$8, %rsp
	addq	$2, (%rsp)
	IRET	0

/* #PF: pf_mode 0: skip the 3-byte access (movb (%rdi),%al is 2: use movb 0(%rdi) forced below)
 *      pf_mode 1: map the page with update_va_mapping(pf_va, pf_pte, UVMF_NONE) then retry */
	.globl pf_entry
pf_entry:
	pop	%rcx
	pop	%r11
	incq	pfs
	add	$8, %rsp
	cmpl	$0, pf_mode
	jne	1f
	addq	$2, (%rsp)
	IRET	0
1:	cmpl	$1, pf_mode
	jne	2f
	push	%rax
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%r11
	mov	pf_va, %rdi
	mov	pf_pte, %rsi
	xor	%edx, %edx
	call	hypercall_page + __HYPERVISOR_update_va_mapping * 32
	pop	%r11
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	pop	%rax
	IRET	0
2:	mov	$0xbad1, %edi
	mov	(%rsp), %rsi
	jmp	die

/* syscall from user mode: rax 0 = null call, 1 = leave user mode */
	.globl syscall_entry
syscall_entry:
	test	%eax, %eax
	jnz	1f
	pop	%rcx
	pop	%r11
	IRET	VGCF_in_syscall_
1:	mov	saved_rsp, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.set VGCF_in_syscall_, 0x100

/* void run_user(void *rip, void *rsp, long n): iret to user mode; comes back through syscall 1 */
	.globl run_user
run_user:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, saved_rsp
	push	$0xe02b				/* ss */
	push	%rsi				/* rsp */
	push	$0x202				/* rflags */
	push	$0xe033				/* cs: RPL 3 = user */
	push	%rdi				/* rip */
	mov	%rdx, %rbx
	IRET	0

	.globl user_syscalls
user_syscalls:
1:	xor	%eax, %eax
	syscall
	dec	%rbx
	jnz	1b
	mov	$1, %eax
	syscall

	.globl user_int3
user_int3:
1:	int3
	dec	%rbx
	jnz	1b
	mov	$1, %eax
	syscall

	.bss
	.balign 4096
	.skip 16384
	.globl stack_top
stack_top:
	.skip 16384
	.globl kstack_top
kstack_top:
	.skip 4096
	.globl ustack_top
ustack_top:
saved_rsp: .quad 0
	.section .note.GNU-stack, "", @progbits
