/* SPDX-License-Identifier: MIT */
/* In place of the other files here, in an image built without diagnostics (HV_DIAG=0). */
#include <tenue/account.h>

#include <tenue/hypercall.h>
#include <tenue/log.h>
#include <tenue/pv.h>

peeked bool watch_on;

void account_enter(unsigned part)
{
    (void)part;
}

void account_enter_hypercall(const struct cpu_user_regs *regs)
{
    (void)regs;
}

void account_rename(unsigned part)
{
    (void)part;
}

void account_element_begin(uint64_t nr, uint64_t first)
{
    (void)nr;
    (void)first;
}

void account_element_end(void)
{
}

void account_exit(void)
{
}

void account_runstate(struct vcpu *v, int old_state, int new_state, ns_t now)
{
    (void)v, (void)old_state, (void)new_state, (void)now;
}

void account_vcpu_init(struct vcpu *v)
{
    (void)v;
}

void account_vcpu_free(struct vcpu *v)
{
    (void)v;
}

void watch_follow(void)
{
}

void debug_key(char key)
{
    (void)key;
    log_info("debug keys, audit: not in this image");
}

unsigned pv_audit(void)
{
    log_info("audit: not in this image");
    return 0;
}

long hc_tenue_op(uint64_t cmd, uint64_t arg)
{
    (void)arg;
    return cmd == TENUE_OP_version ? (long)TENUE_OP_VERSION : -XEN_ENOSYS;
}
