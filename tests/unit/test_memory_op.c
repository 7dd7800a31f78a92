/* SPDX-License-Identifier: MIT */
/*
 * core/memory_op.c and exchange.c: reservations and questions, as a guest and as the control
 * domain.
 *
 * Sabotage: in exchange_chunk() leave out give_all_back() on failure: exchange_is_all_or_nothing
 * fails. In reservation_op() drop the MEMORY_ORDER_MAX test: orders_and_counts_are_capped fails.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "../../hypervisor/pv/mmu.h"
#include "fake/fake.h"

#include <tenue/m2p.h>
#include <tenue/pv.h>

#define ARGS 62u
#define LIST 61u

static struct guest g;
static uint64_t free_before;

static void begin(uint32_t max)
{
    struct domain *d;

    free_before = READ_ONCE(heap_free_frames);
    d = fake_domain(5, 1, max);
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    guest_init(&g, d);
    fake_on_cpu(0);
    fake_run(d->vcpus[0]);
}

static void end(void)
{
    fake_preempt_every = 0;
    fake_run(NULL);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_TRUE(fake_destroy(g.d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), free_before);
}

static uint64_t *list(void)
{
    return guest_ptr(&g, LIST);
}

static long memory_op(uint64_t cmd, const void *arg, size_t bytes)
{
    memcpy(guest_ptr(&g, ARGS), arg, bytes);
    return fake_hypercall(__HYPERVISOR_memory_op, cmd, guest_va_at(ARGS), 0, 0);
}

static struct xen_memory_reservation extents(uint64_t n, unsigned order)
{
    struct xen_memory_reservation r = {.nr_extents = n, .extent_order = order, .domid = DOMID_SELF};

    set_xen_guest_handle(r.extent_start, (xen_pfn_t *)guest_va_at(LIST));
    return r;
}

static long reserve(unsigned op, uint64_t start, uint64_t n, unsigned order)
{
    const struct xen_memory_reservation r = extents(n, order);

    return memory_op(op | start << 6, &r, sizeof(r));
}

static void populate_and_decrease(void)
{
    for (unsigned every = 0; every < 3; every++) {
        begin(200);
        fake_preempt_every = every;
        for (unsigned i = 0; i < 20; i++)
            list()[i] = 1000 + i;
        CU_ASSERT_EQUAL(reserve(XENMEM_populate_physmap, 0, 20, 0), 20);
        CU_ASSERT_EQUAL(g.d->pages.total, GUEST_FRAMES + 20);
        for (unsigned i = 0; i < 20; i++) {
            CU_ASSERT_EQUAL(page_owner(mfn_make(list()[i])), 5);
            CU_ASSERT_EQUAL(m2p_get(mfn_make(list()[i])), 1000 + i);
        }
        CU_ASSERT_EQUAL(reserve(XENMEM_decrease_reservation, 0, 20, 0), 20);
        for (unsigned i = 0; i < 20; i++)
            CU_ASSERT_EQUAL(m2p_get(mfn_make(list()[i])), M2P_NONE);
        CU_ASSERT_EQUAL(g.d->pages.total, GUEST_FRAMES);
        CU_ASSERT_EQUAL(reserve(XENMEM_decrease_reservation, 0, 20, 0),
                        0); /* not its own any more */
        CU_ASSERT_EQUAL(reserve(XENMEM_increase_reservation, 0, 3, 2), 3);
        CU_ASSERT_EQUAL(list()[1] & 3, 0);
        end();
    }
}

static void partial_success_is_counted(void)
{
    begin(GUEST_FRAMES + 5);
    for (unsigned i = 0; i < 20; i++)
        list()[i] = 1000 + i;
    CU_ASSERT_EQUAL(reserve(XENMEM_populate_physmap, 0, 20, 0), 5); /* the maximum */
    CU_ASSERT_EQUAL(reserve(XENMEM_populate_physmap, 0, 20, 0), 0);
    list()[2] = g.frames[g.l4].n; /* pinned, but its to release (MM-22) */
    list()[3] = ptr_to_mfn(g.d).n;
    CU_ASSERT_EQUAL(reserve(XENMEM_decrease_reservation, 0, 5, 0), 3);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    end();
}

