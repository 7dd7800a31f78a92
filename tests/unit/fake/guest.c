/* SPDX-License-Identifier: MIT */
/*
 * A small guest with tables it can run on (fake.h).
 */
#include <stdio.h>
#include <stdlib.h>

#include "fake.h"

#include "../../hypervisor/pv/mmu.h"
#include "../../hypervisor/pv/root.h"

#include <tenue/m2p.h>

#define TABLE_BITS (PTE_P | PTE_RW | PTE_US | PTE_A)

static noreturn_fn void cannot(const char *what)
{
    fprintf(stderr, "fake guest: %s\n%s", what, fake_log_take());
    exit(2);
}

uint64_t *guest_ptr(const struct guest *g, unsigned frame)
{
    return fake_written(g->frames[frame]);
}

static void link_table(struct guest *g, unsigned table, unsigned level, unsigned to)
{
    guest_ptr(g, table)[pte_index(GUEST_BASE, level)] = guest_maddr(g, to) | TABLE_BITS;
}

static bool is_table(const struct guest *g, unsigned i)
{
    return i == g->l4 || i == g->l3 || i == g->l2 || i == g->l1 || i == g->user_l4;
}

void guest_init(struct guest *g, struct domain *d)
{
    *g = (struct guest){.d = d, .l4 = 1, .l3 = 2, .l2 = 3, .l1 = 4, .user_l4 = 5};
    for (unsigned i = 0; i < GUEST_FRAMES; i++) {
        if (domain_alloc_frames(d, 0, 64, &g->frames[i]) != 0)
            cannot("no frames");
        m2p_set(g->frames[i], i);
    }
    link_table(g, g->l4, 4, g->l3);
    link_table(g, g->l3, 3, g->l2);
    link_table(g, g->l2, 2, g->l1);
    for (unsigned i = 0; i < GUEST_FRAMES; i++)
        guest_ptr(g, g->l1)[i] = guest_maddr(g, i) | PTE_P | PTE_US | (is_table(g, i) ? 0 : PTE_RW);
    if (mmu_pin(d, g->frames[g->l4], PGT_L4) != 0)
        cannot("its tables were refused");
    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (pv_root_set(d->vcpus[i], g->frames[g->l4].n, false) != 0)
            cannot("its root was refused");
}
