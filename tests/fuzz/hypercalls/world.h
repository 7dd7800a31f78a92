/* SPDX-License-Identifier: MIT */
/*
 * The inhabitants of the hypercall fuzzer's machine, and where its choices come from.
 */
#ifndef TENUE_FUZZ_WORLD_H
#define TENUE_FUZZ_WORLD_H

#include <stddef.h>

#include "../../unit/fake/fake.h"

#include <tenue/evtchn.h>
#include <tenue/grant.h>

/* --- choices: bytes of a fuzzer, or a generator with a seed --- */

void choose_from_bytes(const uint8_t *data, size_t size);
void choose_from_seed(uint64_t seed);
/* No bytes are left: everything is 0 from now on. Never with a seed. */
bool choices_spent(void);
uint32_t pick(uint32_t n); /* 0 .. n - 1 */
uint64_t any64(void);
static inline bool one_in(uint32_t n)
{
    return pick(n) == n - 1; /* rare things do not happen once bytes are spent */
}

/* --- actors --- */

#define ACTORS 4u /* the control domain and guests */
#define VCPUS 3u  /* of each; the last one of a guest is left for it to bring up */
#define FRAMES 48u
#define TYPED 24u /* frames below it are mapped read-only: what tables are made of */
#define SPARE 20u /* from here to TYPED: mapped nowhere */
#define HOLES 28u /* four pages that grants are mapped over */
#define ARGS 32u  /* eight for arguments, eight for those of calls in the middle of others */
#define ARGS_NESTED 40u
#define ARGS_PAGES 8u
#define REFS 16u
#define PORTS 8u
#define HANDLES 8u

enum { L4 = 1, L3, L2, L1, USER_L4, OTHER_L4, OTHER_L1, OTHER_L2 }; /* indices of its tables */

struct actor {
    struct domain *d; /* NULL: dead, or not yet born */
    uint16_t domid;
    mfn_t frames[FRAMES]; /* owned now, or once */
    port_t ports[PORTS];
    struct {
        port_t port;
        uint16_t domid;
    } offer; /* an unbound port, and for whom */
    struct {
        ghandle_t handle;
        uint64_t host_addr, bus_addr;
    } maps[HANDLES];
};

extern struct actor actors[ACTORS]; /* [0]: the control domain */

/* Once per process. */
void world_init(void);
/* A new control domain and guests. */
void world_begin(void);
/* Everybody dies; false: something is left over. */
bool world_end(void);
/* Forget who is dead; a guest in the place of the first dead one, if one is wanted. */
void world_refresh(bool born);
/* A vcpu of a that may run, or NULL. */
struct vcpu *runnable_vcpu(const struct actor *a);
/* Rewrite an entry of a's grant table as an honest guest would, mostly. */
void world_regrant(struct actor *a, unsigned ref);
/* Write a page-table entry into a frame of a that is not a table now. */
void world_craft(struct actor *a);

mfn_t some_mfn(const struct actor *a);
mfn_t some_table(const struct actor *a);
uint64_t some_pte(const struct actor *a);
unsigned some_slot(void);
uint64_t some_va(void);

#endif
