/* SPDX-License-Identifier: MIT */
/*
 * Watching vcpus: closed accounting of their time by part (public/tenue_op.h), and the trace rings
 * that record each change of part. Off until the control domain asks; then hooks cost one test of a
 * flag, on general paths alone, and the hand-written paths are switched off (hal_fast_paths).
 *
 * A hook says which part the current vcpu enters; the time since the last hook goes to the part
 * it leaves. Nothing is counted twice or lost, whatever the order of hooks.
 */
#ifndef TENUE_ACCOUNT_H
#define TENUE_ACCOUNT_H

#include <tenue/abi.h>
#include <tenue/frame.h>
#include <tenue/timer.h>

#include <public/tenue_op.h>

struct vcpu;
struct vcpu_account;

/* Something is watched. CPUs follow one by one (this_cpu()->watched), which disturbs no sum. */
extern peeked bool watch_on;

/* --- hooks: slow halves, to be called when watch_on --- */
void account_enter(unsigned part);
/* Entry by hypercall nr; an event that it sends is traced. */
void account_enter_hypercall(const struct cpu_user_regs *regs);
/* The part that the vcpu is in turned out to be another. */
void account_rename(unsigned part);
/* Around an element of a multicall. */
void account_element_begin(uint64_t nr, uint64_t first);
void account_element_end(void);

static inline void watch_enter(unsigned part)
{
    if (unlikely(watch_on))
        account_enter(part);
}
static inline void watch_rename(unsigned part)
{
    if (unlikely(watch_on))
        account_rename(part);
}

/* entry.S: about to enter the guest, or to deliver an event first. */
void account_exit(void);
/* vcpu_runstate_change() of a vcpu that has an account: any CPU, its run queue locked. */
void account_runstate(struct vcpu *v, int old_state, int new_state, ns_t now);

/* Give v, which does not run yet, an account if accounts are kept. A failure leaves it without. */
void account_vcpu_init(struct vcpu *v);
void account_vcpu_free(struct vcpu *v);
/* SOFTIRQ_WORK: this CPU does what was last asked. */
void watch_follow(void);

/* --- for the operations (diag/tenue_op.c) --- */
/* May return -XEN_ERESTART. */
int watch_set(uint32_t flags, uint32_t records, uint32_t domid) must_check;
uint32_t watch_flags(void);
int account_read(struct vcpu *v, struct tenue_op_account *op) must_check;

/* --- diag/trace.c --- */
struct trace_ring {
    uint64_t next;                           /* [own CPU writes] */
    uint32_t mask;                           /* [I] slots - 1 */
    uint32_t domid;                          /* [I] of whom, or TENUE_TRACE_ALL */
    unsigned order;                          /* [I] of the slots' allocation */
    peeked struct tenue_trace_record *slots; /* [own CPU writes] */
};

/* One ring per CPU; -XEN_EBUSY while there are some. */
int trace_begin(uint32_t records, uint32_t domid) must_check;
/* This CPU's ring is given back, if tracing is over. */
void trace_follow(bool on);
void trace_put(const struct vcpu *v, ns_t now, unsigned event, uint32_t arg);
int trace_read(struct tenue_op_trace *op) must_check;

long hc_tenue_op(uint64_t cmd, uint64_t arg);

#endif
