/* SPDX-License-Identifier: MIT */
/*
 * Ticket locks, and in debug builds the check of their order (HC-13): each CPU remembers the locks
 * it holds, and taking one whose rank is not above the last one's stops the machine with both
 * names. Interrupts are off wherever a lock is taken, so nothing here saves flags.
 */
#include <tenue/lock.h>

#include <tenue/assert.h>
#include <tenue/vcpu.h>

void spin_lock_init(struct spinlock *l, enum lock_rank rank)
{
    *l = (struct spinlock)SPINLOCK_INIT(rank);
}

void spin_wait_for_turn(struct spinlock *l, uint16_t ticket)
{
    while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket)
        hal_spin_wait();
}

/* Never waits, so it cannot deadlock and need not obey the order. */
static bool try_take(struct spinlock *l)
{
    uint16_t owner = __atomic_load_n(&l->owner, __ATOMIC_RELAXED);
    uint16_t expected = owner;

    return __atomic_compare_exchange_n(&l->next, &expected, (uint16_t)(owner + 1), false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

#ifndef TENUE_DEBUG
bool spin_trylock(struct spinlock *l)
{
    return try_take(l);
}
#else
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

bool spin_trylock(struct spinlock *l)
{
    const bool taken = try_take(l);

    if (taken)
        order_push(l);
    return taken;
}

void spin_unlock(struct spinlock *l)
{
    order_pop(l);
    spin_give(l);
}
#endif
