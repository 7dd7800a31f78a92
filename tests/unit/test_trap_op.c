/* SPDX-License-Identifier: MIT */
/*
 * pv/trap_op.c: every address and selector that a guest may leave with us (ENT-2, ENT-7, HC-8).
 *
 * Sabotage: drop guest_addr_ok() from pv_trap_entry_set(): addresses fails. Restart a trap table at
 * the entry just done plus none: trap_table fails (never ends). Allow DR7 bit 13: debug_bits fails.
 * Let callback_unregister() take the event callback: callbacks fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/pvcpu.h"

#include <tenue/entrypoints.h>

static const struct {
    uint64_t va;
    bool fine;
} places[] = {
    {1, true},
    {0x00007fffffffffffull, true},
    {0x0000800000000000ull, false},
    {0x1234567812345678ull, false},
    {0xffff7fffffffffffull, false},
    {0xffff800000000000ull, false}, /* ours */
    {0xffff87ffffffffffull, false},
    {0xffff880000000000ull, true},
    {~0ull, true},
};

static long call2(uint64_t nr, uint64_t a, uint64_t b)
{
    return fake_hypercall(nr, a, b, 0, 0);
}

static long trap(const struct trap_info *ti, unsigned n)
{
    memcpy(guest_ptr(&pvg, PV_ARGS), ti, n * sizeof(*ti));
    return call2(__HYPERVISOR_set_trap_table, guest_va_at(PV_ARGS), 0);
}

static long callback(unsigned type, unsigned flags, uint64_t address)
{
    const struct callback_register op = {
        .type = (uint16_t)type, .flags = (uint16_t)flags, .address = address};

    memcpy(guest_ptr(&pvg, PV_ARGS), &op, sizeof(op));
    return call2(__HYPERVISOR_callback_op, CALLBACKOP_register, guest_va_at(PV_ARGS));
}

static void addresses(void)
{
    pv_begin(5);
    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        const long want = places[i].fine ? 0 : -XEN_EINVAL;
        const uint64_t va = places[i].va;
        const struct trap_info ti[2] = {{.vector = 6, .cs = 0x10, .address = va}};
        const bool canonical = va == (uint64_t)((int64_t)(va << 16) >> 16);

        CU_ASSERT_EQUAL(trap(ti, 2), want);
        CU_ASSERT_EQUAL(pvv->pv.traps[6].address == va, places[i].fine);
        for (unsigned type = 0; type < 12; type++) {
            const bool known = type < 3 || type == 4 || type == 5 || type == 7;

            CU_ASSERT_EQUAL(callback(type, 1, va), known || want ? want : -XEN_ENOSYS);
        }
        for (unsigned at = 0; at < 3; at++)
            CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_set_callbacks, at == 0 ? va : 1,
                                           at == 1 ? va : 1, at == 2 ? va : 1, 0),
                            want);
        CU_ASSERT_EQUAL(call2(__HYPERVISOR_stack_switch, 0x18, va), want);
        CU_ASSERT_EQUAL(pvv->pv.kernel_sp == va, places[i].fine);
        for (unsigned which = 0; which < 3; which++)
            CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_segment_base, which, va),
                            canonical ? 0 : -XEN_EINVAL);
        for (unsigned reg = 0; reg < 4; reg++)
            CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_debugreg, reg, va),
                            places[i].fine ? 0 : -XEN_EPERM);
    }
    pv_end();
}

