/* SPDX-License-Identifier: MIT */
/* Hypercalls at random: what calls.c, which fills them in, and random.c, which makes them, share.
 */
#ifndef ROGUE_RANDOM_H
#define ROGUE_RANDOM_H

#include "rogue.h"

#define PAGES 24u
#define TABLES 8u /* the first ones are read-only most of the time, fit to be page tables */
#define HANDS 2u
#define SLOTS 8u
#define SLOT_SIZE 2048u /* what any operation writes into it fits */
#define LIST_AT 512u    /* in a slot: what the arguments point to */

struct call {
    u64 nr, arg[5];
    u8 *slot;                   /* its arguments in memory */
    bool chosen;                /* the operation is one that was picked with care */
    const volatile s16 *status; /* of a grant operation */
};

/* One vcpu's own; offered to nobody. The spare slots take what a call with a long list writes
 * behind its own; their last page is read-only, so that a list without end ends there. */
struct hand {
    u8 slots[SLOTS + 8][SLOT_SIZE];
    u64 random;
    struct call call, part[SLOTS]; /* the one that is made, and those within it */
    multicall_entry_t entries[SLOTS];
    u32 kind[SLOTS];
} FRONT_PAGE_ALIGNED;

extern struct hand hands[HANDS];
extern u8 *page[PAGES];  /* to be played with */
extern bool lost[PAGES]; /* those given back to the hypervisor */
extern domid_t own_id;
extern evtchn_port_t first_port; /* those below were there before */

static inline struct hand *hand(void)
{
    return &hands[front_vcpu_id() % HANDS];
}

u64 any(u64 below);
void call_set(struct call *c, u64 nr, u64 a, u64 b, u64 d);

/* One kind of call each. */
void fill_junk(struct call *c);
void fill_memory_moves(struct call *c);
void fill_memory_exchange(struct call *c);
void fill_memory_asks(struct call *c);
void fill_mmu_update(struct call *c);
void fill_mmuext(struct call *c);
void fill_va_mapping(struct call *c);
void fill_descriptors(struct call *c);
void fill_events(struct call *c);
void fill_grants(struct call *c);
void fill_vcpus(struct call *c);
void fill_small_ones(struct call *c);
void fill_control(struct call *c);

#endif
