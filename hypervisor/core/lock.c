/* SPDX-License-Identifier: MIT */
/* Ticket locks: the slow half (lock.h). Interrupts are off wherever a lock is taken. */
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