static void trap_table(void)
{
    struct trap_info all[200] = {{0}};

    pv_begin(5);
    for (unsigned i = 0; i < 199; i++)
        all[i] = (struct trap_info){
            .vector = (uint8_t)i, .flags = 0xff, .cs = 0x10, .address = 0x1000 + i};
    for (unsigned every = 0; every < 4; every++) {
        fake_preempt_every = every;
        CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_trap_table, 0, 0), 0);
        CU_ASSERT_EQUAL(pvv->pv.traps[3].address, 0);
        CU_ASSERT_EQUAL(trap(all, 200), 0);
        for (unsigned i = 0; i < 199; i++) {
            CU_ASSERT_EQUAL(pvv->pv.traps[i].address, 0x1000 + i);
            CU_ASSERT_EQUAL(pvv->pv.traps[i].cs, 0x13);
            CU_ASSERT_EQUAL(pvv->pv.traps[i].flags, 7);
        }
    }
    fake_preempt_every = 0;
    /* It merges. */
    all[0] = (struct trap_info){.vector = 7, .cs = 0x10, .address = 0x7777};
    all[1].address = 0;
    CU_ASSERT_EQUAL(trap(all, 2), 0);
    CU_ASSERT_EQUAL(pvv->pv.traps[7].address, 0x7777);
    CU_ASSERT_EQUAL(pvv->pv.traps[8].address, 0x1008);
    /* Without an end it runs into what is not mapped, having done what it found. */
    all[0].vector = 9;
    memcpy((uint8_t *)guest_ptr(&pvg, PV_UNMAPPED - 1) + PAGE_SIZE - 16, all, 16);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_trap_table, guest_va_at(PV_UNMAPPED) - 16, 0),
                    -XEN_EFAULT);
    CU_ASSERT_EQUAL(pvv->pv.traps[9].address, 0x7777);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_trap_table, MACH2PHYS_VIRT_START, 0), -XEN_EFAULT);
    pv_end();
}

static void callbacks(void)
{
    pv_begin(5);
    for (unsigned type = 0; type < 12; type++) {
        const bool must_stay = type < 3, known = type < 3 || type == 4 || type == 5 || type == 7;
        const struct callback_unregister op = {.type = (uint16_t)type};

        memcpy(guest_ptr(&pvg, PV_ARGS), &op, sizeof(op));
        CU_ASSERT_EQUAL(
            call2(__HYPERVISOR_callback_op, CALLBACKOP_unregister, guest_va_at(PV_ARGS)),
            must_stay ? -XEN_EINVAL
            : known   ? 0
                      : -XEN_ENOSYS);
    }
    CU_ASSERT_EQUAL(pvv->pv.syscall32.address | pvv->pv.sysenter.address, 0);
    CU_ASSERT_EQUAL(pvv->pv.traps[2].address, 0);
    CU_ASSERT_NOT_EQUAL(pvv->pv.event.address, 0);
    CU_ASSERT_EQUAL(callback(CALLBACKTYPE_syscall, 0, 0x4000), 0);
    CU_ASSERT_FALSE(pvv->pv.syscall.mask_events);
    CU_ASSERT_EQUAL(callback(CALLBACKTYPE_syscall, CALLBACKF_mask_events, 0x5000), 0);
    CU_ASSERT_TRUE(pvv->pv.syscall.mask_events);
    CU_ASSERT_EQUAL(pvv->pv.syscall.address, 0x5000);
    for (unsigned cmd = 2; cmd < 40; cmd++)
        CU_ASSERT_EQUAL(call2(__HYPERVISOR_callback_op, cmd, guest_va_at(PV_ARGS)), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_callback_op, 0, guest_va_at(PV_UNMAPPED)), -XEN_EFAULT);
    for (unsigned cmd = 2; cmd < 10; cmd++)
        CU_ASSERT_EQUAL(call2(__HYPERVISOR_nmi_op, cmd, guest_va_at(PV_ARGS)), -XEN_ENOSYS);
    guest_ptr(&pvg, PV_ARGS)[0] = 0x9000;
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_nmi_op, XENNMI_register_callback, guest_va_at(PV_ARGS)), 0);
    CU_ASSERT_EQUAL(pvv->pv.traps[2].address, 0x9000);
    CU_ASSERT_NOT_EQUAL(TI_GET_IF(&pvv->pv.traps[2]), 0);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_nmi_op, XENNMI_unregister_callback, 0), 0);
    CU_ASSERT_EQUAL(pvv->pv.traps[2].address, 0);
    pv_end();
}

static void segment_bases(void)
{
    static const enum hal_segbase which[] = {HAL_FS_BASE, HAL_GS_BASE_INACTIVE, HAL_GS_BASE};

    pv_begin(5);
    for (unsigned i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_segment_base, i, 0x1000 * (i + 1)), 0);
        CU_ASSERT_EQUAL(hal_segbase_read(which[i]), 0x1000 * (i + 1));
    }
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_segment_base, 3, 0xabcd0000ull | 0x30), 0);
    CU_ASSERT_EQUAL(fake_metal.gs_user_sel, 0x33);
    for (unsigned null = 0; null < 4; null++) {
        CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_segment_base, 3, null), 0);
        CU_ASSERT_EQUAL(fake_metal.gs_user_sel, 0);
    }
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_segment_base, 4, 0), -XEN_EINVAL);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_segment_base, ~0ull, 0), -XEN_EINVAL);
    pv_end();
}

