/* SPDX-License-Identifier: MIT */
/*
 * Contract (ours: hypervisor/include/public/tenue_op.h): while accounts are kept, the parts of a
 * vcpu's time sum to the time since its account was opened, to the nanosecond; each entry counts
 * in the part that it was, an element of a multicall as itself; no counter ever falls. The trace
 * says the same: as many records of a part as the counter has. Off again, nothing is recorded, and
 * hypercalls cost what they did before, to the instruction.
 *
 * What it costs is printed: the guest's clock counts instructions.
 *
 * Invariants: HC-1.
 * A failure means: `tenue cost` tells stories.
 * Sabotage, each seen: in diag/account.c, drop `a->since = now`: the sum; drop the compare of
 * CPU_softirqs in exit_slow (entry.S), so that account_exit is always called: it stops, the softirq
 * is never done.
 */
#include "guest.h"

#include <tenue_op.h>

GUEST_RUN("vcpus=1 ours icount");

#define N 100
#define RECORDS 4096

static struct tenue_part_time before[TENUE_PARTS], after[TENUE_PARTS];
static struct tenue_trace_record records[RECORDS];
static multicall_entry_t calls[N];

static long op(u64 cmd, void *arg)
{
    return front_hc2(__HYPERVISOR_tenue_op, cmd, arg);
}

static long watch(u32 flags)
{
    struct tenue_op_watch w = {
        .set = 1, .flags = flags, .trace_records = RECORDS, .trace_domid = TENUE_TRACE_ALL};
    long rc = op(TENUE_OP_watch, &w);

    if (rc == 0)
        check_eq(w.flags, flags);
    hc_sched_op(SCHEDOP_yield, 0); /* a look at the softirqs */
    return rc;
}

static void read_account(struct tenue_part_time *parts)
{
    struct tenue_op_account a = {.domid = 0, .vcpu = 0, .parts = (u64)parts};
    u64 sum = 0;

    check_eq(op(TENUE_OP_account, &a), 0);
    for (unsigned i = 0; i < TENUE_PARTS; i++)
        sum += parts[i].ns;
    check(sum == a.now - a.opened, "parts %lu, time %lu", sum, a.now - a.opened);
    check_eq(a.part, TENUE_PART_HYPERCALL + __HYPERVISOR_tenue_op);
}

static u64 counted(unsigned part)
{
    return after[part].count - before[part].count;
}

static bool skip_int3(struct front_regs *regs)
{
    (void)regs;
    return true;
}

