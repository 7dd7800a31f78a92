/* SPDX-License-Identifier: MIT */
/*
 * Contract: port I/O from user mode is the guest kernel's to allow: by a virtual IOPL of 3, or by
 * a bitmap of ports (PHYSDEVOP_set_iobitmap); otherwise #GP in the process. The bitmap is read
 * with the kernel's rights, at the time of the access.
 *
 * Invariants: EMU-1, EMU-2, EMU-4, HC-1.
 * A failure means: any process may touch the control domain's devices, or none may.
 * Sabotage: clear the bit of port 0x81 instead in bitmap(): port 0x80 stays refused.
 */
#include "guest.h"

#include <xen/physdev.h>

GUEST_RUN("vcpus=1");

static u8 map[8192];

static u64 u_out(u64 port)
{
    __asm__ volatile("outb %%al, %%dx" : : "a"(0), "d"((u16)port));
    return 1;
}

static u64 u_in32(u64 port)
{
    u64 v = 0x1122334455667788UL;

    __asm__ volatile("inl %%dx, %%eax" : "+a"(v) : "d"((u16)port));
    return v;
}

static u64 u_cli(u64 arg)
{
    __asm__ volatile("cli");
    return arg;
}

static bool allowed(u64 (*fn)(u64), u64 port)
{
    struct front_user_result r = front_user_run(fn, port);

    check(!r.faulted || r.fault == GP(0), "port %lx: fault %lx", port, r.fault);
    return !r.faulted;
}

static void iopl(void)
{
    physdev_set_iopl_t op = {.iopl = 3};

    check(!allowed(u_out, 0x80), "user I/O without permission");
    check_eq(hc_physdev_op(PHYSDEVOP_set_iopl, &op), 0);
    check(allowed(u_out, 0x80), "user I/O at IOPL 3");
    check(allowed(u_cli, 0), "cli at IOPL 3");
    op.iopl = 1;
    check_eq(hc_physdev_op(PHYSDEVOP_set_iopl, &op), 0);
    check(!allowed(u_out, 0x80), "user I/O at IOPL 1");
}

static void bitmap(void)
{
    physdev_set_iobitmap_t op = {.nr_ports = 65536};

    memset(map, 0xff, sizeof(map));
    map[0x80 / 8] &= (u8)~1;
    set_xen_guest_handle(op.bitmap, map);
    check_eq(hc_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    check(allowed(u_out, 0x80), "a port whose bit is clear");
    check(!allowed(u_out, 0x81), "a port whose bit is set");
    check(!allowed(u_in32, 0x80), "four ports of which one is allowed");
    map[0x80 / 8] = 0xf0;
    check(allowed(u_in32, 0x80), "four ports, all allowed");
    /* A 32-bit input clears the register's upper half, as the processor does. */
    check_eq(front_user_run(u_in32, 0x80).value >> 32, 0);
    op.nr_ports = 65537;
    check_eq(hc_physdev_op(PHYSDEVOP_set_iobitmap, &op), -XEN_EINVAL);
    op.nr_ports = 0x80; /* what lies beyond is refused */
    check_eq(hc_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
    check(!allowed(u_out, 0x80), "a port beyond the bitmap");
    op.nr_ports = 0;
    check_eq(hc_physdev_op(PHYSDEVOP_set_iobitmap, &op), 0);
}

void guest_test(void)
{
    check_eq(front_user_root_init(), 0);
    iopl();
    bitmap();
}
