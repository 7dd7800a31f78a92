/* SPDX-License-Identifier: MIT */
/*
 * Contract: memory operations with every size, count, flag and restart position that a guest can
 * write. Each is refused or does what it reports, nothing outside the caller's arrays is read or
 * written, pages in use are not given away, and as much memory is the guest's at the end as at the
 * start.
 *
 * Invariants: MM-9, MM-11, MM-14, MM-20, MM-21, MM-22, HC-1, HC-5, HC-6, HC-7, HC-8, HC-14, LC-8.
 * Advisories: 14, 22, 29, 31, 159, 212, 214, 231, 252, 385.
 * A failure means: a guest writes the hypervisor's memory, or takes everybody's.
 * Sabotage: let exchange_check() (core/exchange.c) take any nr_exchanged: exchanges() fails.
 */
#include "guest.h"

GUEST_RUN("vcpus=1 append=guest_loglvl=none");

#define WINDOW 0x0000100000000000UL
#define GUARD 0x6742d11eUL

static xen_pfn_t list[8], out[8];

static u64 have(void)
{
    domid_t self = DOMID_SELF;

    return (u64)hc_memory_op(XENMEM_current_reservation, &self);
}

static long reservation(u64 cmd, struct xen_memory_reservation r, xen_pfn_t *at)
{
    if (!r.domid)
        r.domid = DOMID_SELF;
    set_xen_guest_handle(r.extent_start, at);
    return hc_memory_op(cmd, &r);
}

static void guard(void)
{
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(list); i++)
        list[i] = out[i] = GUARD + i;
}

/* Orders, flags and restart positions, with frame numbers that are nobody's. */
static void sizes(void)
{
    static const u64 cmds[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                               XENMEM_populate_physmap};
    static const u64 counts[] = {0, 1, 1UL << 20, 1UL << 52, 1UL << 58, ~0UL >> 6, ~0UL};
    u64 before = have();

    for (unsigned c = 1; c < 3; c++) {
        for (unsigned order = 9; order < 64; order++) {
            for (unsigned n = 0; n < FRONT_ARRAY_SIZE(counts); n++) {
                struct xen_memory_reservation r = {.nr_extents = counts[n], .extent_order = order};
                long rc;

                guard();
                rc = reservation(cmds[c], r, (void *)(WINDOW + 4096 - 8));
                check(rc <= 0, "operation %lu of order %u, %lx extents: %ld", cmds[c], order,
                      counts[n], rc);
            }
        }
        for (unsigned flag = 0; flag < 32; flag++) {
            struct xen_memory_reservation r = {
                .nr_extents = 1, .mem_flags = 1U << flag, .extent_order = 60};

            check(reservation(cmds[c], r, list) <= 0, "operation %lu with flag %u", cmds[c], flag);
        }
        for (u64 start = 1; start < 1UL << 58; start <<= 1) {
            struct xen_memory_reservation r = {.nr_extents = 1};

            guard();
            /* Past the only extent: done already, says the caller. */
            reservation(cmds[c] | start << 6, r, list);
            check(list[0] == GUARD && list[1] == GUARD + 1, "position %lx writes", start);
        }
    }
    check_eq(have(), before);
}

static long exchange(struct xen_memory_exchange *e, u64 in_n, unsigned in_order, u64 out_n,
                     unsigned out_order, void *to)
{
    e->in = (struct xen_memory_reservation){
        .nr_extents = in_n, .extent_order = in_order, .domid = DOMID_SELF};
    e->out = (struct xen_memory_reservation){
        .nr_extents = out_n, .extent_order = out_order, .domid = DOMID_SELF};
    set_xen_guest_handle(e->in.extent_start, list);
    set_xen_guest_handle(e->out.extent_start, (xen_pfn_t *)to);
    return hc_memory_op(XENMEM_exchange, e);
}

