/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls from guest kernel mode, each a bare `syscall` with the number in RAX: it needs no
 * page from the hypervisor and so works from the first instruction on. The hypercall page, where
 * the image's flavour has one, is reached with front_hypercall_by_page().
 *
 * Results are the ABI's: 0 or positive on success, -XEN_E* on failure.
 */
#ifndef TENUE_FRONT_HYPERCALL_H
#define TENUE_FRONT_HYPERCALL_H

#include <tenue-front/types.h>
#include <xen/xen.h>

static inline long front_hypercall(u64 nr, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5)
{
    long ret = (long)nr;
    register u64 r10 __asm__("r10") = a4;
    register u64 r8 __asm__("r8") = a5;

    __asm__ volatile("syscall"
                     : "+a"(ret), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                     :
                     : "rcx", "r11", "memory");
    return ret;
}

/* The same, through slot `nr` of the hypercall page (flavours `high` and `legacy`). */
long front_hypercall_by_page(u64 nr, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);

#define front_hc0(nr) front_hypercall(nr, 0, 0, 0, 0, 0)
#define front_hc1(nr, a) front_hypercall(nr, (u64)(a), 0, 0, 0, 0)
#define front_hc2(nr, a, b) front_hypercall(nr, (u64)(a), (u64)(b), 0, 0, 0)
#define front_hc3(nr, a, b, c) front_hypercall(nr, (u64)(a), (u64)(b), (u64)(c), 0, 0)
#define front_hc4(nr, a, b, c, d) front_hypercall(nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0)

#define hc_set_trap_table(table) front_hc1(__HYPERVISOR_set_trap_table, table)
#define hc_mmu_update(reqs, n, done, dom) front_hc4(__HYPERVISOR_mmu_update, reqs, n, done, dom)
#define hc_set_gdt(frames, entries) front_hc2(__HYPERVISOR_set_gdt, frames, entries)
#define hc_stack_switch(ss, sp) front_hc2(__HYPERVISOR_stack_switch, ss, sp)
#define hc_fpu_taskswitch(set) front_hc1(__HYPERVISOR_fpu_taskswitch, set)
#define hc_set_debugreg(reg, v) front_hc2(__HYPERVISOR_set_debugreg, reg, v)
#define hc_get_debugreg(reg) front_hc1(__HYPERVISOR_get_debugreg, reg)
#define hc_update_descriptor(ma, desc) front_hc2(__HYPERVISOR_update_descriptor, ma, desc)
#define hc_memory_op(cmd, arg) front_hc2(__HYPERVISOR_memory_op, cmd, arg)
#define hc_multicall(calls, n) front_hc2(__HYPERVISOR_multicall, calls, n)
#define hc_update_va_mapping(va, pte, fl) front_hc3(__HYPERVISOR_update_va_mapping, va, pte, fl)
#define hc_set_timer_op(when) front_hc1(__HYPERVISOR_set_timer_op, when)
#define hc_xen_version(cmd, arg) front_hc2(__HYPERVISOR_xen_version, cmd, arg)
#define hc_console_io(cmd, n, buf) front_hc3(__HYPERVISOR_console_io, cmd, n, buf)
#define hc_grant_table_op(cmd, ops, n) front_hc3(__HYPERVISOR_grant_table_op, cmd, ops, n)
#define hc_vm_assist(cmd, type) front_hc2(__HYPERVISOR_vm_assist, cmd, type)
#define hc_vcpu_op(cmd, id, arg) front_hc3(__HYPERVISOR_vcpu_op, cmd, id, arg)
#define hc_set_segment_base(which, v) front_hc2(__HYPERVISOR_set_segment_base, which, v)
#define hc_mmuext_op(ops, n, done, dom) front_hc4(__HYPERVISOR_mmuext_op, ops, n, done, dom)
#define hc_sched_op(cmd, arg) front_hc2(__HYPERVISOR_sched_op, cmd, arg)
#define hc_callback_op(cmd, arg) front_hc2(__HYPERVISOR_callback_op, cmd, arg)
#define hc_event_channel_op(cmd, arg) front_hc2(__HYPERVISOR_event_channel_op, cmd, arg)
#define hc_physdev_op(cmd, arg) front_hc2(__HYPERVISOR_physdev_op, cmd, arg)

#endif
