/* SPDX-License-Identifier: MIT */
/*
 * The order of locks in debug builds (HC-13): each CPU remembers the locks it holds, and taking one
 * whose rank is not above the last one's stops the machine with both names.
 */
#include <tenue/assert.h>
#include <tenue/vcpu.h>

#ifdef TENUE_DEBUG
/* Ranks rise strictly, except for a nested one of the same rank. */
static void order_check(const struct spinlock *l, bool nested)
{
    const struct cpu *c = this_cpu();
    const struct spinlock *last;

    if (c->held_count == 0)
        return;
    last = c->held[c->held_count - 1];
    if (l->rank < last->rank || (l->rank == last->rank && !nested))
        panic("BUG: lock of rank %u taken while holding rank %u", l->rank, last->rank);
}

static void order_push(const struct spinlock *l)
{
    struct cpu *c = this_cpu();

    BUG_ON(c->held_count == LOCKS_HELD_MAX);
    c->held[c->held_count++] = l;
}

static void order_pop(const struct spinlock *l)
{
    struct cpu *c = this_cpu();
    unsigned i = c->held_count;

    while (i > 0 && c->held[i - 1] != l)
        i--;
    BUG_ON(i == 0);
    for (; i < c->held_count; i++)
        c->held[i - 1] = c->held[i];
    c->held_count--;
}

void spin_lock(struct spinlock *l)
{
    order_check(l, false);
    spin_take(l);
    order_push(l);
}

void spin_lock_nested(struct spinlock *l)
{
    order_check(l, true);
    spin_take(l);
    order_push(l);
}

void spin_unlock(struct spinlock *l)
{
    order_pop(l);
    spin_give(l);
}
#endif
