/* SPDX-License-Identifier: MIT */
/*
 * Domains for the hypercall fuzzer (world.h): small guests with tables that work, spare frames to
 * build more from, grants for each other; and the plausible values that calls are made of.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../hypervisor/pv/mmu.h"
#include "../../../hypervisor/pv/root.h"

#include <tenue/m2p.h>
#include <tenue/percpu.h>

#define TABLE_BITS (PTE_P | PTE_RW | PTE_US | PTE_A)
#define DOMID_FANOUT 512u
#define MACHINE_FRAMES 1024u

struct actor actors[ACTORS];

/* --- choices --- */

static const uint8_t *bytes;
static size_t bytes_left;
static bool from_bytes;
static uint64_t rng;

void choose_from_bytes(const uint8_t *data, size_t size)
{
    bytes = data;
    bytes_left = size;
    from_bytes = true;
}

void choose_from_seed(uint64_t seed)
{
    rng = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
    from_bytes = false;
}

bool choices_spent(void)
{
    return from_bytes && bytes_left == 0;
}

static uint64_t take(unsigned count)
{
    uint64_t v = 0;

    if (from_bytes) {
        for (unsigned i = 0; i < count && bytes_left; i++, bytes_left--)
            v |= (uint64_t)*bytes++ << 8 * i;
        return v;
    }
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng * 0x2545f4914f6cdd1dull;
}

uint32_t pick(uint32_t n)
{
    if (n <= 1)
        return 0;
    return from_bytes ? (uint32_t)take(n <= 256 ? 1 : 2) % n : (uint32_t)(take(0) >> 32) % n;
}

uint64_t any64(void)
{
    static const uint64_t edges[] = {
        0,
        1,
        2,
        7,
        511,
        512,
        4095,
        4096,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        0x100000000,
        0x7fffffffffff,
        0x800000000000,
        0xffff800000000000,
        0xffff87ffffffffff,
        0xffff880000000000,
        0x7fffffffffffffff,
        0x8000000000000000,
        ~0ull - 7,
        ~0ull,
        0x7ff0,
        0x7ff1,
        0x7ff2,
        0x7ff4,
    };

    return one_in(2) ? edges[pick(ARRAY_LEN(edges))] : take(8);
}

/* --- plausible values --- */

mfn_t some_table(const struct actor *a)
{
    return a->frames[pick(TYPED)];
}

mfn_t some_mfn(const struct actor *a)
{
    const unsigned r = pick(64);

    if (r == 60)
        return mfn_make(pick(MACHINE_FRAMES + 4));
    if (r == 61)
        return mfn_make(FAKE_MMIO_FRAME + pick(3));
    if (r == 62 && a->d)
        return ptr_to_mfn(one_in(2) ? (void *)a->d->shared_info : a->d->grant.frame[0].shared);
    if (r == 63)
        return mfn_make(any64());
    if (r >= 54)
        a = &actors[pick(ACTORS)];
    return a->frames[pick(one_in(4) ? FRAMES : TYPED)];
}

unsigned some_slot(void)
{
    static const unsigned slots[] = {0, 1, 2, 127, 128, 255, 256, 257, 271, 272, 510, 511};

    return one_in(2) ? slots[pick(ARRAY_LEN(slots))] : pick(FRAMES);
}

uint64_t some_pte(const struct actor *a)
{
    static const uint64_t flags[] = {PTE_P,
                                     PTE_P,
                                     PTE_P | PTE_RW,
                                     PTE_P | PTE_RW,
                                     PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D,
                                     PTE_P | PTE_NX,
                                     PTE_P | 7ull << 9,
                                     PTE_P | PTE_G,
                                     PTE_P | PTE_PCD,
                                     PTE_P | PTE_PSE,
                                     PTE_RW,
                                     0};

    if (one_in(6))
        return 0;
    return mfn_to_maddr(some_mfn(a)).a | flags[pick(ARRAY_LEN(flags))];
}

uint64_t some_va(void)
{
    uint64_t va;

    if (!one_in(8))
        return guest_va_at(pick(ARGS)) + (one_in(4) ? pick(4096) : 0);
    va = (uint64_t)some_slot() << 39 | (uint64_t)some_slot() << 30 | (uint64_t)some_slot() << 21 |
         (uint64_t)some_slot() << 12;
    return va | (va >> 47 & 1 ? 0xffff000000000000ull : 0);
}

