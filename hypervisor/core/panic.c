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

static void say_list(const char *fmt, va_list ap)
{
    char text[256];
    int n = fmt_vsnprintf(text, sizeof(text), fmt, ap);

    console_write(text, MIN((size_t)n, sizeof(text) - 1));
}

static printf_like(1, 2) void say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say_list(fmt, ap);
    va_end(ap);
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
    va_list ap;

    if (__atomic_exchange_n(&entered, true, __ATOMIC_SEQ_CST))
        hal_halt();
    console_force_unlock();
    this_cpu()->held_count = 0;
    say("\n*** Tenue panic on CPU %u: ", this_cpu()->id);
    va_start(ap, fmt);
    say_list(fmt, ap);
    va_end(ap);
    say("\n");
    dump_locks(this_cpu(), held);
    dump_guest(this_cpu());
    say(options.noreboot ? "*** halted (noreboot)\n" : "*** rebooting\n");
    if (options.noreboot)
        hal_halt();
    hal_reboot();
}
