/* SPDX-License-Identifier: MIT */
/*
 * Random page-table life of two guests with two vcpus each, and a control domain that maps their
 * frames; the audit of counts, types, roots and TLBs after every single operation (MM-2).
 *
 * Guests write what they can write - through stale translations too -, pin, unpin, switch roots,
 * drop and take frames, get preempted at any point and sometimes never come back, and die. Nothing
 * is expected of a single result; the audit and the balance of free frames are the reference.
 * TLBs are tagged in every other run. Contents are drawn from few frames, few slots and few flags,
 * so that tables meet each other.
 *
 * Usage: model [FIRST_SEED [COUNT [STEPS]]]. A failure names the seed and step; run with that seed
 * and count 1 to see it again.
 *
 * Sabotage, each found within the seeds of `make check`: PTE_RW added to PTE_L1_HARMLESS; *cursor =
 * i where table_devalidate() is preempted in a drop; refs 0 instead of 1 in put_last()'s
 * partial_word(); list_unlink() left out of page_free_last(); pte_tables_changed() left out of
 * table_write();
 * either tlb_tag_owes() left out of tags_load_root().
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../hypervisor/pv/mmu.h"
#include "../../hypervisor/pv/root.h"
#include "../../hypervisor/pv/state.h"
#include "../unit/fake/fake.h"

#include <tenue/hal.h>
#include <tenue/percpu.h>
#include <tenue/pv.h>

#define GUESTS 2u
#define FRAMES 20u
#define CONTROL_SLOT 20u /* first of its L1 slots that map other domains' frames */

struct actor {
    struct domain *d;
    mfn_t frames[FRAMES]; /* owned now, or once */
};

static struct actor actors[GUESTS];
static struct guest control;
static uint64_t rng, seed;
static unsigned step;
static const char *doing;
static unsigned ok_count, op_count;

static uint64_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng * 0x2545f4914f6cdd1dull >> 11;
}

static unsigned below(unsigned n)
{
    return (unsigned)(rnd() % n);
}

static void check(bool good, const char *what)
{
    if (good)
        return;
    printf("model: seed %lu, step %u (%s): %s\n%s\n", seed, step, doing, what, fake_log_take());
    exit(1);
}

/* --- random things --- */

static mfn_t some_frame(const struct actor *a)
{
    const unsigned r = below(40);

    if (r == 0)
        return mfn_make(rnd() % (FAKE_FRAMES + 4));
    if (r == 1)
        return mfn_make(FAKE_MMIO_FRAME + below(3));
    if (r == 2)
        return ptr_to_mfn(a->d->shared_info);
    if (r < 6)
        a = &actors[below(GUESTS)];
    return a->frames[below(FRAMES)];
}

static unsigned some_slot(void)
{
    static const unsigned slots[] = {0, 0, 0, 1, 1, 2, 127, 128, 255, 256, 257, 271, 272, 511};

    return slots[below(ARRAY_LEN(slots))];
}

static uint64_t some_entry(const struct actor *a)
{
    static const uint64_t flags[] = {PTE_P,
                                     PTE_P,
                                     PTE_P | PTE_RW,
                                     PTE_P | PTE_RW,
                                     PTE_P | PTE_RW | PTE_US,
                                     PTE_P | PTE_NX,
                                     PTE_P | PTE_RW | PTE_A | PTE_D,
                                     PTE_P | PTE_G,
                                     PTE_P | PTE_PCD,
                                     PTE_P | PTE_PSE,
                                     PTE_RW,
                                     0};

    if (below(6) == 0)
        return 0;
    return mfn_to_maddr(some_frame(a)).a | flags[below(ARRAY_LEN(flags))];
}

static uint64_t some_va(void)
{
    const uint64_t va = (uint64_t)some_slot() << 39 | (uint64_t)some_slot() << 30 |
                        (uint64_t)some_slot() << 21 | (uint64_t)some_slot() << 12 |
                        (uint64_t)some_slot() << 3;

    return va | (va >> 47 & 1 ? 0xffff000000000000ull : 0);
}

/* --- operations; each as the hypercall layer would call it --- */

static int finish(int (*call)(const struct actor *), const struct actor *a)
{
    struct vcpu *v = current_vcpu();
    const unsigned patience = below(12) == 0 ? below(4) : 100000;

    for (unsigned i = 0; i <= patience; i++) {
        int rc = pv_owes_tables(v) ? pv_pay_old_tables(v) : 0;

        if (rc == 0)
            rc = call(a);
        if (rc != -XEN_ERESTART)
            return rc;
        check(fake_audit() == 0, "audit between restarts");
    }
    return -XEN_ERESTART; /* it never came back */
}