/* What has been exchanged "already" is the caller's word (29, 212). */
static void exchanges(void)
{
    static const u64 done[] = {1, 2, 511, 1UL << 32, 1UL << 60, 1UL << 61, ~0UL >> 3, ~0UL};
    void *targets[] = {out,
                       (void *)HYPERVISOR_VIRT_START,
                       (void *)(HYPERVISOR_VIRT_START - 8),
                       (void *)0x0000800000000000UL,
                       (void *)front_si->pt_base,
                       (void *)(HYPERVISOR_VIRT_START + 0x1234567000UL)};
    u64 root0 = *(u64 *)front_si->pt_base, before = have();

    for (unsigned d = 0; d < FRONT_ARRAY_SIZE(done); d++) {
        for (unsigned t = 0; t < FRONT_ARRAY_SIZE(targets); t++) {
            struct xen_memory_exchange e = {.nr_exchanged = done[d]};
            long rc;

            guard();
            rc = exchange(&e, 1, 0, 1, 0, targets[t]);
            check(rc < 0 || done[d] == 1, "%lx done before, to %p: %ld", done[d], targets[t], rc);
            rc = exchange(&e, done[d] + 1, 0, done[d] + 1, 0, targets[t]);
            check(rc < 0, "%lx of one more, to %p: %ld", done[d], targets[t], rc);
        }
    }
    for (unsigned o = 0; o < 64; o++) {
        struct xen_memory_exchange e = {.nr_exchanged = 0};

        guard();
        check(exchange(&e, 1UL << (o & 31), 0, 1, o, out) < 0, "into order %u", o);
        check(exchange(&e, 1, o, 1UL << (o & 31), 0, out) < 0, "from order %u", o);
        check(e.nr_exchanged == 0, "order %u: %lu done", o, (u64)e.nr_exchanged);
    }
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(out); i++)
        check(out[i] == GUARD + i, "output %u is %lx", i, (u64)out[i]);
    check_eq(*(u64 *)front_si->pt_base, root0);
    check_eq(have(), before);
}

/* Pages that something refers to are not given away, or only once it does no more. */
static void in_use(void)
{
    void *mapped = front_page_alloc();
    u64 *table = front_table_alloc();
    xen_pfn_t frames[] = {front_va_to_mfn(mapped),
                          front_va_to_mfn(table),
                          front_root_mfn(),
                          front_si->shared_info >> 12,
                          1UL << 39,
                          ~0UL,
                          0xfee00};
    struct xen_memory_exchange e = {.nr_exchanged = 0};
    u64 before = have();

    check_eq(front_mmuext1(MMUEXT_PIN_L1_TABLE, frames[1]), 0);
    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(frames); i++) {
        guard();
        list[0] = frames[i];
        check(exchange(&e, 1, 0, 1, 0, out) < 0, "frame %lx exchanged", (u64)frames[i]);
        check_eq(e.nr_exchanged, 0);
    }
    for (unsigned i = 2; i < FRONT_ARRAY_SIZE(frames); i++)
        check(reservation(XENMEM_decrease_reservation,
                          (struct xen_memory_reservation){.nr_extents = 1}, &frames[i]) == 0 ||
                  i == 2 || (i == 3 && guest_on_xen()),
              "frame %lx given back", (u64)frames[i]);
    check_eq(front_try_write(mapped, 1), FAULT_NONE);
    check_eq(table[0], 0);
    check(front_page_rw(table) < 0, "the pinned table is writable");
    check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, frames[1]), 0);
    check_eq(front_page_rw(table), 0);
    check(have() <= before, "%lu pages, were %lu", have(), before);
}

/* More than the maximum, one page and many at a time. */
static void beyond_maximum(void)
{
    domid_t self = DOMID_SELF;
    u64 maximum = (u64)hc_memory_op(XENMEM_maximum_reservation, &self), before = have();
    struct xen_memory_reservation r = {.nr_extents = 1};
    u64 n = 0;

    for (; n < 2000; n++) {
        list[0] = front_nr_pages + n;
        if (reservation(XENMEM_populate_physmap, r, list) != 1)
            break;
        out[0] = list[0];
        if (reservation(XENMEM_decrease_reservation, r, out) != 1)
            break;
    }
    check(have() <= maximum || maximum == ~0UL, "%lu pages of %lu", have(), maximum);
    check_eq(have(), before);
}

static void foreign(void)
{
    static const domid_t ids[] = {77,        0x7ff1,        DOMID_IO, DOMID_XEN,
                                  DOMID_COW, DOMID_INVALID, 0xffff};
    u64 before = have();

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(ids); i++) {
        for (u64 cmd = 0; cmd < 30; cmd++) {
            struct xen_memory_reservation r = {.nr_extents = 1, .domid = ids[i]};

            guard();
            if (cmd != XENMEM_maximum_ram_page && cmd != XENMEM_machphys_mapping &&
                cmd != XENMEM_machphys_mfn_list && cmd != XENMEM_machphys_compat_mfn_list &&
                cmd != XENMEM_memory_map && cmd != XENMEM_machine_memory_map)
                check(reservation(cmd, r, list) <= 0, "operation %lu for %x", cmd, ids[i]);
        }
    }
    check_eq(have(), before);
}

void guest_test(void)
{
    check_eq(front_map(WINDOW, front_va_to_mfn(front_page_alloc()), PTE_KERN), 0);
    sizes();
    exchanges();
    in_use();
    beyond_maximum();
    foreign();
    check_eq(FAULT("ud2", :), UD());
}
