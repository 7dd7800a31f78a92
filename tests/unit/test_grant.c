/* SPDX-License-Identifier: MIT */
/*
 * core/grant.c, grant_map.c, grant_op.c: grants between two domains through the hypercall, each
 * step followed by the audit.
 *
 * Sabotage: let grant_pin_drop() leave GTF_writing set: in_use_flags_follow_pins fails. Let a freed
 * handle keep its flags: a_handle_is_released_once fails. Skip the drop of the pin in
 * handle_release(): a_dead_mapper_leaves_nothing fails the audit. Skip the flush in
 * finish_unmaps(): unmapping_flushes_before_it_lets_go fails. Hold the caller's own table's lock
 * around grant_hold() in copy_side_get(): two_map_each_other stops the machine. Give u->frame in
 * grant_pin_take_locked() what the entry says: a_pinned_frame_is_the_frame.
 */
#include <string.h>

#include <CUnit/CUnit.h>

#include "fake/fake.h"

#include <tenue/grant.h>
#include <tenue/percpu.h>

#define ARGS 62u  /* mapper's frame that carries hypercall arguments */
#define SLOT 60u  /* mapper's page whose entry is replaced by a grant mapping */
#define GIVEN 20u /* granter's frame that is granted */
#define REF 9u
#define GRANTER 7u
#define MAPPER 8u

static struct guest granter, mapper;
static uint64_t free_before;

static grant_entry_v1_t *entry(unsigned ref)
{
    return &granter.d->grant.frame[0].shared[ref];
}

static void offer(unsigned ref, unsigned frame, uint16_t flags)
{
    entry(ref)->frame = (uint32_t)granter.frames[frame].n;
    entry(ref)->domid = MAPPER;
    entry(ref)->flags = flags;
}

static void begin(void)
{
    free_before = READ_ONCE(heap_free_frames);
    guest_init(&granter, fake_domain(GRANTER, 1, 200));
    guest_init(&mapper, fake_domain(MAPPER, 1, 200));
    fake_on_cpu(0);
    fake_run(mapper.d->vcpus[0]);
    offer(REF, GIVEN, GTF_permit_access);
}

static void end(void)
{
    fake_preempt_every = 0;
    fake_run(NULL);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    if (mapper.d)
        CU_ASSERT_TRUE(fake_destroy(mapper.d));
    if (granter.d)
        CU_ASSERT_TRUE(fake_destroy(granter.d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(READ_ONCE(heap_free_frames), free_before);
}

static long grant_op(unsigned cmd, void *ops, size_t size, unsigned count)
{
    long rc;

    memcpy(guest_ptr(&mapper, ARGS), ops, size * count);
    rc = fake_hypercall(__HYPERVISOR_grant_table_op, cmd, guest_va_at(ARGS), count, 0);
    memcpy(ops, guest_ptr(&mapper, ARGS), size * count);
    CU_ASSERT_EQUAL(fake_audit(), 0);
    return rc;
}

/* The mapper's own page goes first, as a guest that wants a hole would do. */
static void make_hole(unsigned page)
{
    CU_ASSERT_EQUAL(
        fake_hypercall(__HYPERVISOR_update_va_mapping, guest_va_at(page), 0, UVMF_INVLPG, 0), 0);
}

static uint64_t pte_maddr(unsigned page)
{
    return guest_maddr(&mapper, mapper.l1) + page * 8;
}

static struct gnttab_map_grant_ref map(unsigned ref, uint32_t flags)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = flags & GNTMAP_contains_pte ? pte_maddr(SLOT) : guest_va_at(SLOT),
        .flags = flags,
        .ref = ref,
        .dom = GRANTER,
        .status = 77,
    };

    CU_ASSERT_EQUAL(grant_op(GNTTABOP_map_grant_ref, &op, sizeof(op), 1), 0);
    return op;
}

static int unmap(const struct gnttab_map_grant_ref *m, bool host, bool device)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = host ? m->host_addr : 0,
        .dev_bus_addr = device ? m->dev_bus_addr : 0,
        .handle = m->handle,
        .status = 77,
    };

    CU_ASSERT_EQUAL(grant_op(GNTTABOP_unmap_grant_ref, &op, sizeof(op), 1), 0);
    return op.status;
}