/* MM-20 */
static void orders_and_counts_are_capped(void)
{
    begin(5000); /* enough for an extent of order 10, were it allowed */
    for (unsigned order = 10; order < 64; order++)
        CU_ASSERT_EQUAL(reserve(XENMEM_populate_physmap, 0, 1, order), 0);
    CU_ASSERT_EQUAL(reserve(XENMEM_populate_physmap, 0, ~0ull, 0), 0);
    CU_ASSERT_EQUAL(reserve(XENMEM_populate_physmap, 0, ~0ull >> 5, 0), 0);
    CU_ASSERT_EQUAL(reserve(XENMEM_populate_physmap, 7, 5, 0), 7); /* starts beyond the end */
    list()[3] = 9;
    CU_ASSERT_EQUAL(reserve(XENMEM_populate_physmap, 3, 4, 0), 4);
    CU_ASSERT_EQUAL(g.d->pages.total, GUEST_FRAMES + 1);
    g.d->pages.max = 200;
    CU_ASSERT_EQUAL(reserve(XENMEM_populate_physmap, 1, 10000, 0), 136);
    end();
}

static long exchange(uint64_t in, unsigned in_order, uint64_t out, unsigned out_order,
                     unsigned bits)
{
    struct xen_memory_exchange x = {.in = extents(in, in_order), .out = extents(out, out_order)};

    set_xen_guest_handle(x.out.extent_start, (xen_pfn_t *)(guest_va_at(LIST) + 2048));
    x.out.mem_flags = XENMEMF_address_bits(bits);
    return memory_op(XENMEM_exchange, &x, sizeof(x));
}

static uint64_t exchanged(void)
{
    return ((struct xen_memory_exchange *)guest_ptr(&g, ARGS))->nr_exchanged;
}

/* Sixteen frames of the guest's that nothing maps, highest first so that they are no block. */
static void spare_frames(void)
{
    for (unsigned i = 0; i < 16; i++) {
        CU_ASSERT_EQUAL(
            fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(20 + i), 0, UVMF_INVLPG, 0),
            0);
        list()[15 - i] = g.frames[20 + i].n;
    }
    if (list()[0] + 1 == list()[1]) {
        list()[0] ^= list()[1];
        list()[1] ^= list()[0];
        list()[0] ^= list()[1];
    }
    list()[256] = 500;
    list()[257] = 600;
}

static void exchange_gives_a_low_block(void)
{
    begin(200);
    spare_frames();
    CU_ASSERT_EQUAL(exchange(16, 0, 1, 4, 24), 0);
    CU_ASSERT_EQUAL(exchanged(), 16);
    CU_ASSERT_TRUE(list()[256] + 16 <= 1 << 12);
    CU_ASSERT_EQUAL(list()[256] & 15, 0);
    for (unsigned i = 0; i < 16; i++) {
        CU_ASSERT_EQUAL(page_owner(mfn_make(list()[256] + i)), 5);
        CU_ASSERT_EQUAL(m2p_get(mfn_make(list()[256] + i)), 500 + i);
        CU_ASSERT_EQUAL(page_owner(mfn_make(list()[i])), DOMID_INVALID);
    }
    CU_ASSERT_EQUAL(*(uint64_t *)mfn_to_ptr(mfn_make(list()[256])), 0);
    CU_ASSERT_EQUAL(g.d->pages.total, GUEST_FRAMES);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    /* What is a suitable block already comes back as it is. */
    for (unsigned i = 0; i < 16; i++)
        list()[i] = list()[256] + i;
    list()[256] = 700;
    CU_ASSERT_EQUAL(exchange(16, 0, 1, 4, 24), 0);
    CU_ASSERT_EQUAL(list()[256], list()[0]);
    CU_ASSERT_EQUAL(m2p_get(mfn_make(list()[0] + 3)), 703);
    end();
}

