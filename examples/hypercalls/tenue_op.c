/* SPDX-License-Identifier: MIT */
/* Contract: the operations of tenue_op, one example each (example.h). Invariants: HC-1. */
#include "example.h"

#include <tenue_op.h>

#define hc_tenue_op(cmd, arg) front_hc2(__HYPERVISOR_tenue_op, cmd, arg)

GUEST_RUN("ours");

#define EXAMPLE_NUMBER(name) TENUE_OP_##name

static struct tenue_part_time parts[TENUE_PARTS];
static struct tenue_trace_record records[64];

EXAMPLE(version)
{
    check_eq(hc_tenue_op(TENUE_OP_version, 0), TENUE_OP_VERSION);
}

EXAMPLE(watch)
{
    struct tenue_op_watch op = {.set = 1,
                                .flags = TENUE_WATCH_ACCOUNT | TENUE_WATCH_TRACE,
                                .trace_records = 256,
                                .trace_domid = TENUE_TRACE_ALL};

    check_eq(hc_tenue_op(TENUE_OP_watch, &op), 0);
    check_eq(op.cpus, 1);
}

EXAMPLE(account)
{
    struct tenue_op_account op = {.domid = 0, .vcpu = 0, .parts = (u64)parts};

    hc_sched_op(SCHEDOP_yield, 0); /* accounts begin at the next entry */
    check_eq(hc_tenue_op(TENUE_OP_account, &op), 0);
    check(parts[TENUE_PART_KERNEL].ns);
}

EXAMPLE(trace)
{
    struct tenue_op_trace op = {.count = FRONT_ARRAY_SIZE(records), .records = (u64)records};

    check_eq(hc_tenue_op(TENUE_OP_trace, &op), 0);
    check(op.count);
}

EXAMPLE(part_name)
{
    struct tenue_op_part_name op = {.part = TENUE_PART_HYPERCALL + __HYPERVISOR_sched_op};

    check_eq(hc_tenue_op(TENUE_OP_part_name, &op), 0);
    check(!strcmp(op.name, "sched_op"));
}

EXAMPLE(cpu)
{
    struct tenue_op_cpu op = {.cpu = 0};

    check_eq(hc_tenue_op(TENUE_OP_cpu, &op), 0);
}

EXAMPLES(LISTED(version), LISTED(watch), LISTED(account), LISTED(trace), LISTED(part_name),
         LISTED(cpu));
