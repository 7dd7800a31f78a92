/* SPDX-License-Identifier: MIT */
/*
 * Spin locks and their order. The hypervisor runs with interrupts off except at preemption points
 * and in idle, so there is one kind of lock; a CPU that spins keeps answering TLB flush requests
 * (hal_spin_wait), which is what makes waiting for a flush with a lock held safe.
 *
 * A lock of rank r may be taken only while every lock held has a smaller rank; two of one rank are
 * taken with spin_lock_nested(), in an order that docs/locking.md names. Debug builds check
 * (HC-13). No lock is held across a guest copy or a preemption point.
 */
#ifndef TENUE_LOCK_H
#define TENUE_LOCK_H

#include <tenue/abi.h>

enum lock_rank {
    RANK_NONE,
    RANK_DOMAIN_LIST,  /* the table of domains */
    RANK_GRANT,        /* one grant table */
    RANK_CONNECTIONS,  /* who is connected to whom by event channels */
    RANK_EVTCHN,       /* one domain's event channels and pirqs */
    RANK_PAGE_TYPE,    /* a page-table page under update (bit lock in its frame record) */
    RANK_DOMAIN_PAGES, /* a domain's list and number of frames */
    RANK_HEAP,         /* the frame allocator */
    RANK_TIMER,        /* one CPU's timers */
    RANK_RUNQUEUE,     /* one CPU's run queue */
    RANK_CAP,          /* one domain's share of CPU time */
    RANK_IRQ,          /* an interrupt controller */
    RANK_TRACE,        /* the trace rings' existence */
    RANK_CONSOLE,      /* the serial port and log ring: taken anywhere, takes nothing */
};

/* Ticket lock: fair, so no CPU starves. */
struct spinlock {
    uint16_t next, owner; /* [a] tickets */
    uint16_t rank;        /* [I] enum lock_rank */
};

#define SPINLOCK_INIT(r)                                                                           \
    {                                                                                              \
        .rank = (r)                                                                                \
    }

void spin_lock_init(struct spinlock *l, enum lock_rank rank);
/* Until it is ticket's turn; answers flush requests meanwhile. */
void spin_wait_for_turn(struct spinlock *l, uint16_t ticket);

static inline void spin_take(struct spinlock *l)
{
    const uint16_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQUIRE);

    if (unlikely(__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket))
        spin_wait_for_turn(l, ticket);
}
static inline void spin_give(struct spinlock *l)
{
    __atomic_store_n(&l->owner, (uint16_t)(l->owner + 1), __ATOMIC_RELEASE);
}

#ifdef TENUE_DEBUG
void spin_lock(struct spinlock *l);
void spin_lock_nested(struct spinlock *l); /* a second lock of the same rank, ordered by caller */
void spin_unlock(struct spinlock *l);
#else
static inline void spin_lock(struct spinlock *l)
{
    spin_take(l);
}
static inline void spin_lock_nested(struct spinlock *l)
{
    spin_take(l);
}
static inline void spin_unlock(struct spinlock *l)
{
    spin_give(l);
}
#endif

#endif