/* Arguments are drawn before the first attempt and kept over restarts. */
static struct {
    mfn_t m;
    unsigned slot, kind;
    uint64_t entry, va;
} arg;

static int op_write_at(const struct actor *a)
{
    return mmu_write_at(a->d, a->d, mfn_to_maddr(arg.m).a + arg.slot * 8, arg.entry,
                        arg.kind & 1 ? MMU_PRESERVE_AD : MMU_SET);
}

static int op_va(const struct actor *a)
{
    struct vcpu *v = current_vcpu();
    const maddr_t at = pte_find_l1_of(v, arg.va);

    return at.a ? mmu_l1_write(a->d, a->d, at, arg.entry, MMU_SET, NULL) : -XEN_EINVAL;
}

static int op_ptwr(const struct actor *a)
{
    uint64_t old = 0;
    const maddr_t at = ptwr_find(current_vcpu(), arg.va, &old);

    return at.a ? mmu_l1_write(a->d, a->d, at, arg.entry, MMU_COMPARE, &old) : -XEN_ENOENT;
}

static int op_pin(const struct actor *a)
{
    return mmu_pin(a->d, arg.m, (enum page_type)(PGT_L1 + arg.kind % 4));
}

static int op_unpin(const struct actor *a)
{
    return mmu_unpin(a->d, arg.m);
}

static int op_root(const struct actor *a)
{
    const bool user = arg.kind & 1;

    (void)a;
    return pv_root_set(current_vcpu(), user && arg.kind & 2 ? 0 : arg.m.n, user);
}

static int op_flush(const struct actor *a)
{
    if (arg.kind & 1)
        hal_tlb_flush_local();
    else
        hal_invlpg(domain_cpus(a->d), arg.va);
    return 0;
}

static int op_touch(const struct actor *a)
{
    uint64_t value;

    (void)a;
    if (arg.kind & 2 && !mfn_is_none(current_vcpu()->pv.root_user))
        pv_toggle_mode(current_vcpu());
    if (arg.kind & 1)
        return fake_load(arg.va, &value) ? 0 : -XEN_EFAULT;
    return fake_store(arg.va, arg.entry) ? 0 : -XEN_EFAULT;
}

static int op_release(const struct actor *a)
{
    return domain_release_frame(a->d, arg.m);
}

static int op_take(const struct actor *a)
{
    struct actor *w = &actors[a - actors];
    const unsigned i = arg.slot % FRAMES;

    return page_owner(w->frames[i]) == a->d->domid
               ? -XEN_EBUSY
               : domain_alloc_frames(a->d, 0, 64, &w->frames[i]);
}

static int op_exchange(const struct actor *a)
{
    int rc = domain_steal_frame(a->d, arg.m);

    if (rc == 0)
        domain_return_frame(a->d, arg.m);
    return rc;
}

static int op_descriptors(const struct actor *a)
{
    if (page_get_and_type(arg.m, a->d, PGT_DESC) != 0)
        return -XEN_EINVAL;
    check(fake_tlb_audit() == 0, "TLBs with a descriptor frame");
    return page_put_and_type(arg.m);
}

static maddr_t control_slot(unsigned i)
{
    return maddr_make(mfn_to_maddr(control.frames[control.l1]).a + (CONTROL_SLOT + i) * 8);
}

static int op_control_maps(const struct actor *a)
{
    return mmu_l1_write(control.d, a->d, control_slot(arg.kind % 16), arg.entry, MMU_SET, NULL);
}

#define TOUCH 0u /* the one that a user does, too */

static const struct {
    const char *name;
    int (*run)(const struct actor *);
    unsigned weight;
} ops[] = {
    [TOUCH] = {"touch", op_touch, 12},
    {"write entry", op_write_at, 30},
    {"update va", op_va, 8},
    {"emulated store", op_ptwr, 6},
    {"pin", op_pin, 14},
    {"unpin", op_unpin, 7},
    {"root", op_root, 6},
    {"flush", op_flush, 2},
    {"release", op_release, 2},
    {"take", op_take, 3},
    {"exchange", op_exchange, 2},
    {"descriptors", op_descriptors, 2},
    {"control maps", op_control_maps, 6},
};

static unsigned some_op(void)
{
    unsigned total = 0, r, i;

    for (i = 0; i < ARRAY_LEN(ops); i++)
        total += ops[i].weight;
    r = below(total);
    for (i = 0; r >= ops[i].weight; i++)
        r -= ops[i].weight;
    return i;
}

