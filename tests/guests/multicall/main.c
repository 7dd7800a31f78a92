/* SPDX-License-Identifier: MIT */
/*
 * Contract: multicall runs its entries in order, stores each result, and goes on after one that
 * failed; its own result is about the list, not about the entries. Arguments reach the calls as
 * they do alone, and a list of nothing is fine.
 *
 * Invariants: HC-1, HC-4, HC-7.
 * A failure means: a kernel's batched page-table changes are lost or reported wrongly.
 * Sabotage: give entry 1 XENVER_version instead of 99: its result is not -ENOSYS.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define WINDOW 0x0000100000000000UL

static multicall_entry_t calls[600];

static multicall_entry_t call(u64 op, u64 a, u64 b, u64 c)
{
    multicall_entry_t m = {.op = op, .result = 0x7777, .args = {a, b, c}};

    return m;
}

static void results(void)
{
    calls[0] = call(__HYPERVISOR_xen_version, XENVER_version, 0, 0);
    calls[1] = call(__HYPERVISOR_xen_version, 99, 0, 0);
    calls[2] = call(63, 0, 0, 0);
    calls[3] = call(__HYPERVISOR_xen_version, XENVER_pagesize, 0, 0);
    calls[4] = call(~0UL, 0, 0, 0);
    calls[5] = call(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    check_eq(hc_multicall(calls, 6), 0);
    check_eq(calls[0].result, 4 << 16 | 17);
    check_eq(calls[1].result, -XEN_ENOSYS);
    check_eq(calls[2].result, -XEN_ENOSYS);
    check_eq(calls[3].result, 4096);
    check_eq(calls[4].result, -XEN_ENOSYS);
    check_eq(calls[5].result, 0);
}

/* Order is kept: read-only, then pin, then unpin, then writable again, in one list. */
static void order(void)
{
    void *page = front_page_alloc();
    u64 mfn = front_va_to_mfn(page);
    struct mmuext_op pin = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = mfn};
    struct mmuext_op unpin = {.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = mfn};

    calls[0] = call(__HYPERVISOR_update_va_mapping, (u64)page, front_pte(mfn, PTE_KERN & ~PTE_RW),
                    UVMF_INVLPG);
    calls[1] = call(__HYPERVISOR_mmuext_op, (u64)&pin, 1, 0);
    calls[1].args[3] = DOMID_SELF;
    calls[2] =
        call(__HYPERVISOR_update_va_mapping, (u64)page, front_pte(mfn, PTE_KERN), UVMF_INVLPG);
    calls[3] = call(__HYPERVISOR_mmuext_op, (u64)&unpin, 1, 0);
    calls[3].args[3] = DOMID_SELF;
    calls[4] =
        call(__HYPERVISOR_update_va_mapping, (u64)page, front_pte(mfn, PTE_KERN), UVMF_INVLPG);
    check_eq(hc_multicall(calls, 5), 0);
    check_eq(calls[0].result, 0);
    check_eq(calls[1].result, 0);
    check((long)calls[2].result < 0, "writable while pinned: %ld", (long)calls[2].result);
    check_eq(calls[3].result, 0);
    check_eq(calls[4].result, 0);
    check_eq(front_try_write(page, 1), FAULT_NONE);
}

/* A list longer than anybody wants to run without a pause. */
static void long_list(void)
{
    unsigned n = FRONT_ARRAY_SIZE(calls);

    for (unsigned i = 0; i < n; i++)
        calls[i] = call(__HYPERVISOR_xen_version, i % 2 ? XENVER_version : XENVER_pagesize, 0, 0);
    check_eq(hc_multicall(calls, n), 0);
    for (unsigned i = 0; i < n; i++)
        check_eq(calls[i].result, i % 2 ? 4 << 16 | 17 : 4096);
    check_eq(hc_multicall(calls, 0), 0);
}

static void bad_lists(void)
{
    char *page = front_page_alloc();
    multicall_entry_t *last = (void *)(WINDOW + 4096 - sizeof(*last));

    check_eq(hc_multicall(0x8000000000000000UL, 1), -XEN_EFAULT);
    check_eq(hc_multicall(0x0000300000000000UL, 1), -XEN_EFAULT);
    check_eq(hc_multicall(HYPERVISOR_VIRT_START, 1), -XEN_EFAULT);
    /* The list runs off its page: what was there has been done and says so. */
    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN), 0);
    *last = call(__HYPERVISOR_xen_version, XENVER_version, 0, 0);
    check_eq(hc_multicall(last, 2), -XEN_EFAULT);
    check_eq(last->result, 4 << 16 | 17);
    /* A list that cannot be written: its results have nowhere to go. */
    *last = call(__HYPERVISOR_xen_version, XENVER_version, 0, 0);
    check_eq(front_map(WINDOW, front_va_to_mfn(page), PTE_KERN & ~PTE_RW), 0);
    check_eq(hc_multicall(last, 1), -XEN_EFAULT);
}

void guest_test(void)
{
    results();
    order();
    long_list();
    bad_lists();
}
