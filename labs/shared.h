/* SPDX-License-Identifier: MIT */
/*
 * Memory that another domain sees and changes, as slow as a machine is allowed to be. All accesses
 * to it go by these macros. Stores wait, and nobody else sees them, until the next barrier, which
 * shows them one by one, the last one first; loads of a ring's contents may be as old as the last
 * read barrier. After each access the other side gets its turn. What works here works on any
 * processor and with any compiler; x86 alone would forgive some of it, sometimes.
 */
#ifndef LABS_SHARED_H
#define LABS_SHARED_H

#include <lab.h>

/* One number of 1, 2, 4 or 8 bytes. */
#define SHARED_READ(x) ((__typeof__(x))lab_shared_read(&(x), sizeof(x)))
#define SHARED_WRITE(x, value) lab_shared_write(&(x), sizeof(x), (u64)(value))
/* If x is `old`, it becomes `new`, in one step that nobody gets between. What it was. A barrier. */
#define SHARED_CMPXCHG(x, old, new)                                                                \
    ((__typeof__(x))lab_shared_cmpxchg(&(x), sizeof(x), (u64)(old), (u64)(new)))

void shared_wmb(void); /* stores before are seen before stores after */
void shared_rmb(void); /* loads after are done after loads before */
void shared_mb(void);  /* both, and loads after are done after stores before are seen */

/* Sends an event; a hypercall is a barrier. */
int shared_notify(evtchn_port_t port);

/* ---- for a lab's peer.c, whose own accesses are plain ones ---- */

/* A port of the student's; what is sent through it calls kicked, from here on. */
evtchn_port_t lab_loopback(void (*kicked)(evtchn_port_t port, void *opaque));
/* Called after each access, when it is set; not while it runs. */
extern void (*lab_turn)(void);
/* Loads from here may be old. At most a page; size 0: none any more. */
void lab_slow_loads(const void *start, size_t size);
/* How many accesses by macro there were. */
extern unsigned lab_accesses;

u64 lab_shared_read(const volatile void *at, size_t size);
void lab_shared_write(volatile void *at, size_t size, u64 value);
u64 lab_shared_cmpxchg(volatile void *at, size_t size, u64 was, u64 becomes);

#endif