/* --- a run --- */

static void actor_begin(struct actor *a, uint16_t domid)
{
    a->d = fake_domain(domid, 2, FRAMES + 4);
    check(a->d != NULL, "no domain");
    for (unsigned i = 0; i < FRAMES; i++)
        check(domain_alloc_frames(a->d, 0, 64, &a->frames[i]) == 0, "no frames");
    /* Something to start from: 0 -> 1 -> 2 -> 3 in slot 0, 3 maps the others; 0 is the kernel's
     * root, and 4 the user's, of which slot 0 is the same. */
    for (unsigned i = 0; i < 3; i++)
        *fake_written(a->frames[i]) = mfn_to_maddr(a->frames[i + 1]).a | PTE_P | PTE_RW;
    *fake_written(a->frames[4]) = *fake_written(a->frames[0]);
    for (unsigned i = 0; i < FRAMES; i++)
        fake_written(a->frames[3])[i < 3 ? i : i + 120] = mfn_to_maddr(a->frames[i]).a | PTE_P |
                                                          (i > 4 ? PTE_RW : 0);
    for (unsigned i = 0; i < 2; i++)
        check(pv_root_set(a->d->vcpus[i], a->frames[0].n, false) == 0 &&
                  pv_root_set(a->d->vcpus[i], a->frames[4].n, true) == 0,
              "no root");
}

/* What a vcpu remembers of its last walk and would believe is what a walk finds. */
static void check_walks(const struct domain *d)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct vcpu *v = d->vcpus[i];
        const struct pv_walk *w = &v->pv.walk;

        if (w->root != v->pv.root_kernel.n || w->changes != d->pv.table_changes)
            continue;
        check((pte_find_l1(v->pv.root_kernel, w->region << 21).a & PAGE_MASK) == w->table,
              "a remembered walk ends elsewhere");
    }
}

static void one_step(void)
{
    struct actor *a = &actors[below(GUESTS)];
    const unsigned op = some_op();

    fake_on_cpu(below(FAKE_CPUS));
    fake_run(a->d->vcpus[below(2)]);
    if (op != TOUCH && !current_vcpu()->pv.kernel_mode)
        pv_toggle_mode(current_vcpu());
    doing = ops[op].name;
    arg.m = some_frame(a);
    arg.slot = some_slot();
    arg.kind = below(16);
    arg.entry = some_entry(a);
    arg.va = below(4) ? some_va() : (uint64_t)below(2) << 12;
    fake_preempt_every = below(3) ? 0 : 1 + below(5);
    op_count++;
    ok_count += finish(ops[op].run, a) == 0;
    check(fake_audit() == 0, "audit");
    for (unsigned i = 0; i < GUESTS; i++)
        check_walks(actors[i].d);
}

static void one_run(unsigned steps)
{
    const uint64_t free_before = READ_ONCE(heap_free_frames);

    fake_tags(seed & 1);
    for (unsigned i = 0; i < GUESTS; i++)
        actor_begin(&actors[i], (uint16_t)(1 + i));
    for (step = 0; step < steps; step++)
        one_step();
    doing = "the end";
    fake_preempt_every = below(2);
    fake_on_cpu(0);
    fake_run(control.d->vcpus[0]);
    for (unsigned i = 0; i < GUESTS; i++) {
        fake_destroy(actors[i].d);
        check(fake_audit() == 0, "audit after destruction");
    }
    fake_preempt_every = 0;
    for (unsigned i = 0; i < 16; i++)
        check(mmu_l1_write(control.d, control.d, control_slot(i), 0, MMU_SET, NULL) == 0,
              "control domain cannot unmap");
    check(pv_pay_old_tables(control.d->vcpus[0]) == 0, "control domain owes tables");
    check(fake_domains_gone(), "zombies");
    check(READ_ONCE(heap_free_frames) == free_before, "frames lost");
    check(fake_audit() == 0, "last audit");
}

int main(int argc, char **argv)
{
    const uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    const uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 200;
    const unsigned steps = argc > 3 ? (unsigned)atoi(argv[3]) : 60;

    fake_machine_init();
    guest_init(&control, control_domain);
    fake_run(control_domain->vcpus[0]);
    for (seed = first; seed < first + count; seed++) {
        rng = seed * 0x9e3779b97f4a7c15ull + 1;
        one_run(steps);
    }
    printf("model: %lu seeds from %lu, %u operations (%u done, %u refused), audit after each\n",
           count, first, op_count, ok_count, op_count - ok_count);
    printf("check-model-mmu: %lu passed, 0 failed\n", count);
    return 0;
}
