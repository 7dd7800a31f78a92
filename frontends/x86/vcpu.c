/* SPDX-License-Identifier: MIT */
/*
 * Bringing up another vCPU: a context that enters front_vcpu_entry on the vCPU's own stack with
 * the boot vCPU's page tables, events masked until its function enables them.
 */
#include "internal.h"

void front_vcpu_main(void (*fn)(void))
{
    front_trap_vcpu_init();
    fn();
    for (;;)
        hc_vcpu_op(VCPUOP_down, front_vcpu_id(), 0);
}

int front_vcpu_start(unsigned id, void (*fn)(void))
{
    static vcpu_guest_context_t ctxt;
    int rc;

    if (id >= FRONT_MAX_VCPUS)
        return -22;
    memset(&ctxt, 0, sizeof(ctxt));
    ctxt.flags = VGCF_in_kernel;
    ctxt.user_regs.rip = (u64)front_vcpu_entry;
    ctxt.user_regs.rsp = (u64)front_stacks[id] + FRONT_STACK_SIZE;
    ctxt.user_regs.rdi = (u64)fn;
    ctxt.user_regs.rflags = 0x1000;
    ctxt.user_regs.cs = FLAT_KERNEL_CS;
    ctxt.user_regs.ss = FLAT_KERNEL_SS;
    for (unsigned v = 0; v < 256; v++) {
        ctxt.trap_ctxt[v].vector = (u8)v;
        ctxt.trap_ctxt[v].flags = (u8)((v == 3 || v == 4 || v == 0x80 ? 3 : 0) | 4);
        ctxt.trap_ctxt[v].cs = FLAT_KERNEL_CS;
        ctxt.trap_ctxt[v].address = front_trap_stub(v);
    }
    ctxt.kernel_ss = FLAT_KERNEL_SS;
    ctxt.kernel_sp = (u64)front_stacks[id] + FRONT_STACK_BLOCK;
    ctxt.ctrlreg[3] = xen_pfn_to_cr3(front_root_mfn());
    ctxt.event_callback_eip = front_trap_stub(FRONT_VEC_EVENT);
    ctxt.failsafe_callback_eip = front_trap_stub(FRONT_VEC_FAILSAFE);
    front_vcpu_info(id)->evtchn_upcall_mask = 1;
    rc = (int)hc_vcpu_op(VCPUOP_initialise, id, &ctxt);
    if (rc)
        return rc;
    return (int)hc_vcpu_op(VCPUOP_up, id, 0);
}