/* --- birth --- */

static noreturn_fn void cannot(const char *what)
{
    fprintf(stderr, "world: %s\n%s", what, fake_log_take());
    abort();
}

static uint64_t *contents(const struct actor *a, unsigned frame)
{
    return fake_written(a->frames[frame]);
}

static void link_table(struct actor *a, unsigned table, unsigned slot, unsigned to)
{
    contents(a, table)[slot] = mfn_to_maddr(a->frames[to]).a | TABLE_BITS;
}

static void build_tables(struct actor *a)
{
    const unsigned top = pte_index(GUEST_BASE, 4);

    link_table(a, L4, top, L3);
    link_table(a, OTHER_L4, top, L3);
    link_table(a, USER_L4, top, L3);
    link_table(a, L3, pte_index(GUEST_BASE, 3), L2);
    link_table(a, L2, pte_index(GUEST_BASE, 2), L1);
    link_table(a, OTHER_L2, 0, OTHER_L1);
    for (unsigned i = 0; i < FRAMES; i++)
        contents(a, L1)[i] = i >= SPARE && i < TYPED ? 0
                                                     : mfn_to_maddr(a->frames[i]).a | PTE_P |
                                                           PTE_US | (i < TYPED ? 0 : PTE_RW);
    for (unsigned i = 0; i < 4; i++)
        contents(a, OTHER_L1)[i * 127] = mfn_to_maddr(a->frames[TYPED + i]).a | PTE_P | PTE_RW;
}

static void start_vcpus(struct actor *a)
{
    const unsigned started = a->d->is_control ? a->d->max_vcpus : VCPUS - 1;

    for (unsigned i = 0; i < started; i++) {
        struct vcpu *v = a->d->vcpus[i];

        if (pv_root_set(v, a->frames[L4].n, false) != 0 ||
            pv_root_set(v, a->frames[USER_L4].n, true) != 0)
            cannot("a root was refused");
        v->initialised = true;
        v->regs.rsp = guest_va_at(HOLES);
        vcpu_pause_clear(v, VPF_DOWN);
    }
    domain_unpause_by_controller(a->d);
}

void world_regrant(struct actor *a, unsigned ref)
{
    grant_entry_v1_t *e = &a->d->grant.frame[0].shared[ref];

    e->domid = one_in(16) ? (uint16_t)any64() : actors[pick(ACTORS)].domid;
    e->frame = one_in(16) ? (uint32_t)some_mfn(a).n : (uint32_t)a->frames[TYPED + pick(4)].n;
    e->flags = one_in(8) ? (uint16_t)pick(256) : GTF_permit_access | (one_in(3) ? GTF_readonly : 0);
}

/* Ports to everybody who is there, some offered, one for each kind of interrupt. */
static void connect(struct actor *a)
{
    unsigned n = 0;
    port_t port;

    for (unsigned i = 0; i < ACTORS; i++) {
        struct actor *b = &actors[i];

        if (!b->d || b->d == a->d || evtchn_bind(b->d, EVTCHN_UNBOUND, a->domid, 0, &port) != 0)
            continue;
        b->ports[PORTS - 1] = port;
        if (evtchn_bind_interdomain(a->d, b->d, port, &a->ports[n]) == 0)
            n++;
    }
    if (evtchn_bind(a->d, EVTCHN_VIRQ, VIRQ_TIMER, 0, &a->ports[n]) == 0)
        n++;
    if (evtchn_bind(a->d, EVTCHN_IPI, 0, 0, &a->ports[n]) != 0)
        cannot("no port");
}

static void actor_born(struct actor *a, uint16_t domid)
{
    memset(a, 0, sizeof(*a));
    a->domid = domid;
    if (domid == 0) {
        a->d = fake_control_begin(2);
    } else {
        a->d = fake_domain(domid, VCPUS, FRAMES + 8);
        if (!a->d)
            return; /* no memory for it: the others have it */
    }
    for (unsigned i = 0; i < FRAMES; i++) {
        if (domain_alloc_frames(a->d, 0, 64, &a->frames[i]) != 0) {
            fake_destroy(a->d);
            a->d = NULL;
            return;
        }
        m2p_set(a->frames[i], i);
    }
    build_tables(a);
    fake_on_cpu(0);
    if (mmu_pin(a->d, a->frames[L4], PGT_L4) != 0)
        cannot("its tables were refused");
    start_vcpus(a);
    connect(a);
    for (unsigned i = 0; i < HANDLES; i++)
        a->maps[i].handle = GHANDLE_NONE;
}

