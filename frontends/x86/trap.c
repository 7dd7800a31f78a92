/* SPDX-License-Identifier: MIT */
/*
 * Trap dispatch and recorded faults. Every trap is offered, in this order, to: the event channel
 * code (upcalls), the guest's handler for the vector, the exception table (kernel mode), the user
 * runner (user mode). What is left over ends the guest with its registers on the console.
 */
#include "internal.h"

#include <xen/callback.h>

extern char front_trap_stubs[], front_event_stub[], front_failsafe_stub[], front_syscall_stub[];
extern const u64 front_extable_start[], front_extable_end[];

u64 front_failsafe_sel[4];

static front_trap_fn handlers[FRONT_NR_VECTORS];
static struct trap_info table[257];

void front_trap_set(unsigned vector, front_trap_fn fn)
{
    handlers[vector] = fn;
}

u64 front_trap_stub(unsigned vector)
{
    switch (vector) {
    case FRONT_VEC_EVENT:
        return (u64)front_event_stub;
    case FRONT_VEC_FAILSAFE:
        return (u64)front_failsafe_stub;
    case FRONT_VEC_SYSCALL:
        return (u64)front_syscall_stub;
    default:
        return (u64)front_trap_stubs + vector * 32;
    }
}

static void register_callback(u16 type, unsigned vector)
{
    struct callback_register reg = {
        .type = type,
        .flags = CALLBACKF_mask_events,
        .address = front_trap_stub(vector),
    };
    long rc = hc_callback_op(CALLBACKOP_register, &reg);

    if (rc)
        front_panic("callback type %u cannot be registered: %ld", type, rc);
}

/* The part that each vCPU does for itself. */
void front_trap_vcpu_init(void)
{
    char *top = front_stacks[front_vcpu_id()] + FRONT_STACK_BLOCK;

    register_callback(CALLBACKTYPE_syscall, FRONT_VEC_SYSCALL);
    hc_stack_switch(FLAT_KERNEL_SS, top);
}

void front_trap_init(void)
{
    long rc;

    for (unsigned v = 0; v < 256; v++) {
        /* int3, into and int 0x80 may be raised by software; the rest only by the processor. */
        unsigned dpl = v == 3 || v == 4 || v == 0x80 ? 3 : 0;

        table[v] = (struct trap_info){
            .vector = (u8)v,
            .flags = (u8)(dpl | 4), /* events masked on entry */
            .cs = FLAT_KERNEL_CS,
            .address = front_trap_stub(v),
        };
    }
    rc = hc_set_trap_table(table);
    if (rc)
        front_panic("the trap table is refused: %ld", rc);
    register_callback(CALLBACKTYPE_event, FRONT_VEC_EVENT);
    register_callback(CALLBACKTYPE_failsafe, FRONT_VEC_FAILSAFE);
    front_trap_vcpu_init();
}

bool front_extable_find(u64 rip, u64 *fixup)
{
    for (const u64 *e = front_extable_start; e < front_extable_end; e += 2) {
        if (e[0] == rip) {
            *fixup = e[1];
            return true;
        }
    }
    return false;
}

void front_fault_clear(void)
{
    front_vcpus[front_vcpu_id()].fault = FAULT_NONE;
}

u64 front_fault_take(void)
{
    struct front_vcpu *v = &front_vcpus[front_vcpu_id()];
    u64 fault = v->fault;

    v->fault = FAULT_NONE;
    return fault;
}

u64 front_fault_cr2(void)
{
    return front_vcpus[front_vcpu_id()].fault_cr2;
}

static bool record_fault(struct front_regs *regs)
{
    unsigned id = front_vcpu_id();
    u64 fixup;

    if (regs->vector > 255 || front_regs_user(regs) || !front_extable_find(regs->rip, &fixup))
        return false;
    front_vcpus[id].fault = FAULT_MAKE(regs->vector, regs->error);
    if (regs->vector == 14)
        front_vcpus[id].fault_cr2 = front_vcpu_info(id)->arch.cr2;
    regs->rip = fixup;
    return true;
}

static void unwanted(struct front_regs *r)
{
    unsigned id = front_vcpu_id();

    front_printf("vector %lx error %lx rip %lx cs %lx rflags %lx rsp %lx ss %lx\n"
                 "rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx\n"
                 "r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx r15 %lx\n",
                 r->vector, r->error, r->rip, r->cs, r->rflags, r->rsp, r->ss, r->rax, r->rbx,
                 r->rcx, r->rdx, r->rsi, r->rdi, r->rbp, r->r8, r->r9, r->r10, r->r11, r->r12,
                 r->r13, r->r14, r->r15);
    front_panic("unexpected trap %lx, error %lx, at %lx, cr2 %lx, vcpu %u", r->vector, r->error,
                r->rip, front_shared ? front_vcpu_info(id)->arch.cr2 : 0, id);
}

void front_trap_dispatch(struct front_regs *regs)
{
    front_trap_fn fn = handlers[regs->vector];

    if (fn && fn(regs))
        return;
    if (regs->vector == FRONT_VEC_EVENT) {
        front_evtchn_upcall();
        return;
    }
    if (record_fault(regs) || front_user_trap(regs))
        return;
    unwanted(regs);
}

u64 front_try_read(const volatile void *va, u64 *value)
{
    u64 v = 0, fault = FAULT("mov (%1), %0", : "+r"(v) : "r"(va) : "memory");

    if (value)
        *value = v;
    return fault;
}

u64 front_try_write(volatile void *va, u64 value)
{
    return FAULT("mov %0, (%1)", : : "r"(value), "r"(va) : "memory");
}