/* GT-1: all combinations of what is mapped and what is unmapped, in every order of release. */
static void every_combination_balances(void)
{
    begin();
    make_hole(SLOT);
    for (uint32_t flags = 0; flags < 32; flags++) {
        const bool host = flags & GNTMAP_host_map, device = flags & GNTMAP_device_map;
        struct gnttab_map_grant_ref m;

        if (flags & GNTMAP_application_map)
            continue;
        m = map(REF, flags);
        if (!host && !device) {
            CU_ASSERT_NOT_EQUAL(m.status, GNTST_okay);
            continue;
        }
        CU_ASSERT_EQUAL(m.status, GNTST_okay);
        CU_ASSERT_EQUAL(m.dev_bus_addr, guest_maddr(&granter, GIVEN));
        if (device)
            CU_ASSERT_EQUAL(unmap(&m, false, true), GNTST_okay);
        if (host) {
            const uint64_t e = guest_ptr(&mapper, mapper.l1)[SLOT];

            CU_ASSERT_EQUAL(e & 0x000ffffffffff000ull, guest_maddr(&granter, GIVEN));
            CU_ASSERT_EQUAL(!(e & 2), !!(flags & GNTMAP_readonly));
            CU_ASSERT_EQUAL(unmap(&m, true, false), GNTST_okay);
            CU_ASSERT_EQUAL(guest_ptr(&mapper, mapper.l1)[SLOT], 0);
        }
        CU_ASSERT_EQUAL(unmap(&m, host, device), GNTST_bad_handle);
        CU_ASSERT_EQUAL(entry(REF)->flags, GTF_permit_access);
    }
    end();
}

/* GT-3 */
static void in_use_flags_follow_pins(void)
{
    struct gnttab_map_grant_ref rw, ro;

    begin();
    ro = map(REF, GNTMAP_device_map | GNTMAP_readonly);
    CU_ASSERT_EQUAL(entry(REF)->flags, GTF_permit_access | GTF_reading);
    rw = map(REF, GNTMAP_device_map);
    CU_ASSERT_EQUAL(entry(REF)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    CU_ASSERT_EQUAL(unmap(&rw, false, true), GNTST_okay);
    CU_ASSERT_EQUAL(entry(REF)->flags, GTF_permit_access | GTF_reading);
    CU_ASSERT_EQUAL(unmap(&ro, false, true), GNTST_okay);
    CU_ASSERT_EQUAL(entry(REF)->flags, GTF_permit_access);
    end();
}

/* GT-4, and what a handle of nobody gets. */
/* What the granter writes there while the entry is in use counts for nobody. */
static void a_pinned_frame_is_the_frame(void)
{
    struct gnttab_map_grant_ref first, again;

    begin();
    first = map(REF, GNTMAP_device_map);
    offer(REF, GIVEN + 1, GTF_permit_access | GTF_reading | GTF_writing);
    again = map(REF, GNTMAP_device_map);
    CU_ASSERT_EQUAL(first.status, GNTST_okay);
    CU_ASSERT_EQUAL(again.status, GNTST_okay);
    CU_ASSERT_EQUAL(first.dev_bus_addr, guest_maddr(&granter, GIVEN));
    CU_ASSERT_EQUAL(again.dev_bus_addr, first.dev_bus_addr);
    CU_ASSERT_EQUAL(unmap(&again, false, true), GNTST_okay);
    CU_ASSERT_EQUAL(unmap(&first, false, true), GNTST_okay);
    end();
}

static void a_handle_is_released_once(void)
{
    struct gnttab_map_grant_ref m;

    begin();
    m = map(REF, GNTMAP_device_map);
    CU_ASSERT_EQUAL(unmap(&m, false, true), GNTST_okay);
    CU_ASSERT_EQUAL(unmap(&m, false, true), GNTST_bad_handle);
    m.handle = ~0u;
    CU_ASSERT_EQUAL(unmap(&m, true, true), GNTST_bad_handle);
    m.handle = 1u << 20;
    CU_ASSERT_EQUAL(unmap(&m, true, true), GNTST_bad_handle);
    end();
}

/* GT-7, GT-8, GT-9: what may not be mapped, and leaves no trace. */
static void refusals(void)
{
    static const struct {
        unsigned ref, flags;
        uint16_t entry_flags, domid;
    } cases[] = {
        {REF, GNTMAP_host_map, GTF_invalid, MAPPER},
        {REF, GNTMAP_host_map, GTF_accept_transfer, MAPPER},
        {REF, GNTMAP_host_map, GTF_transitive, MAPPER},
        {REF, GNTMAP_host_map, GTF_permit_access | GTF_sub_page, MAPPER},
        {REF, GNTMAP_host_map, GTF_permit_access | GTF_readonly, MAPPER},
        {REF, GNTMAP_host_map, GTF_permit_access, GRANTER},
        {REF, GNTMAP_host_map, GTF_permit_access, DOMID_SELF},
        {GRANTS_PER_FRAME, GNTMAP_host_map, GTF_permit_access, MAPPER},
        {~0u, GNTMAP_host_map, GTF_permit_access, MAPPER},
    };
    struct gnttab_map_grant_ref m;

    begin();
    make_hole(SLOT);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        offer(REF, GIVEN, cases[i].entry_flags);
        entry(REF)->domid = cases[i].domid;
        m = map(cases[i].ref, cases[i].flags);
        CU_ASSERT_TRUE(m.status < 0);
        CU_ASSERT_EQUAL(guest_ptr(&mapper, mapper.l1)[SLOT], 0);
        CU_ASSERT_EQUAL(entry(REF)->flags, cases[i].entry_flags);
    }
    /* Frames that the granter cannot give: not RAM, the mapper's, the granter's own page table. */
    offer(REF, GIVEN, GTF_permit_access);
    entry(REF)->frame = 0xfffffff0;
    CU_ASSERT_TRUE(map(REF, GNTMAP_host_map).status < 0);
    entry(REF)->frame = (uint32_t)mapper.frames[30].n;
    CU_ASSERT_TRUE(map(REF, GNTMAP_host_map).status < 0);
    entry(REF)->frame = (uint32_t)granter.frames[granter.l1].n;
    CU_ASSERT_TRUE(map(REF, GNTMAP_host_map).status < 0);
    CU_ASSERT_EQUAL(entry(REF)->flags, GTF_permit_access);
    end();
}