/* --- life --- */

/* Domain pointers are valid from one call to the next only if the domain is still there. */
static bool still_there(const struct actor *a)
{
    struct domain *d = domain_get(a->domid);
    const bool there = d && d == a->d && !domain_is_dying(d);

    if (d)
        domain_put(d);
    return there;
}

void world_refresh(bool born)
{
    for (unsigned i = 1; i < ACTORS; i++) {
        struct actor *a = &actors[i];
        struct domain *d;

        if (a->d && !still_there(a))
            a->d = NULL;
        if (a->d || !born)
            continue;
        d = domain_get(a->domid); /* a zombie keeps its number */
        if (d)
            domain_put(d);
        fake_on_cpu(0);
        if (READ_ONCE(heap_free_frames) > 120)
            actor_born(a, d ? (uint16_t)(a->domid + ACTORS) : a->domid);
        for (unsigned ref = 0; a->d && ref < REFS; ref++)
            world_regrant(a, ref);
        return;
    }
}

struct vcpu *runnable_vcpu(const struct actor *a)
{
    const unsigned first = pick(VCPUS);

    for (unsigned i = 0; a->d && i < a->d->max_vcpus; i++) {
        struct vcpu *v = a->d->vcpus[(first + i) % a->d->max_vcpus];

        if (v && v->pause_flags & (1u << VPF_BLOCKED | 1u << VPF_POLL) && one_in(2))
            vcpu_kick(v); /* an event came */
        if (v && v->initialised && vcpu_is_runnable(v))
            return v;
    }
    return NULL;
}

void world_craft(struct actor *a)
{
    const mfn_t m = some_table(a);
    const unsigned slot = some_slot();
    const uint64_t e = some_pte(a);
    const struct page *p;
    unsigned count;

    if (page_owner(m) != a->d->domid)
        return;
    p = page_of(m);
    if (type_refs(p->type) != 0 || p->type & (T_LOCKED | T_PARTIAL))
        return;
    /* Now and then so many that the counts of what they name reach their limit (MM-10). */
    count = one_in(8) ? REFS_MAX + 9 : 1;
    for (unsigned i = 0; i < count; i++)
        fake_written(m)[(slot + i) % TABLE_ENTRIES] = e;
}

/* --- beginning and end --- */

static uint64_t free_at_start;

void world_init(void)
{
    fake_frames = MACHINE_FRAMES;
    fake_machine_init();
    /* The table of domains grows where a domid is first used, and stays: have that behind us. */
    for (unsigned id = 1; id < DOMID_FIRST_RESERVED; id += DOMID_FANOUT) {
        struct domain *d = fake_domain((uint16_t)id, 1, 0);

        if (!d || !fake_destroy(d))
            cannot("no table of domains");
    }
    fake_control_end();
    fake_memory_baseline();
    free_at_start = READ_ONCE(heap_free_frames);
}

void world_begin(void)
{
    memset(actors, 0, sizeof(actors)); /* those of the last sequence are dead and freed */
    for (unsigned i = 0; i < ACTORS; i++) {
        actor_born(&actors[i], (uint16_t)i);
        if (!actors[i].d)
            cannot("no room for it");
    }
    for (unsigned i = 0; i < ACTORS; i++)
        for (unsigned ref = 0; ref < REFS; ref++)
            world_regrant(&actors[i], ref);
}

bool world_end(void)
{
    uint32_t from = 1;
    struct domain *d;

    fake_on_cpu(0);
    while ((d = domain_next(from)) != NULL) {
        from = d->domid + 1u;
        domain_put(d);
        if (!domain_is_dying(d))
            fake_destroy(d);
    }
    /* Those whose end was begun and forgotten about. */
    for (from = 1; (d = domain_next(from)) != NULL; from = d->domid + 1u) {
        domain_put(d);
        while (domain_kill(d) == -XEN_ERESTART)
            ;
    }
    fake_control_end();
    fake_settle();
    d = domain_next(0);
    if (d) {
        domain_put(d);
        return false;
    }
    return READ_ONCE(heap_free_frames) == free_at_start;
}
