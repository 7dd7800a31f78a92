/* SPDX-License-Identifier: MIT */
/*
 * The hypercall that is ours (public/tenue_op.h): what is watched, accounts, traces, names, CPUs.
 * The dispatcher admitted only the control domain.
 */
#include <tenue/account.h>

#include <tenue/hypercall.h>
#include <tenue/vcpu.h>

#include "lib.h"

static long op_watch(guest_va arg)
{
    struct tenue_op_watch op;
    long rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    if (op.set) {
        rc = watch_set(op.flags, op.trace_records, op.trace_domid);
        if (rc == -XEN_ERESTART)
            return hypercall_restart(__HYPERVISOR_tenue_op, TENUE_OP_watch, arg.va, 0, 0, 0);
        if (rc)
            return rc;
    }
    op.flags = watch_flags();
    op.cpus = cpu_count;
    op.pad = 0;
    return guest_write_obj(arg, &op);
}

static long op_account(guest_va arg)
{
    struct tenue_op_account op;
    struct domain *d;
    struct vcpu *v;
    long rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    d = domain_get(op.domid);
    if (!d)
        return -XEN_ENOENT;
    v = domain_vcpu(d, op.vcpu);
    rc = v ? account_read(v, &op) : -XEN_ENOENT;
    domain_put(d);
    return rc ? rc : guest_write_obj(arg, &op);
}

static long op_trace(guest_va arg)
{
    struct tenue_op_trace op;
    long rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    rc = trace_read(&op);
    return rc ? rc : guest_write_obj(arg, &op);
}

static const char *const fixed_names[] = {
    [TENUE_PART_USER] = "guest user",
    [TENUE_PART_KERNEL] = "guest kernel",
    [TENUE_PART_WAITING] = "waiting",
    [TENUE_PART_BLOCKED] = "blocked",
    [TENUE_PART_OFFLINE] = "offline",
    [TENUE_PART_UNWATCHED] = "unwatched",
    [TENUE_PART_SWITCH] = "switch",
    [TENUE_PART_WORK] = "deferred work",
    [TENUE_PART_UPCALL] = "upcall",
    [TENUE_PART_SYSCALL] = "system call",
    [TENUE_PART_FAILSAFE] = "failsafe",
    [TENUE_PART_TIMER] = "timer interrupt",
    [TENUE_PART_IPI] = "IPI",
    [TENUE_PART_DEVICE] = "device interrupt",
    [TENUE_PART_INT_N] = "int 0x80",
    [TENUE_PART_EMUL_CPUID] = "emulated cpuid",
    [TENUE_PART_EMUL_MSR] = "emulated msr",
    [TENUE_PART_EMUL_CONTROL] = "emulated control",
    [TENUE_PART_EMUL_PORT] = "emulated port",
    [TENUE_PART_EMUL_TABLE] = "emulated table store",
    [TENUE_PART_EMUL_OTHER] = "emulated other",
};

/* As the manuals abbreviate them. */
static const char exception_names[32][4] = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9",  "#TS",
    "#NP", "#SS", "#GP", "#PF", "#15", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
    "#22", "#23", "#24", "#25", "#26", "#27", "#HV", "#VC", "#SX", "#31",
};

const char *hypercall_name(uint64_t nr)
{
    switch (nr) {
#define HYPERCALL(number, name, nargs, who)                                                        \
    case number:                                                                                   \
        return #name;
#include <tenue/hypercalls.def>
#undef HYPERCALL
    default:
        return NULL;
    }
}

static const char *part_name(uint32_t part)
{
    if (part < ARRAY_LEN(fixed_names))
        return fixed_names[index_nospec(part, ARRAY_LEN(fixed_names))];
    if (part >= TENUE_PART_EXCEPTION && part < TENUE_PART_EXCEPTION + 32)
        return exception_names[index_nospec(part - TENUE_PART_EXCEPTION, 32)];
    return part >= TENUE_PART_HYPERCALL ? hypercall_name(part - TENUE_PART_HYPERCALL) : NULL;
}

static long op_part_name(guest_va arg)
{
    struct tenue_op_part_name op;
    const char *name;
    long rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    name = part_name(op.part);
    if (!name)
        return -XEN_ENOENT;
    memset(op.name, 0, sizeof(op.name));
    memcpy(op.name, name, MIN(strlen(name), sizeof(op.name) - 1));
    return guest_write_obj(arg, &op);
}

static long op_cpu(guest_va arg)
{
    struct tenue_op_cpu op;
    const struct run_queue *rq;
    long rc = guest_read_obj(&op, arg);

    if (rc)
        return rc;
    if (op.cpu >= cpu_count)
        return -XEN_ENOENT;
    rq = &cpus[index_nospec(op.cpu, cpu_count)]->runq;
    op.idle = sched_idle_time(op.cpu);
    op.halts = READ_ONCE(rq->halts);
    op.guest_timers = READ_ONCE(rq->guest_timers);
    return guest_write_obj(arg, &op);
}

long hc_tenue_op(uint64_t cmd, uint64_t arg)
{
    const guest_va va = guest_va_make(arg);

    switch (cmd) {
    case TENUE_OP_version:
        return TENUE_OP_VERSION;
    case TENUE_OP_watch:
        return op_watch(va);
    case TENUE_OP_account:
        return op_account(va);
    case TENUE_OP_trace:
        return op_trace(va);
    case TENUE_OP_part_name:
        return op_part_name(va);
    case TENUE_OP_cpu:
        return op_cpu(va);
    default:
        return -XEN_ENOSYS;
    }
}