/* GT-6: a slot that no longer holds the mapping is left alone. */
static void slot_edited_meanwhile(void)
{
    struct gnttab_map_grant_ref m;

    begin();
    make_hole(SLOT);
    m = map(REF, GNTMAP_host_map);
    make_hole(SLOT); /* implicitly unmapped: the entry's references went, the pin stays */
    CU_ASSERT_TRUE(unmap(&m, true, false) < 0);
    CU_ASSERT_EQUAL(guest_ptr(&mapper, mapper.l1)[SLOT], 0);
    CU_ASSERT_EQUAL(entry(REF)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    end(); /* the mapper's death releases what it could not */
}

/* GT-16 */
static void a_dead_mapper_leaves_nothing(void)
{
    struct gnttab_map_grant_ref m;

    begin();
    make_hole(SLOT);
    m = map(REF, GNTMAP_host_map | GNTMAP_device_map);
    CU_ASSERT_EQUAL(m.status, GNTST_okay);
    fake_run(NULL);
    CU_ASSERT_TRUE(fake_destroy(mapper.d));
    mapper.d = NULL;
    CU_ASSERT_EQUAL(entry(REF)->flags, GTF_permit_access);
    end();
}

/* The granter's frame and table outlive it while they are mapped. */
static void a_dead_granter_waits(void)
{
    struct gnttab_map_grant_ref m;

    begin();
    make_hole(SLOT);
    m = map(REF, GNTMAP_host_map);
    memcpy(guest_ptr(&granter, GIVEN), "still here", 11);
    CU_ASSERT_FALSE(fake_destroy(granter.d));
    CU_ASSERT_STRING_EQUAL((char *)guest_ptr(&granter, GIVEN), "still here");
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_EQUAL(unmap(&m, true, false), GNTST_okay);
    granter.d = NULL;
    end();
}

static void copies_stay_in_their_pages(void)
{
    static const struct {
        uint16_t from, to, len;
        int status;
    } cases[] = {
        {0, 0, 4096, GNTST_okay},         {0, 0, 0, GNTST_okay},
        {4096, 0, 0, GNTST_okay},         {4095, 0, 1, GNTST_okay},
        {0, 4095, 1, GNTST_okay},         {4096, 0, 1, GNTST_bad_copy_arg},
        {0, 4096, 1, GNTST_bad_copy_arg}, {1, 0, 4096, GNTST_bad_copy_arg},
        {0, 1, 4096, GNTST_bad_copy_arg}, {65535, 0, 65535, GNTST_bad_copy_arg},
    };
    uint8_t *from, *to;

    begin();
    from = (uint8_t *)guest_ptr(&granter, GIVEN);
    to = (uint8_t *)guest_ptr(&mapper, 30);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct gnttab_copy op = {.len = cases[i].len, .flags = GNTCOPY_source_gref, .status = 77};

        memset(to, 0, PAGE_SIZE);
        for (unsigned n = 0; n < PAGE_SIZE; n++)
            from[n] = (uint8_t)(n * 7 + 1);
        op.source.u.ref = REF;
        op.source.domid = GRANTER;
        op.source.offset = cases[i].from;
        op.dest.u.gmfn = mapper.frames[30].n;
        op.dest.domid = DOMID_SELF;
        op.dest.offset = cases[i].to;
        CU_ASSERT_EQUAL(grant_op(GNTTABOP_copy, &op, sizeof(op), 1), 0);
        CU_ASSERT_EQUAL(op.status, cases[i].status);
        for (unsigned n = 0; n < PAGE_SIZE; n++) {
            const bool inside = op.status == 0 && n - cases[i].to < cases[i].len;

            if (to[n] != (inside ? from[cases[i].from + n - cases[i].to] : 0)) {
                CU_FAIL("a byte outside the copy changed, or one inside did not");
                break;
            }
        }
    }
    CU_ASSERT_EQUAL(entry(REF)->flags, GTF_permit_access);
    end();
}

