/* SPDX-License-Identifier: MIT */
/*
 * Contract: no hypercall number, operation or argument that a guest can make up harms anything but
 * that guest: with junk arguments every call comes back, an operation that does not exist is an
 * error, and afterwards memory, traps, events and time work as before.
 *
 * Invariants: HC-1, HC-8, HC-10, HC-12, HC-14.
 * A failure means: a guest can stop or corrupt the machine with one call.
 * Sabotage: leave sched_op's `block` in the sweep (drop its row from `keep_out`): it never ends.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 timeout=60 append=guest_loglvl=none");

/* Calls that do exactly what they are told, and would end the test: not junk but requests. */
static const struct {
    u8 nr, cmd_from, cmd_to;
} keep_out[] = {
    {__HYPERVISOR_iret, 0, 255},
    {__HYPERVISOR_sched_op, SCHEDOP_block, SCHEDOP_block},
    {__HYPERVISOR_sched_op_compat, SCHEDOP_block, SCHEDOP_shutdown},
};

static const u64 junk[] = {
    0,
    1,
    0x7ff0,
    0xffffffff,
    0x80000000,
    1UL << 32,
    0x00007fffffffffffUL,
    0x8000000000000000UL,
    HYPERVISOR_VIRT_START,
    HYPERVISOR_VIRT_END - 8,
    ~0UL,
};

static bool kept_out(unsigned nr, u64 cmd)
{
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(keep_out); i++) {
        if (keep_out[i].nr == nr && cmd >= keep_out[i].cmd_from && cmd <= keep_out[i].cmd_to)
            return true;
    }
    return false;
}

static u64 ticks;

static void on_tick(evtchn_port_t port, void *opaque)
{
    (void)port;
    (void)opaque;
    ticks++;
}

/* What the sweep may legitimately have changed about ourselves is set up again. */
static void recover(void)
{
    front_trap_init();
    hc_fpu_taskswitch(0);
    hc_set_gdt(0, 0);
    for (unsigned i = 0; i < 8; i++)
        hc_set_debugreg(i, 0);
}

static void still_alive(unsigned nr)
{
    static u64 *page;

    page = page ? page : front_page_alloc();
    check(FAULT("ud2", :) == UD(), "after hypercall %u: no #UD", nr);
    check(front_try_write(page, nr) == FAULT_NONE && *page == nr, "after hypercall %u: memory", nr);
    check(hc_xen_version(XENVER_version, 0) == (4 << 16 | 17), "after hypercall %u: version", nr);
}

static void sweep(unsigned nr)
{
    for (u64 cmd = 0; cmd < 48; cmd++) {
        if (kept_out(nr, cmd))
            continue;
        for (unsigned a = 0; a < FRONT_ARRAY_SIZE(junk); a++) {
            u64 second = junk[a];

            /* vcpu_op on ourselves could stop us; a wrong id never can. */
            if (nr == __HYPERVISOR_vcpu_op && (u32)second == 0)
                continue;
            front_hypercall(nr, cmd, second, junk[(a + 5) % 11], junk[(a + 7) % 11], second);
            front_hypercall(nr, cmd, second, 0x8000000000000000UL, 0x8000000000000000UL, ~0UL);
        }
    }
    recover();
    still_alive(nr);
}

static void unknown_operations(void)
{
    static const unsigned multiplexed[] = {
        __HYPERVISOR_memory_op,       __HYPERVISOR_xen_version, __HYPERVISOR_console_io,
        __HYPERVISOR_vcpu_op,         __HYPERVISOR_sched_op,    __HYPERVISOR_callback_op,
        __HYPERVISOR_physdev_op,      __HYPERVISOR_vm_assist,   __HYPERVISOR_grant_table_op,
        __HYPERVISOR_event_channel_op};
    static const u64 ops[] = {60, 63, 200, 0x7fffffff, 0x80000000, 0xffffffff};

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(multiplexed); i++) {
        for (unsigned o = 0; o < FRONT_ARRAY_SIZE(ops); o++) {
            u8 room[256] = {0};
            long rc;

            /* memory_op keeps a restart position above its six bits of operation. */
            if (multiplexed[i] == __HYPERVISOR_memory_op && ops[o] > 63)
                continue;
            rc = front_hypercall(multiplexed[i], ops[o],
                                 multiplexed[i] == __HYPERVISOR_vcpu_op ? 0 : (u64)room, (u64)room,
                                 0, 0);
            check(rc < 0, "hypercall %u operation %lx: %ld", multiplexed[i], ops[o], rc);
        }
    }
}

static void time_goes_on(void)
{
    int port = front_evtchn_bind_virq(VIRQ_TIMER, 0);

    if (!check(port > 0, "VIRQ_TIMER: %d", port))
        return;
    front_evtchn_handle((evtchn_port_t)port, on_tick, NULL);
    front_evtchn_unmask((evtchn_port_t)port);
    front_irq_enable();
    ticks = 0;
    front_timer_at(front_time_ns() + 1000000);
    check(front_wait(&ticks, 1, 1000000000UL), "no timer after the sweep");
}

void guest_test(void)
{
    for (unsigned nr = 0; nr < 64; nr++)
        sweep(nr);
    unknown_operations();
    time_goes_on();
}