/* ENT-7: reserved bits never reach the register; general detect and I/O breakpoints are refused. */
static void debug_bits(void)
{
    pv_begin(5);
    for (unsigned bit = 0; bit < 64; bit++) {
        const uint64_t value = 1ull << bit;
        const int rc = bit < 32 ? 0 : -XEN_EINVAL;

        CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_debugreg, 6, value), rc);
        CU_ASSERT_EQUAL(pvv->pv.debugreg[6], 0xffff0ff0 | (value & 0xe00f));
        CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_debugreg, 7, value), bit == 13 ? -XEN_EPERM : rc);
        if (bit >= 32)
            continue;
        CU_ASSERT_EQUAL(pvv->pv.debugreg[7], 0x400 | (value & 0xffff03ff));
        CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_get_debugreg, 7, 0, 0, 0),
                        0x400 | (value & 0xffff03ff));
    }
    for (unsigned i = 0; i < 4; i++)
        for (unsigned type = 0; type < 4; type++)
            for (unsigned enable = 0; enable < 4; enable++) {
                const uint64_t dr7 = (uint64_t)type << (16 + 4 * i) | (uint64_t)enable << (2 * i);

                CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_debugreg, 7, dr7),
                                type == 2 && enable ? -XEN_EPERM : 0);
            }
    /* 4 and 5 are 6 and 7. */
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_debugreg, 4, 1), 0);
    CU_ASSERT_EQUAL(pvv->pv.debugreg[6], 0xffff0ff1);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_debugreg, 5, 1), 0);
    CU_ASSERT_EQUAL(pvv->pv.debugreg[7], 0x401);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_get_debugreg, 5, 0), 0x401);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_debugreg, 8, 0), -XEN_ENODEV);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_set_debugreg, 1ull << 32 | 3, 0x1000), 0); /* an int */
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_get_debugreg, 8, 0), -XEN_ENODEV);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_get_debugreg, 1ull << 32 | 3, 0), 0x1000);
    pv_end();
}

static void assists_and_fpu(void)
{
    const uint64_t offered = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1ull << 32;

    pv_begin(5);
    pvg.d->pv.vm_assist = 0;
    for (unsigned type = 0; type < 70; type++) {
        const bool known = type < 64 && offered >> type & 1;

        CU_ASSERT_EQUAL(call2(__HYPERVISOR_vm_assist, 0, type), known ? 0 : -XEN_EINVAL);
        CU_ASSERT_EQUAL(pvg.d->pv.vm_assist, known ? 1ull << type : 0);
        CU_ASSERT_EQUAL(call2(__HYPERVISOR_vm_assist, 1, type), known ? 0 : -XEN_EINVAL);
        CU_ASSERT_EQUAL(pvg.d->pv.vm_assist, 0);
    }
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_vm_assist, 2, 0), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_fpu_taskswitch, 1, 0), 0);
    CU_ASSERT_TRUE(fake_metal.ts && pvv->pv.cr0_guest == CR0_TS);
    CU_ASSERT_EQUAL(call2(__HYPERVISOR_fpu_taskswitch, 0, 0), 0);
    CU_ASSERT_FALSE(fake_metal.ts || pvv->pv.cr0_guest);
    pv_end();
}

void suite_trap_op(void);
void suite_trap_op(void)
{
    CU_pSuite s = CU_add_suite("trap_op", NULL, NULL);

    CU_add_test(s, "ENT-2: each setter with each kind of address", addresses);
    CU_add_test(s, "set_trap_table merges, ends, restarts", trap_table);
    CU_add_test(s, "HC-8: callbacks", callbacks);
    CU_add_test(s, "segment bases", segment_bases);
    CU_add_test(s, "ENT-7: debug register bits", debug_bits);
    CU_add_test(s, "vm_assist and fpu_taskswitch", assists_and_fpu);
}