/* HC-6, HC-7: a batch restarted at every element reports each one exactly once. */
static void batches_restart(void)
{
    struct gnttab_map_grant_ref ops[40];
    struct gnttab_unmap_grant_ref un[40];

    begin();
    for (unsigned i = 0; i < 40; i++)
        ops[i] = (struct gnttab_map_grant_ref){
            .flags = GNTMAP_device_map, .dom = GRANTER, .ref = i == 13 ? 500 : REF, .status = 77};
    fake_preempt_every = 1;
    CU_ASSERT_EQUAL(grant_op(GNTTABOP_map_grant_ref, ops, sizeof(ops[0]), 40), 0);
    CU_ASSERT_TRUE(fake_restarts >= 39);
    for (unsigned i = 0; i < 40; i++) {
        CU_ASSERT_EQUAL(ops[i].status == GNTST_okay, i != 13);
        un[i] = (struct gnttab_unmap_grant_ref){.dev_bus_addr = ops[i].dev_bus_addr,
                                                .handle = i == 13 ? ~0u : ops[i].handle};
    }
    CU_ASSERT_EQUAL(grant_op(GNTTABOP_unmap_grant_ref, un, sizeof(un[0]), 40), 0);
    for (unsigned i = 0; i < 40; i++)
        CU_ASSERT_EQUAL(un[i].status, i == 13 ? GNTST_bad_handle : GNTST_okay);
    CU_ASSERT_EQUAL(entry(REF)->flags, GTF_permit_access);
    end();
}

static void unmapping_flushes_before_it_lets_go(void)
{
    struct gnttab_unmap_grant_ref op = {0};
    struct gnttab_map_grant_ref m;
    unsigned flushes;

    begin();
    make_hole(SLOT);
    m = map(REF, GNTMAP_host_map);
    op.host_addr = m.host_addr;
    op.handle = m.handle;
    memcpy(guest_ptr(&mapper, ARGS), &op, sizeof(op));
    flushes = fake_counts.full_flushes; /* of the call alone: an audit flushes, too */
    CU_ASSERT_EQUAL(fake_hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref,
                                   guest_va_at(ARGS), 1, 0),
                    0);
    CU_ASSERT_EQUAL(fake_counts.full_flushes, flushes + 1);
    end();
}

