/* SPDX-License-Identifier: MIT */
/*
 * Last words. panic() is for our own broken state only (assert.h): it says what, where and on whose
 * behalf, then halts or reboots as the noreboot option wants. It takes the console by force.
 */
#include <tenue/assert.h>

#include <tenue/log.h>
#include <tenue/options.h>
#include <tenue/vcpu.h>

#include "lib.h"

static void say(const char *fmt, ...) printf_like(1, 2);

static void say(const char *fmt, ...)
{
    char text[256];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = fmt_vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    console_write(text, MIN((size_t)n, sizeof(text) - 1));
}

static void dump_guest(const struct cpu *c)
{
    const struct vcpu *v = c->current;
    const struct cpu_user_regs *r;

    if (!v)
        return;
    r = hal_guest_regs();
    say("current d%uv%u %s rip %lx rsp %lx rax %lx rdi %lx rsi %lx rdx %lx\n", v->domain->domid,
        v->id, v->pv.kernel_mode ? "kernel" : "user", r->rip, r->rsp, r->rax, r->rdi, r->rsi,
        r->rdx);
}

static void dump_locks(const struct cpu *c, unsigned count)
{
    for (unsigned i = 0; i < count && i < LOCKS_HELD_MAX; i++)
        say("holds lock of rank %u at %p\n", c->held[i]->rank, (const void *)c->held[i]);
}

noreturn_fn void panic(const char *fmt, ...)
{
    static bool entered;
    unsigned held = this_cpu()->held_count;
    char text[256];
    va_list ap;

    if (__atomic_exchange_n(&entered, true, __ATOMIC_SEQ_CST))
        hal_halt();
    console_force_unlock();
    va_start(ap, fmt);
    fmt_vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    this_cpu()->held_count = 0;
    say("\n*** Tenue panic on CPU %u: %s\n", this_cpu()->id, text);
    dump_locks(this_cpu(), held);
    dump_guest(this_cpu());
    if (options.noreboot) {
        say("*** halted (noreboot)\n");
        hal_halt();
    }
    say("*** rebooting\n");
    hal_reboot();
}
