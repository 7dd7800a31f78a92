/* SPDX-License-Identifier: MIT */
/*
 * Dispatch from hypercalls.def, and the restart convention (hypercall.h).
 *
 * A restarted call is simply executed again: the guest's instruction pointer goes back over the
 * two-byte instruction that brought it here, rax and the argument registers are what the handler
 * asks for, and interrupts and other vcpus have their chance on the way. Inside a multicall the
 * element's arguments are rewritten instead and the multicall restarts at that element
 * (multicall.c). Nothing survives in the hypervisor meanwhile, so nothing needs undoing.
 */
#include <tenue/hypercall.h>

#include <tenue/account.h>
#include <tenue/vcpu.h>

#include "lib.h"

#define SYSCALL_LENGTH 2

STATIC_ASSERT(hypercall_numbers_can_be_masked, (HYPERCALL_NRS & (HYPERCALL_NRS - 1)) == 0);

#define CALL_0(fn) fn()
#define CALL_1(fn) fn(a0)
#define CALL_2(fn) fn(a0, a1)
#define CALL_3(fn) fn(a0, a1, a2)
#define CALL_4(fn) fn(a0, a1, a2, a3)
#define MAY_ANY true
#define MAY_CONTROL (current_vcpu()->domain->is_control)

/* The arguments come first, where handlers have them too: each case is a jump. */
long hypercall_dispatch(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t nr)
{
    if (unlikely(nr >= HYPERCALL_NRS))
        return -XEN_ENOSYS;
    __asm__("" : "+r"(nr)); /* whatever the compiler knows of it, clamp it under speculation */
    nr &= HYPERCALL_NRS - 1;
    this_cpu()->hypercall_count[nr]++;
    if (nr == __HYPERVISOR_xen_version) /* shorter than the search: how events are asked for */
        return hc_xen_version(a0, a1);
    switch (nr) {
#define HYPERCALL(number, name, nargs, who)                                                        \
    case number:                                                                                   \
        if (!MAY_##who)                                                                            \
            return -XEN_EPERM;                                                                     \
        return CALL_##nargs(hc_##name);
#include <tenue/hypercalls.def>
#undef HYPERCALL
    default:
        return -XEN_ENOSYS;
    }
}

void hypercall_entry(struct cpu_user_regs *regs)
{
    if (unlikely(watch_on))
        account_enter_hypercall(regs);
    regs->rax = (uint64_t)hypercall_dispatch(regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->rax);
}

/* An element of a multicall that is accounted as itself. */
long hypercall_watched(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t nr)
{
    long rc;

    account_element_begin(nr, a0);
    rc = hypercall_dispatch(a0, a1, a2, a3, nr);
    account_element_end();
    return rc;
}

long hypercall_restart(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    const uint64_t args[] = {a0, a1, a2, a3, a4};
    struct cpu *c = this_cpu();
    struct cpu_user_regs *regs;

    if (c->in_multicall) {
        memcpy(c->restart_args, args, sizeof(args));
        c->hypercall_restarted = true;
        return 0;
    }
    regs = hal_guest_regs();
    regs->rip -= SYSCALL_LENGTH;
    regs->rdi = a0;
    regs->rsi = a1;
    regs->rdx = a2;
    regs->r10 = a3;
    regs->r8 = a4;
    return (long)nr;
}