/* GT-13, with the lock order checked: two domains each at the other's table, and at their own. */
static void two_map_each_other(void)
{
    struct gnttab_map_grant_ref m;
    struct gnttab_copy c;
    struct guest other;

    begin();
    CU_ASSERT_EQUAL(map(REF, GNTMAP_host_map).status, GNTST_okay);
    other = granter;
    granter = mapper;
    mapper = other;
    fake_run(mapper.d->vcpus[0]);
    for (unsigned i = 0; i < 2; i++) { /* one for the other, one for itself */
        offer(REF + i, GIVEN + i, GTF_permit_access);
        entry(REF + i)->domid = mapper.d->domid;
        mapper.d->grant.frame[0].shared[REF + 1] = *entry(REF);
        mapper.d->grant.frame[0].shared[REF + 1].frame = (uint32_t)mapper.frames[GIVEN + 1].n;
    }
    m = (struct gnttab_map_grant_ref){.host_addr = guest_va_at(SLOT),
                                      .flags = GNTMAP_host_map,
                                      .ref = REF,
                                      .dom = granter.d->domid};
    CU_ASSERT_EQUAL(grant_op(GNTTABOP_map_grant_ref, &m, sizeof(m), 1), 0);
    CU_ASSERT_EQUAL(m.status, GNTST_okay);
    c = (struct gnttab_copy){.len = 64, .flags = GNTCOPY_source_gref | GNTCOPY_dest_gref};
    c.source.u.ref = REF;
    c.source.domid = granter.d->domid;
    c.dest.u.ref = REF + 1;
    c.dest.domid = DOMID_SELF;
    guest_ptr(&granter, GIVEN)[0] = 0x3713;
    CU_ASSERT_EQUAL(grant_op(GNTTABOP_copy, &c, sizeof(c), 1), 0);
    CU_ASSERT_EQUAL(c.status, GNTST_okay);
    CU_ASSERT_EQUAL(guest_ptr(&mapper, GIVEN + 1)[0], 0x3713);
    CU_ASSERT_EQUAL(this_cpu()->held_count, 0);
    /* And they end with each other's pages in their hands. */
    fake_run(NULL);
    CU_ASSERT_FALSE(fake_destroy(mapper.d));
    CU_ASSERT_EQUAL(fake_audit(), 0);
    CU_ASSERT_TRUE(fake_destroy(granter.d));
    CU_ASSERT_TRUE(fake_domains_gone());
    mapper.d = granter.d = NULL;
    end();
}

static void queries(void)
{
    struct gnttab_query_size q = {.dom = DOMID_SELF, .status = 77};
    struct gnttab_set_version v = {.version = 2};
    struct gnttab_setup_table s = {.dom = GRANTER, .nr_frames = 1, .status = 77};

    begin();
    CU_ASSERT_EQUAL(grant_op(GNTTABOP_query_size, &q, sizeof(q), 1), 0);
    CU_ASSERT_EQUAL(q.status, GNTST_okay);
    CU_ASSERT_EQUAL(q.nr_frames, 1);
    CU_ASSERT_EQUAL(grant_op(GNTTABOP_set_version, &v, sizeof(v), 1), -XEN_ENOSYS);
    v.version = 1;
    CU_ASSERT_EQUAL(grant_op(GNTTABOP_set_version, &v, sizeof(v), 1), 0);
    v.version = 3;
    CU_ASSERT_EQUAL(grant_op(GNTTABOP_set_version, &v, sizeof(v), 1), -XEN_EINVAL);
    CU_ASSERT_EQUAL(grant_op(GNTTABOP_setup_table, &s, sizeof(s), 1), 0);
    CU_ASSERT_EQUAL(s.status, GNTST_permission_denied);
    for (unsigned cmd = 0; cmd < 64; cmd++)
        if (cmd == GNTTABOP_dump_table || cmd == GNTTABOP_transfer ||
            cmd == GNTTABOP_get_status_frames || cmd > GNTTABOP_cache_flush)
            CU_ASSERT_EQUAL(
                fake_hypercall(__HYPERVISOR_grant_table_op, cmd, guest_va_at(ARGS), 1, 0),
                -XEN_ENOSYS);
    end();
}

void suite_grant(void);
void suite_grant(void)
{
    CU_pSuite s = CU_add_suite("grant", NULL, NULL);

    CU_add_test(s, "GT-1 every combination of map and unmap balances", every_combination_balances);
    CU_add_test(s, "GT-3 in-use flags follow the pins", in_use_flags_follow_pins);
    CU_add_test(s, "GT-10 a pinned frame is the frame", a_pinned_frame_is_the_frame);
    CU_add_test(s, "GT-4 a handle is released once", a_handle_is_released_once);
    CU_add_test(s, "GT-7 GT-8 GT-9 refusals leave no trace", refusals);
    CU_add_test(s, "GT-6 a slot edited meanwhile is left alone", slot_edited_meanwhile);
    CU_add_test(s, "GT-16 a dead mapper leaves nothing", a_dead_mapper_leaves_nothing);
    CU_add_test(s, "GT-16 a dead granter waits for its mappers", a_dead_granter_waits);
    CU_add_test(s, "GT-11 copies stay in their pages", copies_stay_in_their_pages);
    CU_add_test(s, "HC-7 batches restart where they stopped", batches_restart);
    CU_add_test(s, "GT-13 two map each other", two_map_each_other);
    CU_add_test(s, "MM-5 unmapping flushes before it lets go", unmapping_flushes_before_it_lets_go);
    CU_add_test(s, "queries, versions and what is not offered", queries);
}
