/* SPDX-License-Identifier: MIT */
/*
 * Contract: two roots. NEW_USER_BASEPTR names the root that user mode runs on; any entry from user
 * mode is back on the kernel's. The two may be the same frame or share tables; what only the
 * kernel's root maps is out of user mode's reach, the machine map included; a change made in a
 * shared table shows in both after INVLPG.
 *
 * Invariants: MM-17, MM-18, ENT-15.
 * A failure means: processes read kernel memory, or a kernel handles a trap on a process's tables.
 * Sabotage: leave SECRET in the user root (do not clear its slot): the read succeeds.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

#define SECRET 0x0000300000000000UL
#define SHARED 0x0000100000000000UL

static u64 *user_root, *page;

static u64 u_read(u64 va)
{
    return READ_ONCE(*(u64 *)va);
}

static u64 u_syscall(u64 va)
{
    return front_user_syscall(1, va);
}

static bool on_syscall(struct front_regs *regs)
{
    /* The kernel sees its own map at once, without being told. */
    regs->rax = READ_ONCE(*(u64 *)SECRET);
    return true;
}

static bool on_int3(struct front_regs *regs)
{
    regs->rdx = READ_ONCE(*(u64 *)SECRET);
    return true;
}

static u64 u_int3(u64 arg)
{
    u64 v = arg;

    __asm__ volatile("int3" : "+d"(v) : : "memory");
    return v;
}

static void same_root(void)
{
    struct front_user_result r;

    check_eq(front_user_root_init(), 0);
    r = front_user_run(u_read, SECRET);
    check(!r.faulted && r.value == 0x5ec7e7, "same root: fault %lx", r.fault);
}

static void own_root(void)
{
    struct front_user_result r;
    u64 *old = (u64 *)front_si->pt_base;

    for (unsigned s = 0; s < 512; s++)
        user_root[s] = s >= 256 && s < 272 ? 0 : old[s];
    user_root[SECRET >> 39 & 511] = 0;
    check_eq(front_page_ro(user_root), 0);
    check_eq(front_mmuext1(MMUEXT_PIN_L4_TABLE, front_va_to_mfn(user_root)), 0);
    check_eq(front_mmuext1(MMUEXT_NEW_USER_BASEPTR, front_va_to_mfn(user_root)), 0);
    check_eq(front_try_read((void *)SECRET, NULL), FAULT_NONE); /* the kernel is not affected */
    r = front_user_run(u_read, SECRET);
    check(r.faulted && r.fault == PF(4), "user read of the kernel's page: fault %lx value %lx",
          r.fault, r.value);
    check_eq(front_fault_cr2(), SECRET);
    r = front_user_run(u_read, HYPERVISOR_VIRT_START + front_va_to_mfn(page) * 8);
    check(r.faulted && FAULT_VECTOR(r.fault) == 14, "user read of the machine map: value %lx",
          r.value);
    front_user_set_syscall(on_syscall);
    r = front_user_run(u_syscall, 0);
    check(!r.faulted && r.value == 0x5ec7e7, "system call: fault %lx value %lx", r.fault, r.value);
    front_user_set_syscall(NULL);
    front_trap_set(3, on_int3);
    r = front_user_run(u_int3, 0);
    check(!r.faulted && r.value == 0x5ec7e7, "int3: fault %lx value %lx", r.fault, r.value);
}

static void shared_tables(void)
{
    struct front_user_result r = front_user_run(u_read, SHARED);
    u64 *other = front_page_alloc();

    check(!r.faulted && r.value == 0x5ec7e7, "shared page: fault %lx", r.fault);
    *other = 0x07e8;
    check_eq(front_set_entry(front_pt_entry(front_root_mfn(), SHARED, 1),
                             front_pte(front_va_to_mfn(other), PTE_KERN)),
             0);
    check_eq(front_mmuext_va(MMUEXT_INVLPG_LOCAL, SHARED, 0), 0);
    r = front_user_run(u_read, SHARED);
    check(!r.faulted && r.value == 0x07e8, "INVLPG left the user root's translation: %lx", r.value);
    check_eq(front_set_entry(front_pt_entry(front_root_mfn(), SHARED, 1), 0), 0);
    check_eq(front_mmuext1(MMUEXT_TLB_FLUSH_LOCAL, 0), 0);
    r = front_user_run(u_read, SHARED);
    check(r.faulted && r.fault == PF(4), "a flush left the user root's translation: %lx", r.value);
}

static void release(void)
{
    check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(user_root)), 0);
    check(front_page_rw(user_root) < 0, "the user root in use became writable");
    check_eq(front_mmuext1(MMUEXT_NEW_USER_BASEPTR, 0), 0);
    check_eq(front_page_rw(user_root), 0);
    check(front_mmuext1(MMUEXT_NEW_USER_BASEPTR, front_va_to_mfn(page)) < 0, "data as user root");
    check(front_mmuext1(MMUEXT_NEW_USER_BASEPTR, 1UL << 39) < 0, "a root beyond the machine");
}

void guest_test(void)
{
    page = front_page_alloc();
    user_root = front_page_alloc();
    *page = 0x5ec7e7;
    check_eq(front_map(SECRET, front_va_to_mfn(page), PTE_KERN), 0);
    check_eq(front_map(SHARED, front_va_to_mfn(page), PTE_KERN), 0);
    same_root();
    own_root();
    shared_tables();
    release();
}
