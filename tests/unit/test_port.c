/* SPDX-License-Identifier: MIT */
/*
 * pv/port.c: who may use ports, and what they reach (EMU-2, EMU-4; contract 6.7 as far as ports
 * go).
 *
 * Sabotage: compare with `>` instead of `>=` iopl 1 in pv_iopl_ok(): who_may fails. Check only the
 * first port's bit: bitmap fails. Let is_ours() look at the first port only: what_is_ours fails.
 * Do not restore the user root after the bitmap: bitmap_from_user_mode fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/pvcpu.h"

static void who_may(void)
{
    pv_begin(5);
    for (unsigned how = 0; how < 16; how++) {
        const unsigned iopl = how & 3;
        const bool kernel = how & 4, architectural = how & 8;
        bool may = kernel ? iopl >= 1 || architectural : iopl == 3;

        pv_mode(kernel);
        pvv->pv.iopl = (uint8_t)iopl;
        pvg.d->pv.vm_assist = architectural ? 1ull << VMASST_TYPE_architectural_iopl : 0;
        for (unsigned port = 0; port < 0x10000; port += 61)
            CU_ASSERT_EQUAL(pv_port_allowed(pvv, (uint16_t)port, 1), may);
    }
    pv_mode(true);
    pv_end();
}

/* Each bit by itself, each width, at the bitmap's end and with a bitmap partly unmapped. */
static void bitmap(void)
{
    uint8_t *bits;

    pv_begin(5);
    bits = (uint8_t *)guest_ptr(&pvg, PV_DATA);
    pvv->pv.iobmp_va = guest_va_at(PV_DATA);
    pvv->pv.iobmp_limit = 1024;
    for (unsigned closed = 0; closed < 1024; closed++) {
        memset(bits, 0, 1024 / 8);
        bits[closed / 8] |= (uint8_t)(1u << closed % 8);
        for (unsigned port = closed > 8 ? closed - 8 : 0; port < closed + 8; port++)
            for (unsigned width = 1; width <= 4; width *= 2) {
                const bool open = port > closed || port + width <= closed;

                CU_ASSERT_EQUAL(pv_port_allowed(pvv, (uint16_t)port, width),
                                open && port + width <= 1024);
            }
    }
    memset(bits, 0, 1024 / 8);
    for (unsigned width = 1; width <= 4; width *= 2) {
        CU_ASSERT_TRUE(pv_port_allowed(pvv, (uint16_t)(1024 - width), width));
        CU_ASSERT_FALSE(pv_port_allowed(pvv, (uint16_t)(1024 - width + 1), width));
    }
    pvv->pv.iobmp_limit = 65536;
    CU_ASSERT_FALSE(pv_port_allowed(pvv, 0xffff, 2)); /* no port after the last */
    pvv->pv.iobmp_va = guest_va_at(PV_UNMAPPED);
    CU_ASSERT_FALSE(pv_port_allowed(pvv, 0, 1));
    pvv->pv.iobmp_va = 0xffff800000000000ull - 1;
    CU_ASSERT_FALSE(pv_port_allowed(pvv, 0, 1));
    pvv->pv.iobmp_va = MACH2PHYS_VIRT_START;
    CU_ASSERT_FALSE(pv_port_allowed(pvv, 0, 1));
    pvv->pv.iobmp_va = 0;
    CU_ASSERT_FALSE(pv_port_allowed(pvv, 0, 1));
    pv_end();
}

static void bitmap_from_user_mode(void)
{
    pv_begin(5);
    memset(guest_ptr(&pvg, PV_DATA), 0, 128);
    pvv->pv.iobmp_va = guest_va_at(PV_DATA);
    pvv->pv.iobmp_limit = 1024;
    pv_mode(false);
    CU_ASSERT_TRUE(pv_port_allowed(pvv, 0x80, 4));
    CU_ASSERT_TRUE(mfn_eq(this_cpu()->root, pvv->pv.root_user));
    pv_mode(true);
    pv_end();
}

static uint32_t ones(unsigned width)
{
    return width == 4 ? ~0u : (1u << 8 * width) - 1;
}

/* A domain without ports probes an empty machine; the one zero ends a calibration loop. */
static void without_ports(void)
{
    pv_begin(5);
    fake_metal.port_value = 0;
    for (unsigned port = 0; port < 0x10000; port++)
        for (unsigned width = 1; width <= 4; width *= 2) {
            CU_ASSERT_EQUAL(pv_port_in(pvg.d, (uint16_t)port, width),
                            port == 0x42 && width == 1 ? 0 : ones(width));
            pv_port_out(pvg.d, (uint16_t)port, width, 0x12345678);
        }
    CU_ASSERT_EQUAL(fake_metal.port_count, 0);
    pv_end();
}

static void what_is_ours(void)
{
    pv_begin(0);
    fake_metal.port_value = 0x5a5a5a5a;
    for (unsigned port = 0x3f0; port < 0x408; port++)
        for (unsigned width = 1; width <= 4; width *= 2) {
            const bool ours = port < 0x400 && port + width > 0x3f8;

            fake_metal.port_count = 0;
            CU_ASSERT_EQUAL(pv_port_in(pvg.d, (uint16_t)port, width),
                            ours ? ones(width) : 0x5a5a5a5a & ones(width));
            pv_port_out(pvg.d, (uint16_t)port, width, 1);
            CU_ASSERT_EQUAL(fake_metal.port_count, ours ? 0 : 2);
        }
    pv_end();
}

/* The configuration address is the domain's own, and is set before each access to the data. */
static void pci_configuration(void)
{
    pv_begin(0);
    pv_port_out(pvg.d, 0xcf8, 4, 0x80001234);
    CU_ASSERT_EQUAL(fake_metal.port_count, 0);
    CU_ASSERT_EQUAL(pv_port_in(pvg.d, 0xcf8, 4), 0x80001234);
    for (unsigned port = 0xcfc; port < 0xd00; port++)
        for (unsigned out = 0; out < 2; out++) {
            fake_metal.port_count = 0;
            if (out)
                pv_port_out(pvg.d, (uint16_t)port, 1, 7);
            else
                (void)pv_port_in(pvg.d, (uint16_t)port, 1);
            CU_ASSERT_EQUAL(fake_metal.port_count, 2);
            CU_ASSERT_TRUE(fake_metal.ports[0].out && fake_metal.ports[0].port == 0xcf8 &&
                           fake_metal.ports[0].bytes == 4 &&
                           fake_metal.ports[0].value == 0x80001234);
            CU_ASSERT_TRUE(fake_metal.ports[1].port == port && fake_metal.ports[1].out == out);
        }
    pv_end();
}

void suite_port(void);
void suite_port(void)
{
    CU_pSuite s = CU_add_suite("port", NULL, NULL);

    CU_add_test(s, "EMU-2: who may use ports", who_may);
    CU_add_test(s, "the bitmap: each bit, each width", bitmap);
    CU_add_test(s, "the bitmap is the kernel's, in user mode too", bitmap_from_user_mode);
    CU_add_test(s, "EMU-4: a domain without ports reads ones", without_ports);
    CU_add_test(s, "our own ports do not exist", what_is_ours);
    CU_add_test(s, "PCI configuration address", pci_configuration);
}
