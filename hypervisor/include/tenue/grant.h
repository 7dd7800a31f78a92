/* SPDX-License-Identifier: MIT */
/*
 * Grant tables, version 1 only (GT-9). Mechanism: core/grant.c (shared and active entries, pins),
 * core/grant_map.c (who mapped what); hypercall: core/grant_op.c.
 */
#ifndef TENUE_GRANT_H
#define TENUE_GRANT_H

#include <tenue/abi.h>
#include <tenue/frame.h>
#include <tenue/guestmem.h>
#include <tenue/lock.h>
#include <tenue/pagetype.h>

struct domain;

typedef uint32_t gref_t;
typedef uint32_t ghandle_t;
#define GHANDLE_NONE (~0u)

#define GRANT_FRAMES_DEFAULT 64u /* when the creator does not say */
#define GRANT_FRAMES_MAX 256u
#define GRANTS_PER_FRAME (PAGE_SIZE / sizeof(grant_entry_v1_t))
#define MAPTRACK_FRAMES_DEFAULT 1024u

/* How an entry is in use: by mappings, for the CPU or for devices, and copies that write, or not.
 */
enum grant_pin { PIN_RW, PIN_RO, PIN_KINDS };

/*
 * Our private copy of a shared entry in use (GT-10). All fields: the owner's grant lock.
 * GT-1: pins[k] is the number of mappings of kind k that handles stand for plus copies under way.
 * They need no limit: all of an entry are one grantee's, whose handles are 2^20 at most.
 */
struct grant_active {
    uint32_t frame; /* mfn granted, valid while any pin is held */
    uint16_t domid; /* grantee */
    uint16_t pad;
    peeked uint32_t pins[PIN_KINDS];
};

/*
 * One handle: the mapper's grant lock. It counts as a reference to the granter, whose table must
 * live until the pin is dropped (GT-16). A free one links to the next in ref.
 */
struct grant_maptrack {
    struct domain *granter;
    uint32_t ref;   /* reference in the granter's table; free: next free handle */
    uint16_t flags; /* GNTMAP_{device,host}_map, _readonly, _contains_pte; 0: free */
    uint16_t pad;
};

#define GRANT_ACTIVE_ORDER 1u /* pages of active entries beside each shared frame */
STATIC_ASSERT(grant_active_fits,
              GRANTS_PER_FRAME * sizeof(struct grant_active) <= PAGE_SIZE << GRANT_ACTIVE_ORDER);
#define MAPTRACK_PER_FRAME (PAGE_SIZE / sizeof(struct grant_maptrack))
#define MAPTRACK_FRAMES_MAX 4096u /* handles fit the ABI, the index of frames fits 8 pages */

struct grant_frame {
    grant_entry_v1_t *shared;    /* one page, which the guest maps */
    struct grant_active *active; /* 2^GRANT_ACTIVE_ORDER pages */
};
STATIC_ASSERT(grant_frames_fit, GRANT_FRAMES_MAX * sizeof(struct grant_frame) <= PAGE_SIZE);

struct grant_table {
    struct spinlock lock;        /* RANK_GRANT; one table at a time */
    uint32_t frames, max_frames; /* [lock] shared frames now, [I] at most */
    struct grant_frame *frame;   /* [I] one page of them; [lock to grow] entries below frames */
    struct grant_maptrack **maptrack; /* [lock] index of frames of handles this domain holds */
    uint32_t maptrack_frames, maptrack_max; /* [lock; only grow], [I] */
    uint32_t maptrack_free;                 /* [lock] first free handle or GHANDLE_NONE */
    uint32_t release_cursor;                /* teardown: next handle to release */
    uint64_t audited[PIN_KINDS]; /* scratch of the audit: pins that handles account for */
};

int grant_table_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack) must_check;
/* Release every handle the dying domain holds; preemptible. */
int grant_table_release_mappings(struct domain *d) must_check;
/* Take the shared frames of a dead domain back: -XEN_EBUSY while a privileged mapper still has one;
 * call again. After it, grant_table_free() gives the memory back. */
int grant_table_unshare(struct domain *d) must_check;
void grant_table_free(struct domain *d);
/* Write the numbers of n shared frames to a guest's list, growing the table up to them.
 * -XEN_EINVAL: no such; -XEN_ENOMEM, -XEN_EFAULT; -XEN_ERESTART: it has grown by some, call again.
 */
int grant_table_frames(struct domain *d, uint32_t first, uint32_t n, guest_va list) must_check;

long hc_grant_table_op(uint32_t cmd, uint64_t uop, uint32_t count);

#endif
