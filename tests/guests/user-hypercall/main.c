/* SPDX-License-Identifier: MIT */
/*
 * Contract: hypercalls are the guest kernel's. Whatever number and arguments user code puts into
 * its registers, by syscall, through the hypercall page or by int 0x82, it reaches its own kernel's
 * handler, or faults, and nothing has been done. A multicall refuses to leave for user
 * mode half-way, or to contain itself.
 *
 * Invariants: HC-4, HC-8, ENT-1, ENT-13, MM-17.
 * Advisories: 213, 4.
 * A failure means: any process of a guest owns that guest, and whatever its kernel may do.
 * Sabotage: in syscall_entry (x86/entry.S) drop the branch to pv_syscall: user code's calls are
 * carried out, and the guest dies of the first.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static volatile u64 asked, last_nr;
static u64 *page;
static mmu_update_t request;

static bool on_syscall(struct front_regs *regs)
{
    check(front_regs_user(regs), "from cs %lx", regs->cs);
    asked++;
    last_nr = regs->rax;
    regs->rax = 0x0a5ced;
    return true;
}

struct call {
    u64 nr, a1, a2, a3, a4;
};

static u64 u_syscall(u64 arg)
{
    const struct call *c = (const struct call *)arg;
    u64 rax = c->nr, a1 = c->a1, a2 = c->a2, a3 = c->a3;
    register u64 r10 __asm__("r10") = c->a4;

    __asm__ volatile("syscall"
                     : "+a"(rax), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10)
                     :
                     : "rcx", "r11", "r8", "memory");
    return rax;
}

static u64 u_page(u64 arg)
{
    const struct call *c = (const struct call *)arg;
    u64 at = (u64)front_hypercall_page + 32 * c->nr, rax = 0, a1 = c->a1, a2 = c->a2, a3 = c->a3;
    register u64 r10 __asm__("r10") = c->a4;

    __asm__ volatile("call *%[at]"
                     : "+a"(rax), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10)
                     : [at] "b"(at)
                     : "rcx", "r11", "r8", "memory");
    return rax;
}

static u64 u_int82(u64 arg)
{
    u64 rax = ((const struct call *)arg)->nr;

    __asm__ volatile("int $0x82" : "+a"(rax));
    return rax;
}

static u64 u_exit(u64 arg)
{
    return arg;
}

/* Would have an effect: a writable mapping of a page that is read-only. */
static u64 entry_now(void)
{
    return *front_pt_entry(front_root_mfn(), (u64)page, 1);
}

static void numbers(void)
{
    const struct call call0 = {.a1 = (u64)&request, .a2 = 1, .a4 = DOMID_SELF};
    u64 before = entry_now();

    for (u64 nr = 0; nr < 64; nr++) {
        struct call c = call0;
        struct front_user_result r;

        c.nr = nr;
        if (nr == __HYPERVISOR_update_va_mapping)
            c = (struct call){nr, (u64)page, front_pte(front_va_to_mfn(page), PTE_KERN),
                              UVMF_INVLPG, 0};
        asked = 0;
        r = front_user_run(u_syscall, (u64)&c);
        check(!r.faulted && asked == 1 && last_nr == nr && r.value == 0x0a5ced,
              "syscall %lu: asked %lu times, %lx, fault %lx", nr, asked, r.value, r.fault);
        if (nr != __HYPERVISOR_iret) {
            asked = 0;
            r = front_user_run(u_page, (u64)&c);
            check(r.faulted || (asked == 1 && r.value == 0x0a5ced), "by page %lu: %lu, %lx", nr,
                  asked, r.value);
        }
        r = front_user_run(u_int82, (u64)&c);
        check(r.faulted, "int 0x82 with %lu: %lx", nr, r.value);
        check(entry_now() == before, "hypercall %lu from user mode: entry %lx", nr, entry_now());
    }
}

/* iret in a list would have the rest run for user mode: it is refused. */
static void multicalls(void)
{
    static multicall_entry_t calls[4];
    u64 before = entry_now();
    long rc;

    calls[0].op = __HYPERVISOR_iret;
    calls[1].op = __HYPERVISOR_mmu_update;
    calls[1].args[0] = (unsigned long)&request;
    calls[1].args[1] = 1;
    calls[1].args[3] = DOMID_SELF;
    if (!guest_on_xen()) { /* takes whatever stands on the stack for a frame */
        rc = hc_multicall(calls, 2);
        check(rc < 0 || (long)calls[0].result < 0, "iret in a list: %ld", rc);
        check_eq(front_page_ro(page), 0); /* still in kernel mode, what follows may be done */
        before = entry_now();
    }
    for (unsigned i = 0; i < 4; i++) {
        calls[i] =
            (multicall_entry_t){.op = __HYPERVISOR_multicall, .args = {(unsigned long)calls, 4}};
    }
    rc = hc_multicall(calls, 4);
    check(rc < 0 || (long)calls[0].result < 0, "a list of itself: %ld", rc);
    calls[0].op = ~0UL;
    calls[1].op = 64;
    calls[2].op = 1UL << 32 | __HYPERVISOR_mmu_update;
    calls[3].op = 0x80000000;
    check_eq(hc_multicall(calls, 4), 0);
    for (unsigned i = 0; i < 4; i++)
        check(calls[i].result == (unsigned long)-XEN_ENOSYS || i == 2, "element %u: %ld", i,
              (long)calls[i].result);
    check_eq(entry_now(), before);
}

void guest_test(void)
{
    check_eq(front_user_root_init(), 0);
    front_user_set_syscall(on_syscall);
    page = front_page_alloc();
    check_eq(front_page_ro(page), 0);
    request.ptr = front_entry_maddr(front_pt_entry(front_root_mfn(), (u64)page, 1));
    request.val = front_pte(front_va_to_mfn(page), PTE_KERN);
    numbers();
    multicalls();
    check_eq(front_user_run(u_exit, 42).value, 42);
    /* The same from the kernel has the effect. */
    check_eq(hc_mmu_update(&request, 1, 0, DOMID_SELF), 0);
    check(entry_now() & PTE_RW, "%lx", entry_now());
}
