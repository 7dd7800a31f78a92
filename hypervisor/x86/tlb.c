/* SPDX-License-Identifier: MIT */
/*
 * Roots and translations. Our own mappings are global and survive root loads (not under page-table
 * isolation: isolation.c); a guest's are not global, so loading CR3 is a full flush, unless
 * translations are tagged (pv/tags.c). Each full flush is stamped (tenue/tlb.h).
 *
 * Shootdown: the asker raises a request on each other CPU of the mask, sends an interrupt and
 * waits. A CPU answers in the interrupt, or, as it has interrupts off in the hypervisor, in
 * whatever loop it spins (hal_spin_wait), so two CPUs that ask each other cannot deadlock. A mask
 * of one is free of all this.
 */
#include <tenue/vcpu.h>

#include "asm.h"
#include "machine.h"
#include "spec.h"

static inline void load_cr3(mfn_t root)
{
    uint32_t stamp = tlb_flush_begin();

    hal_cr3_write(mfn_to_maddr(root).a);
    tlb_flush_end(stamp);
}

/*
 * Under isolation, where there are no tags, the guest runs on a copy, which a flush brings up to
 * date: so a CPU whose stamp is newer than a change to an L4 has the change in its copy. The root
 * is recorded first: whoever changes it afterwards knows that we have it.
 */
static noinline_fn void load_otherwise(mfn_t root)
{
    struct pcpu *c = this_pcpu();
    uint32_t stamp;

    if (!spec_has(SPEC_PTI)) {
        tags_load_root(root);
        return;
    }
    WRITE_ONCE(c->cpu.root, root);
    WRITE_ONCE(c->entry.full_cr3, mfn_to_maddr(root).a);
    stamp = tlb_flush_begin();
    hal_cr3_write(mfn_to_maddr(root).a);
    isolation_copy_root(c, root);
    tlb_flush_end(stamp);
}

static inline void load_root(mfn_t m)
{
    if (spec_has(SPEC_PTI | SITE_TAGS)) {
        load_otherwise(m);
        return;
    }
    load_cr3(m);
    this_cpu()->root = m;
}

void hal_load_root(mfn_t m)
{
    load_root(mfn_is_none(m) ? hv_root : m);
}

void hal_switch_root(mfn_t m)
{
    if (spec_has(SITE_TAGS))
        tags_switch_root(m);
    else
        load_root(m);
}

void hal_tlb_flush_local(void)
{
    if (spec_has(SPEC_PTI | SITE_TAGS))
        load_otherwise(this_cpu()->root);
    else
        load_cr3(this_cpu()->root);
}

/* Whoever asked before the load below wants what this flush does; later ones ask again. */
void tlb_answer_requests(void)
{
    struct pcpu *c = this_pcpu();
    uint32_t asked = __atomic_load_n(&c->flush_asked, __ATOMIC_SEQ_CST);

    if (likely(asked == c->flush_done))
        return;
    hal_tlb_flush_local();
    __atomic_store_n(&c->flush_done, asked, __ATOMIC_RELEASE);
}

void hal_spin_wait(void)
{
    tlb_answer_requests();
    cpu_relax();
}

/* A single page costs the others a full flush too: rare, and it keeps a request one counter. */
static noinline_fn void flush_others(cpumask_t mask)
{
    const cpumask_t online = ((cpumask_t)2 << (cpu_count - 1)) - 1;
    uint32_t ticket[MAX_CPUS];

    mask &= online & ~((cpumask_t)1 << this_cpu()->id);
    for (cpumask_t m = mask; m != 0; m &= m - 1) {
        unsigned cpu = (unsigned)__builtin_ctzll(m);

        ticket[cpu] = __atomic_add_fetch(&pcpu_of(cpu)->flush_asked, 1, __ATOMIC_SEQ_CST);
        apic_send(cpu, VEC_FLUSH);
    }
    for (cpumask_t m = mask; m != 0; m &= m - 1) {
        unsigned cpu = (unsigned)__builtin_ctzll(m);
        const uint32_t *done = &pcpu_of(cpu)->flush_done;

        while ((int32_t)(__atomic_load_n(done, __ATOMIC_ACQUIRE) - ticket[cpu]) < 0)
            hal_spin_wait();
    }
}

void hal_tlb_flush(cpumask_t mask)
{
    if (mask & ~((cpumask_t)1 << this_cpu()->id))
        flush_others(mask);
    if (mask >> this_cpu()->id & 1)
        hal_tlb_flush_local();
}

void hal_invlpg(cpumask_t mask, uint64_t va)
{
    if (mask & ~((cpumask_t)1 << this_cpu()->id))
        flush_others(mask);
    if (mask >> this_cpu()->id & 1)
        hal_invlpg_local(va);
}

void hal_root_changed(mfn_t m)
{
    cpumask_t mask = 0;

    if (!spec_has(SPEC_PTI))
        return;
    for (unsigned cpu = 0; cpu < cpu_count; cpu++)
        if (mfn_eq(READ_ONCE(cpus[cpu]->root), m))
            mask |= (cpumask_t)1 << cpu;
    hal_tlb_flush(mask);
}

void hal_wbinvd(void)
{
    __asm__ volatile("wbinvd" ::: "memory");
}
