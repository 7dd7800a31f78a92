/* SPDX-License-Identifier: MIT */
/*
 * core/guestmem.c: which addresses are a guest's, and copies that stop at a fault (HC-1).
 *
 * Sabotage: in guest_range_ok() compare with <= HIGH_START: hypervisor_range_is_refused fails; drop
 * the overflow check in elem_va(): elements_do_not_wrap fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/guestmem.h>

#define LOW_END 0x800000000000ull
#define HV_START 0xffff800000000000ull
#define HV_END 0xffff880000000000ull

static bool ok(uint64_t va, uint64_t bytes)
{
    return guest_range_ok(guest_va_make(va), bytes);
}

static void lower_half_edges(void)
{
    CU_ASSERT_TRUE(ok(0, 0));
    CU_ASSERT_TRUE(ok(0, LOW_END));
    CU_ASSERT_FALSE(ok(0, LOW_END + 1));
    CU_ASSERT_TRUE(ok(LOW_END - 8, 8));
    CU_ASSERT_FALSE(ok(LOW_END - 8, 9));
    CU_ASSERT_FALSE(ok(LOW_END, 1));
    CU_ASSERT_FALSE(ok(LOW_END, 0));
    CU_ASSERT_FALSE(ok(1, ~0ull));
}

static void hypervisor_range_is_refused(void)
{
    CU_ASSERT_FALSE(ok(HV_START, 1));
    CU_ASSERT_FALSE(ok(HV_START - 1, 1));
    CU_ASSERT_FALSE(ok(HV_END - 1, 1));
    CU_ASSERT_FALSE(ok(HV_END - 1, 0));
    CU_ASSERT_TRUE(ok(HV_END, 1));
    CU_ASSERT_FALSE(ok(0, HV_END));
    CU_ASSERT_FALSE(guest_addr_ok(HV_START));
    CU_ASSERT_FALSE(guest_addr_ok(HV_END - 1));
    CU_ASSERT_TRUE(guest_addr_ok(HV_END));
    CU_ASSERT_FALSE(guest_addr_ok(LOW_END));
    CU_ASSERT_TRUE(guest_addr_ok(LOW_END - 1));
}

static void upper_half_edges(void)
{
    CU_ASSERT_TRUE(ok(~0ull, 1));
    CU_ASSERT_FALSE(ok(~0ull, 2));
    CU_ASSERT_TRUE(ok(HV_END, 0 - HV_END));
    CU_ASSERT_FALSE(ok(HV_END, 0 - HV_END + 1));
    CU_ASSERT_FALSE(ok(HV_END, ~0ull));
}

static struct guest g;

static void guest_up(void)
{
    struct domain *d = fake_domain(7, 1, 100);

    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    guest_init(&g, d);
    fake_run(d->vcpus[0]);
}

static void guest_down(void)
{
    fake_run(NULL);
    CU_ASSERT_TRUE(fake_destroy(g.d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
}

static void copies_reach_the_guest(void)
{
    uint64_t out = 0x1122334455667788ull, in = 0;

    guest_up();
    /* Across a page boundary. */
    CU_ASSERT_EQUAL(guest_write(guest_va_make(guest_va_at(11) - 4), &out, 8), 0);
    CU_ASSERT_EQUAL(guest_read(&in, guest_va_make(guest_va_at(11) - 4), 8), 0);
    CU_ASSERT_EQUAL(in, out);
    CU_ASSERT_EQUAL((uint32_t)guest_ptr(&g, 11)[0], 0x11223344);
    CU_ASSERT_EQUAL(guest_clear(guest_va_make(guest_va_at(10)), 2 * PAGE_SIZE), 0);
    CU_ASSERT_EQUAL(guest_ptr(&g, 11)[0], 0);
    guest_down();
}

static void faults_are_reported(void)
{
    uint64_t x = 0;

    guest_up();
    CU_ASSERT_EQUAL(guest_read(&x, guest_va_make(0x1000), 8), -XEN_EFAULT);
    CU_ASSERT_EQUAL(guest_write(guest_va_make(guest_va_at(GUEST_FRAMES) - 4), &x, 8), -XEN_EFAULT);
    /* Its own page table, mapped read-only: the guest's permission counts (WP). */
    CU_ASSERT_EQUAL(guest_write(guest_va_make(guest_va_at(g.l1)), &x, 8), -XEN_EFAULT);
    CU_ASSERT_EQUAL(guest_read(&x, guest_va_make(guest_va_at(g.l1)), 8), 0);
    guest_down();
}

static void elements_do_not_wrap(void)
{
    uint64_t x = 0;

    guest_up();
    CU_ASSERT_EQUAL(guest_write_elem(guest_va_make(guest_va_at(10)), 3, &x, 8), 0);
    CU_ASSERT_EQUAL(guest_read_elem(&x, guest_va_make(guest_va_at(10)), 1ull << 61, 8),
                    -XEN_EFAULT);
    CU_ASSERT_EQUAL(guest_read_elem(&x, guest_va_make(guest_va_at(10)), 1ull << 60, 8),
                    -XEN_EFAULT);
    CU_ASSERT_EQUAL(guest_read_elem(&x, guest_va_make(~7ull), 1, 8), -XEN_EFAULT);
    guest_down();
}

void suite_guestmem(void);
void suite_guestmem(void)
{
    CU_pSuite s = CU_add_suite("guestmem", NULL, NULL);

    CU_add_test(s, "HC-1: edges of the lower half", lower_half_edges);
    CU_add_test(s, "HC-1: the hypervisor's range is refused", hypervisor_range_is_refused);
    CU_add_test(s, "HC-1: edges of the upper half", upper_half_edges);
    CU_add_test(s, "copies reach the guest", copies_reach_the_guest);
    CU_add_test(s, "faults and read-only pages are reported", faults_are_reported);
    CU_add_test(s, "HC-1: element addresses do not wrap", elements_do_not_wrap);
}
