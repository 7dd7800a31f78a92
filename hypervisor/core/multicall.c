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

#include <tenue/abi.h>
#include <tenue/guestmem.h>
#include <tenue/hal.h>
#include <tenue/percpu.h>

/* Softirqs are looked at after each element, interrupt lines too; but after so many only of those
 * elements that kernels put in long lists and that are short, whatever their arguments. */
#define SHORT_BATCH 16u
#define SHORT_CALLS                                                                                \
    (1ull << __HYPERVISOR_update_va_mapping | 1ull << __HYPERVISOR_update_descriptor |             \
     1ull << __HYPERVISOR_stack_switch | 1ull << __HYPERVISOR_set_segment_base |                   \
     1ull << __HYPERVISOR_fpu_taskswitch)

/* The part of a multicall_entry that we read: all but the sixth argument. */
struct element {
    uint64_t op;
    uint64_t result;
    uint64_t args[HYPERCALL_ARGS_MAX];
};
STATIC_ASSERT(element_is_a_prefix,
              offsetof(struct multicall_entry, args) == offsetof(struct element, args));

static guest_va element_at(uint64_t calls, uint64_t i)
{
    return guest_va_make(calls + i * sizeof(struct multicall_entry));
}

static long restart_at(uint64_t calls, uint64_t i, uint64_t count)
{
    return hypercall_restart(__HYPERVISOR_multicall, element_at(calls, i).va, count - i, 0, 0, 0);
}

static long run_element(struct cpu *c, const struct element *e)
{
    long result;

    if (e->op == __HYPERVISOR_iret || e->op == __HYPERVISOR_multicall)
        return -XEN_EINVAL;
    c->in_multicall = true;
    result = hypercall_run(e->op, e->args);
    c->in_multicall = false;
    return result;
}

static bool is_short(uint64_t op)
{
    return op < 64 && SHORT_CALLS >> op & 1;
}

/* The element wants to be issued again: its arguments say from where. */
static int save_restart(struct cpu *c, guest_va entry)
{
    c->hypercall_restarted = false;
    return guest_write(guest_va_add(entry, offsetof(struct multicall_entry, args)), c->restart_args,
                       sizeof(c->restart_args));
}

long hc_multicall(uint64_t calls, uint64_t count)
{
    struct cpu *c = this_cpu();

    count = (uint32_t)count;
    if (!guest_range_ok(guest_va_make(calls), count * sizeof(struct multicall_entry)))
        return -XEN_EFAULT;
    for (uint64_t i = 0; i < count; i++) {
        guest_va entry = element_at(calls, i);
        struct element e;
        long result;

        if (guest_read_obj(&e, entry))
            return -XEN_EFAULT;
        result = run_element(c, &e);
        if (unlikely(c->hypercall_restarted)) {
            if (save_restart(c, entry))
                return -XEN_EFAULT;
            return restart_at(calls, i, count);
        }
        if (guest_write(guest_va_add(entry, offsetof(struct multicall_entry, result)), &result,
                        sizeof(result)))
            return -XEN_EFAULT;
        if (i + 1 == count)
            break;
        if (READ_ONCE(c->softirqs) ||
            ((i % SHORT_BATCH == SHORT_BATCH - 1 || !is_short(e.op)) && hal_preempt_point()))
            return restart_at(calls, i + 1, count);
    }
    return 0;
}
