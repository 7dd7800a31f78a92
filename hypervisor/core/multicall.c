/* SPDX-License-Identifier: MIT */
/*
 * multicall: a list of hypercalls in one (public header xen.h, contract 2.2). Each element's result
 * is written before the next one starts, and a failed element does not stop the others (HC-7).
 *
 * Between elements the vcpu may have to go: blocked, crashed, or its turn is over. Then the
 * multicall restarts with what is left. An element that restarts itself has its arguments
 * rewritten in the list first. iret and a multicall within are refused: after either, the rest of
 * the list would run in a state that nobody asked for (HC-4).
 */
#include <tenue/hypercall.h>

#include <tenue/account.h>
#include <tenue/vcpu.h>

/* Softirqs are looked at after each element, interrupt lines too; but after so many only of those
 * elements that kernels put in long lists and that are short, whatever their arguments. */
#define SHORT_BATCH 16u
#define SHORT_CALLS                                                                                \
    (1ull << __HYPERVISOR_update_va_mapping | 1ull << __HYPERVISOR_update_descriptor |             \
     1ull << __HYPERVISOR_stack_switch | 1ull << __HYPERVISOR_set_segment_base |                   \
     1ull << __HYPERVISOR_fpu_taskswitch | 1ull << __HYPERVISOR_xen_version)

#define ELEMENT sizeof(struct multicall_entry)
#define RESULT offsetof(struct multicall_entry, result)

static bool is_short(uint64_t op)
{
    return op < 64 && SHORT_CALLS >> op & 1;
}

static long restart_at(uint64_t at, uint64_t count)
{
    return hypercall_restart(__HYPERVISOR_multicall, at, count, 0, 0, 0);
}

/* The element wants to be issued again: its arguments say from where. */
static long restart_element(struct cpu *c, uint64_t at, uint64_t count)
{
    const guest_va args = guest_va_make(at + offsetof(struct multicall_entry, args));

    c->hypercall_restarted = false;
    if (guest_write(args, c->restart_args, sizeof(c->restart_args)))
        return -XEN_EFAULT;
    return restart_at(at, count);
}

/* The whole list's range has been checked. Each element is read once, when its turn has come. */
static long run(struct cpu *c, uint64_t at, uint64_t count)
{
    for (;;) {
        uint64_t w[5]; /* operation, arguments */
        long result = -XEN_EINVAL;

        if (unlikely(!hal_guest_load_call(w, at)))
            return -XEN_EFAULT;
        if (likely(w[0] != __HYPERVISOR_iret && w[0] != __HYPERVISOR_multicall)) {
            c->in_multicall = true;
            if (unlikely(watch_on))
                result = hypercall_watched(w[1], w[2], w[3], w[4], w[0]);
            else
                result = hypercall_dispatch(w[1], w[2], w[3], w[4], w[0]);
            c->in_multicall = false;
        }
        if (unlikely(c->hypercall_restarted))
            return restart_element(c, at, count);
        if (unlikely(!hal_guest_store64(at + RESULT, (uint64_t)result)))
            return -XEN_EFAULT;
        at += ELEMENT;
        if (--count == 0)
            return 0;
        if (READ_ONCE(c->softirqs) ||
            ((count % SHORT_BATCH == 0 || !is_short(w[0])) && hal_preempt_point()))
            return restart_at(at, count);
    }
}

long hc_multicall(uint64_t calls, uint32_t count)
{
    if (!guest_range_ok(guest_va_make(calls), count * ELEMENT))
        return -XEN_EFAULT;
    return count ? run(this_cpu(), calls, count) : 0;
}
