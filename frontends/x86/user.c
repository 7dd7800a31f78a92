/* SPDX-License-Identifier: MIT */
/*
 * Running code in ring 3. There is one user context per vCPU at a time: front_user_enter() leaves
 * through HYPERVISOR_iret and returns when the user code makes the exit call or faults; whatever
 * the kernel saw on the way back is handed to the caller. User code shares the kernel's tables.
 */
#include "internal.h"

static char user_stacks[FRONT_MAX_VCPUS][FRONT_PAGE_SIZE * 2] FRONT_PAGE_ALIGNED;
static front_trap_fn syscall_fn;

void front_user_set_syscall(front_trap_fn fn)
{
    syscall_fn = fn;
}

int front_user_root_init(void)
{
    return front_mmuext1(MMUEXT_NEW_USER_BASEPTR, front_root_mfn());
}

void front_user_prepare(struct front_regs *frame, u64 (*fn)(u64 arg), u64 arg)
{
    u64 *sp = (u64 *)(user_stacks[front_vcpu_id()] + sizeof(user_stacks[0]));

    *--sp = 0;
    *--sp = (u64)front_user_return;
    memset(frame, 0, sizeof(*frame));
    frame->rip = (u64)fn;
    frame->rdi = arg;
    frame->cs = FLAT_USER_CS;
    frame->ss = FLAT_USER_SS;
    frame->rsp = (u64)sp;
    frame->rflags = 0x202;
}

struct front_user_result front_user_enter(struct front_regs *frame)
{
    struct front_vcpu *v = &front_vcpus[front_vcpu_id()];
    struct front_regs local = *frame;
    bool enabled = front_irq_enabled();

    memset(&v->user, 0, sizeof(v->user));
    front_user_jump(&local, &v->user_rsp);
    v->user_rsp = 0;
    /* We came back by a jump, not by an iret: put the event mask where the caller had it. */
    if (enabled)
        front_irq_enable();
    return v->user;
}

struct front_user_result front_user_run(u64 (*fn)(u64 arg), u64 arg)
{
    struct front_regs frame;

    front_user_prepare(&frame, fn, arg);
    return front_user_enter(&frame);
}

/* Called by the trap dispatcher for what nobody else wanted. */
bool front_user_trap(struct front_regs *regs)
{
    struct front_vcpu *v = &front_vcpus[front_vcpu_id()];

    if (!v->user_rsp)
        return false;
    if (regs->vector == FRONT_VEC_SYSCALL) {
        if (regs->rax != FRONT_USER_EXIT && syscall_fn)
            return syscall_fn(regs);
        v->user.value = regs->rax == FRONT_USER_EXIT ? regs->rdi : regs->rax;
    } else if (regs->vector == FRONT_VEC_FAILSAFE || front_regs_user(regs)) {
        v->user.faulted = true;
        v->user.fault = FAULT_MAKE(regs->vector & 0xff, regs->error);
        if (regs->vector == 14)
            v->fault_cr2 = front_vcpu_info(front_vcpu_id())->arch.cr2;
    } else {
        return false;
    }
    v->user.regs = *regs;
    front_user_land(v->user_rsp);
}