static void exchange_is_all_or_nothing(void)
{
    begin(200);
    spare_frames();
    CU_ASSERT_EQUAL(exchange(16, 0, 1, 4, 18), -XEN_ENOMEM);
    CU_ASSERT_EQUAL(exchanged(), 0);
    CU_ASSERT_EQUAL(list()[256], 500);
    for (unsigned i = 0; i < 16; i++)
        CU_ASSERT_EQUAL(page_owner(mfn_make(list()[i])), 5);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    list()[9] = g.frames[40].n; /* mapped */
    CU_ASSERT_EQUAL(exchange(16, 0, 1, 4, 24), -XEN_EINVAL);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    list()[9] = list()[8]; /* twice the same */
    CU_ASSERT_EQUAL(exchange(16, 0, 1, 4, 24), -XEN_EINVAL);
    CU_ASSERT_EQUAL(exchange(15, 0, 1, 4, 24), -XEN_EINVAL);
    CU_ASSERT_EQUAL(exchange(~0ull, 0, ~0ull, 0, 24), -XEN_EINVAL);
    CU_ASSERT_EQUAL(exchange(1ull << 60, 4, 0, 0, 24), -XEN_EINVAL);
    CU_ASSERT_EQUAL(exchange(1, 10, 1, 10, 24), -XEN_EINVAL);
    CU_ASSERT_EQUAL(exchange(1, 0, 1, 0, 3), -XEN_ENOMEM); /* HC-14: less than a page's address */
    CU_ASSERT_EQUAL(fake_audit(), 0);
    end();
}

static void exchange_in_pieces(void)
{
    begin(200);
    spare_frames();
    fake_preempt_every = 1;
    CU_ASSERT_EQUAL(exchange(16, 0, 2, 3, 24), 0);
    CU_ASSERT_TRUE(fake_restarts > 0);
    CU_ASSERT_EQUAL(exchanged(), 16);
    CU_ASSERT_EQUAL(m2p_get(mfn_make(list()[256])), 500);
    CU_ASSERT_EQUAL(m2p_get(mfn_make(list()[257])), 600);
    end();
}

static void questions(void)
{
    struct xen_machphys_mapping *mm;
    domid_t self = DOMID_SELF, other = 0;
    struct xen_memory_map map = {.nr_entries = 8};

    begin(200);
    CU_ASSERT_EQUAL(memory_op(XENMEM_current_reservation, &self, 2), GUEST_FRAMES);
    CU_ASSERT_EQUAL(memory_op(XENMEM_maximum_reservation, &self, 2), 200);
    CU_ASSERT_EQUAL(memory_op(XENMEM_current_reservation, &other, 2), -XEN_EPERM);
    CU_ASSERT_EQUAL(memory_op(XENMEM_maximum_ram_page, &self, 2), FAKE_FRAMES - 1);
    CU_ASSERT_EQUAL(memory_op(XENMEM_machphys_mapping, &self, 2), 0);
    mm = (struct xen_machphys_mapping *)guest_ptr(&g, ARGS);
    CU_ASSERT_EQUAL(mm->v_start, MACH2PHYS_VIRT_START);
    CU_ASSERT_EQUAL(mm->max_mfn, FAKE_FRAMES - 1);
    CU_ASSERT_EQUAL(memory_op(XENMEM_memory_map, &map, sizeof(map)), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(memory_op(XENMEM_machine_memory_map, &map, sizeof(map)), -XEN_EPERM);
    CU_ASSERT_EQUAL(memory_op(XENMEM_set_memory_map, &map, sizeof(map)), -XEN_EPERM);
    CU_ASSERT_EQUAL(memory_op(XENMEM_claim_pages, &map, sizeof(map)), -XEN_EPERM);
    CU_ASSERT_EQUAL(memory_op(XENMEM_acquire_resource, &map, sizeof(map)), -XEN_EPERM);
    for (unsigned op = 29; op < 64; op++)
        CU_ASSERT_EQUAL(memory_op(op, &map, sizeof(map)), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(memory_op(XENMEM_add_to_physmap, &map, sizeof(map)), -XEN_ENOSYS);
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_memory_op, XENMEM_exchange, 0x1000, 0, 0),
                    -XEN_EFAULT);
    end();
}

void suite_memory_op(void);
void suite_memory_op(void)
{
    CU_pSuite s = CU_add_suite("memory_op", NULL, NULL);

    CU_add_test(s, "populate and decrease", populate_and_decrease);
    CU_add_test(s, "HC-7: partial success is counted", partial_success_is_counted);
    CU_add_test(s, "MM-20: orders and counts are capped", orders_and_counts_are_capped);
    CU_add_test(s, "exchange gives a low block", exchange_gives_a_low_block);
    CU_add_test(s, "MM-9: exchange is all or nothing", exchange_is_all_or_nothing);
    CU_add_test(s, "HC-6: exchange in pieces", exchange_in_pieces);
    CU_add_test(s, "questions and who may ask them", questions);
}
