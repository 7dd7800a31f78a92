/* SPDX-License-Identifier: MIT */
/*
 * Descriptions of hypercalls, and one call made from a description.
 *
 * A description (ops.c) says for one operation what is in the four argument registers and, where
 * one points to structures, what is in their fields; each value has a kind, which says what is
 * plausible there. OUT fields are remembered for later calls.
 */
#ifndef TENUE_FUZZ_CALL_H
#define TENUE_FUZZ_CALL_H

#include "world.h"

enum kind {
    /* numbers; p is their parameter */
    K_CONST,
    K_BELOW, /* 0 .. p - 1 */
    K_BITS,  /* a few bits of p */
    K_ANY,   /* edges and noise */
    K_TIME,  /* system time about now */
    K_VCPU,
    /* frames and addresses */
    K_MFN,
    K_TABLE, /* a frame for tables */
    K_ROOT,
    K_ROOT_OR_NONE,
    K_OWN,    /* any frame of one's own */
    K_PTE_AT, /* machine address of an entry, with the type of request */
    K_M2P_AT,
    K_DESC_AT,
    K_PTE,
    K_DESC,
    K_VA,
    K_PAGE_VA,
    K_UVMF, /* flush flags of update_va_mapping */
    K_CODE, /* address of a handler or stack */
    /* domains */
    K_SELF,    /* DOMID_SELF, mostly */
    K_OTHER,   /* an actor's domid */
    K_FOREIGN, /* mmu_update's: frames of whom */
    K_GUEST,   /* domctl's: not the control domain */
    K_SPARE,   /* a domid for a new domain */
    /* ports and grants */
    K_PORT,
    K_OFFERER, /* who offers us a port; then K_OFFERED */
    K_OFFERED,
    K_GREF,
    K_COPY_FLAGS,
    K_MAP_FLAGS,
    K_MAP_ADDR,
    K_HANDLE, /* then its addresses: */
    K_HANDLE_ADDR,
    K_HANDLE_BUS,
    /* pointers */
    K_ARG,     /* to the structures described by fields */
    K_COUNT,   /* how many they are */
    K_DONE,    /* to a result, or 0 */
    K_BUF,     /* to p bytes of room */
    K_MFNS,    /* to p frame numbers */
    K_PORTS,   /* to p ports */
    K_CONTEXT, /* to a vcpu's context */
    K_CALLS,   /* to p multicall entries */
    /* results */
    OUT_PORT,
    OUT_OFFER, /* of a port: for the domain in the field before */
    OUT_HANDLE,
    OUT_UNMAPPED,
    OUT_MFNS, /* the frames that p pointers of K_MFNS were replaced by */
};

struct value {
    uint8_t kind;
    uint64_t p;
};

struct field {
    uint16_t at;
    uint8_t size, kind;
    uint64_t p;
};

enum success {
    WHEN_ZERO_OR_MORE,
    WHEN_POSITIVE,
    WHEN_REFUSED,
    WHEN_STATUS, /* int16_t of the first structure is 0 */
};

enum who { ANYBODY, CONTROL, GUESTS };

#define FIELDS_MAX 10u
struct op {
    const char *name;
    uint8_t nr, weight, who, success;
    struct value reg[4];
    uint16_t size, status_at; /* of one structure */
    uint8_t count;            /* structures at most, usually */
    struct field fields[FIELDS_MAX];
};

extern const struct op ops[];
extern const unsigned op_count;

struct tally {
    uint64_t tried, done;
};
extern struct tally tallies[];

/* One call as v, which is current. `nested`: in the middle of one by another vcpu. */
struct call {
    struct actor *a;
    bool nested;
    uint16_t spare_domid; /* of a domain that this call must leave alone, when nested */
    /* while it is put together */
    uint64_t at, end; /* room for arguments */
    const struct op *op;
    uint64_t arg_va, list_va;
    unsigned count, list_count;
    struct actor *other;
    unsigned map;
    uint32_t flags;
    bool unreachable; /* its own memory is not mapped any more */
};

/* An operation that c's actor may try. */
const struct op *some_op(const struct call *c);
/* Put it together, issue it, remember what comes of it. */
long call_run(struct call *c, const struct op *op);

#endif