static void load(void)
{
    for (unsigned i = 0; i < N; i++)
        hc_xen_version(XENVER_version, 0);
    for (unsigned i = 0; i < N; i++)
        calls[i] =
            (multicall_entry_t){.op = __HYPERVISOR_xen_version, .args = {XENVER_pagesize, 0}};
    hc_multicall(calls, N);
    for (unsigned i = 0; i < N; i++)
        __asm__ volatile("int3");
    for (unsigned i = 0; i < N; i++) {
        u32 lo, hi;

        __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(0x277));
    }
    for (unsigned i = 0; i < N; i++) {
        u32 a = 0, b, c = 0, d;

        __asm__ volatile("ud2; .ascii \"xen\"; cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    }
}

/* Sums, counts, monotonic. */
static void accounts(void)
{
    read_account(before);
    load();
    read_account(after);
    for (unsigned i = 0; i < TENUE_PARTS; i++)
        check(after[i].ns >= before[i].ns && after[i].count >= before[i].count, "part %u fell", i);
    check_eq(counted(TENUE_PART_HYPERCALL + __HYPERVISOR_xen_version), 2 * N);
    check_eq(counted(TENUE_PART_EXCEPTION + 3), N);
    check_eq(counted(TENUE_PART_EMUL_MSR), N);
    check_eq(counted(TENUE_PART_EMUL_CPUID), N);
    check_eq(counted(TENUE_PART_EXCEPTION + 13), 0);
    check_eq(counted(TENUE_PART_EXCEPTION + 6), 0);
    check(counted(TENUE_PART_HYPERCALL + __HYPERVISOR_multicall) >= 1 &&
          counted(TENUE_PART_HYPERCALL + __HYPERVISOR_multicall) <= 1 + N / 16);
    check(after[TENUE_PART_KERNEL].ns > before[TENUE_PART_KERNEL].ns);
}

static u32 traced(u32 n, unsigned part)
{
    u32 found = 0;

    for (u32 i = 0; i < n; i++)
        found += TENUE_TRACE_ARG_PART(records[i].arg) == part &&
                 (records[i].event == TENUE_TRACE_PART || records[i].event == TENUE_TRACE_RENAME);
    return found;
}

static u32 read_trace(void)
{
    struct tenue_op_trace t = {.cpu = 0};
    u32 n = 0;

    do {
        t.count = RECORDS - n;
        t.records = (u64)&records[n];
        if (!check_eq(op(TENUE_OP_trace, &t), 0))
            break;
        check_eq(t.lost, 0);
        n += t.count;
    } while (t.count && n < RECORDS);
    return n;
}

static void traces(void)
{
    u32 n;

    check_eq(watch(TENUE_WATCH_ACCOUNT | TENUE_WATCH_TRACE), 0);
    check_eq(watch(TENUE_WATCH_ACCOUNT | TENUE_WATCH_TRACE), -XEN_EBUSY);
    read_account(before);
    load();
    read_account(after);
    n = read_trace();
    check_eq(traced(n, TENUE_PART_HYPERCALL + __HYPERVISOR_xen_version), 2 * N);
    check_eq(traced(n, TENUE_PART_EXCEPTION + 3), N);
    check_eq(traced(n, TENUE_PART_EMUL_MSR), N);
    for (u32 i = 1; i < n; i++)
        if (!check(records[i].ns >= records[i - 1].ns, "record %u goes back in time", i))
            break;
    check_eq(watch(TENUE_WATCH_ACCOUNT), 0);
    check_eq(op(TENUE_OP_trace, &(struct tenue_op_trace){.cpu = 0}), -XEN_ENODATA);
}

/* Ticks of a null hypercall. */
static u64 cost(void)
{
    u64 start = front_rdtsc();

    for (unsigned i = 0; i < N; i++)
        hc_xen_version(XENVER_version, 0);
    return (front_rdtsc() - start) / N;
}

static void refusals(void)
{
    struct tenue_op_part_name name = {.part = TENUE_PART_HYPERCALL + __HYPERVISOR_xen_version};
    struct tenue_op_account a = {.domid = 77};
    struct tenue_op_trace t = {.cpu = 77};

    check_eq(op(TENUE_OP_version, 0), TENUE_OP_VERSION);
    check_eq(op(99, 0), -XEN_ENOSYS);
    check_eq(op(TENUE_OP_watch, (void *)0x8000000000000000UL), -XEN_EFAULT);
    check_eq(watch(8), -XEN_EINVAL);
    check_eq(watch(TENUE_WATCH_TRACE), -XEN_EINVAL);
    check_eq(op(TENUE_OP_account, &a), -XEN_ENOENT);
    a = (struct tenue_op_account){.vcpu = 31};
    check_eq(op(TENUE_OP_account, &a), -XEN_ENOENT);
    check_eq(op(TENUE_OP_trace, &t), -XEN_EINVAL);
    check_eq(op(TENUE_OP_part_name, &name), 0);
    check(__builtin_strcmp(name.name, "xen_version") == 0, "%s", name.name);
    name.part = 127;
    check_eq(op(TENUE_OP_part_name, &name), -XEN_ENOENT);
}

void guest_test(void)
{
    struct tenue_op_account never = {.domid = 0};
    u64 off, accounted, with_trace;

    front_trap_set(3, skip_int3);
    check_eq(op(TENUE_OP_account, &never), -XEN_ENODATA);
    cost();
    off = cost();
    refusals();
    check_eq(watch(TENUE_WATCH_ACCOUNT), 0);
    accounts();
    accounted = cost();
    traces();
    watch(TENUE_WATCH_ACCOUNT | TENUE_WATCH_TRACE);
    with_trace = cost();
    check_eq(watch(0), 0);
    check(cost() <= off);
    front_printf("xen_version: %lu instructions, %lu accounted, %lu traced\n", off, accounted,
                 with_trace);
    front_printf("accounting %lu per entry and exit; tracing %lu per record\n", accounted - off,
                 (with_trace - accounted) / 2);
    check(accounted - off < 400 && with_trace - accounted < 200);
}
