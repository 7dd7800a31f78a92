/* SPDX-License-Identifier: MIT */
/*
 * Contract (ours): a flush of translations interrupts the CPUs of the vCPUs that it is for, each
 * once, and no other: none when it is for the asker alone. The accounts count the interrupts.
 *
 * Invariants: MM-4.
 * A failure means: every change to a page table of one busy domain costs all the machine's CPUs.
 * Sabotage, each seen: in x86/tlb.c, flush_others() with `mask = online & ~...`: a bitmap of one
 * vCPU interrupts the other; in core/domain.c, domain_cpus_of() without `vcpus >> v->id & 1`: so
 * does that.
 */
#include "guest.h"

#include <tenue_op.h>

GUEST_RUN("vcpus=3 ours append=sched=null timeout=60");

#define N 40u
#define SECOND 1000000000UL
#define OTHERS ((1u << 1) | (1u << 2))

static volatile u64 alive;

static void spin(void)
{
    __atomic_fetch_add(&alive, 1, __ATOMIC_SEQ_CST);
    for (;;)
        __asm__ volatile("pause");
}

/* Interrupts by other CPUs that a vCPU has had. */
static u64 ipis(u16 vcpu)
{
    static struct tenue_part_time parts[TENUE_PARTS];
    struct tenue_op_account a = {.vcpu = vcpu, .parts = (u64)parts};

    check_eq(front_hc2(__HYPERVISOR_tenue_op, TENUE_OP_account, &a), 0);
    return parts[TENUE_PART_IPI].count;
}

static void flush(u64 cmd, u64 vcpus)
{
    struct mmuext_op op = {.cmd = (u32)cmd};

    if (cmd == MMUEXT_INVLPG_MULTI || cmd == MMUEXT_INVLPG_ALL || cmd == MMUEXT_INVLPG_LOCAL)
        op.arg1.linear_addr = (u64)&alive;
    if (cmd == MMUEXT_INVLPG_MULTI || cmd == MMUEXT_TLB_FLUSH_MULTI)
        set_xen_guest_handle(op.arg2.vcpumask, &vcpus);
    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

static void change_entry(u64 flags, u64 unused)
{
    static u64 *page;

    (void)unused;
    if (!page)
        page = front_page_alloc();
    check_eq(hc_update_va_mapping(page, front_pte(front_va_to_mfn(page), PTE_KERN), flags), 0);
}

/* N times: those of `interrupted` and nobody else have had N interrupts. */
static void expect(const char *what, void (*act)(u64 first, u64 second), u64 first, u64 second,
                   u64 interrupted)
{
    const u64 before[] = {ipis(0), ipis(1), ipis(2)};

    for (unsigned i = 0; i < N; i++)
        act(first, second);
    for (u16 id = 0; id < 3; id++) {
        const u64 had = ipis(id) - before[id], wanted = interrupted >> id & 1 ? N : 0;

        check(had == wanted, "%s (%lx): vCPU %u was interrupted %lu times, not %lu", what, second,
              id, had, wanted);
    }
}

void guest_test(void)
{
    struct tenue_op_watch on = {.set = 1, .flags = TENUE_WATCH_ACCOUNT};

    for (unsigned id = 1; id < 3; id++)
        check_eq(front_vcpu_start(id, spin), 0);
    check(front_wait(&alive, 2, SECOND), "the others do not start");
    check_eq(front_hc2(__HYPERVISOR_tenue_op, TENUE_OP_watch, &on), 0);
    for (unsigned i = 0; i < N; i++) /* by then all CPUs have seen that they are watched */
        flush(MMUEXT_TLB_FLUSH_ALL, 0);
    for (u64 vcpus = 0; vcpus < 8; vcpus++) {
        expect("a flush by bitmap", flush, MMUEXT_TLB_FLUSH_MULTI, vcpus, vcpus & OTHERS);
        expect("a page's by bitmap", flush, MMUEXT_INVLPG_MULTI, vcpus, vcpus & OTHERS);
    }
    expect("a flush of all", flush, MMUEXT_TLB_FLUSH_ALL, 0, OTHERS);
    expect("a page's of all", flush, MMUEXT_INVLPG_ALL, 0, OTHERS);
    expect("a flush here", flush, MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
    expect("a page's here", flush, MMUEXT_INVLPG_LOCAL, 0, 0);
    expect("an entry, page of all", change_entry, UVMF_INVLPG | UVMF_ALL, 0, OTHERS);
    expect("an entry, flush of all", change_entry, UVMF_TLB_FLUSH | UVMF_ALL, 0, OTHERS);
    expect("an entry, page here", change_entry, UVMF_INVLPG, 0, 0);
    expect("an entry, flush here", change_entry, UVMF_TLB_FLUSH, 0, 0);
}
