/* SPDX-License-Identifier: MIT */
/*
 * Contract: GNTTABOP_copy moves bytes between two pages, each named by frame or by grant; the
 * bytes stay inside one page on both sides; nothing is copied for an element that is refused, and
 * the grants are not in use afterwards.
 *
 * Invariants: GT-3, GT-7, GT-11, HC-7.
 * A failure means: network backends corrupt or leak what they copy.
 * Sabotage: let front_grant_access() ignore `readonly`: the write to a read-only grant succeeds.
 */
#include "guest.h"

GUEST_RUN("vcpus=1");

static u8 *src, *dst;
static int src_ref, dst_ref, ro_ref;

static struct gnttab_copy element(unsigned flags, u16 from, u16 to, u16 len)
{
    struct gnttab_copy op = {.len = len, .flags = (u16)flags};

    op.source.domid = op.dest.domid = DOMID_SELF;
    op.source.offset = from;
    op.dest.offset = to;
    if (flags & GNTCOPY_source_gref)
        op.source.u.ref = (grant_ref_t)src_ref;
    else
        op.source.u.gmfn = front_va_to_mfn(src);
    if (flags & GNTCOPY_dest_gref)
        op.dest.u.ref = (grant_ref_t)dst_ref;
    else
        op.dest.u.gmfn = front_va_to_mfn(dst);
    op.status = 99;
    return op;
}

static s16 run(struct gnttab_copy *op)
{
    check_eq(hc_grant_table_op(GNTTABOP_copy, op, 1), 0);
    return op->status;
}

static void reset(void)
{
    for (unsigned i = 0; i < 4096; i++) {
        src[i] = (u8)(i * 7 + 1);
        dst[i] = 0xee;
    }
}

/* Exactly [to, to + len) changed, to what stood at `from`. */
static void copied(const char *what, unsigned from, unsigned to, unsigned len)
{
    for (unsigned i = 0; i < 4096; i++) {
        u8 want = i >= to && i < to + len ? (u8)((from + i - to) * 7 + 1) : 0xee;

        if (!check(dst[i] == want, "%s: byte %u is %x, wanted %x", what, i, dst[i], want))
            return;
    }
}

static void kinds(void)
{
    static const struct {
        const char *what;
        unsigned flags;
    } kinds[] = {{"frame to frame", 0},
                 {"grant to frame", GNTCOPY_source_gref},
                 {"frame to grant", GNTCOPY_dest_gref},
                 {"grant to grant", GNTCOPY_source_gref | GNTCOPY_dest_gref}};
    static const u16 shapes[][3] = {{0, 0, 4096},   {1, 4095, 1}, {4095, 0, 1},
                                    {100, 200, 64}, {0, 0, 0},    {4096 - 9, 3, 9}};

    for (unsigned k = 0; k < FRONT_ARRAY_SIZE(kinds); k++) {
        for (unsigned s = 0; s < FRONT_ARRAY_SIZE(shapes); s++) {
            struct gnttab_copy op =
                element(kinds[k].flags, shapes[s][0], shapes[s][1], shapes[s][2]);

            reset();
            check(run(&op) == GNTST_okay, "%s: status %d", kinds[k].what, op.status);
            copied(kinds[k].what, shapes[s][0], shapes[s][1], shapes[s][2]);
        }
    }
    check_eq(front_grant_entry(src_ref)->flags, GTF_permit_access);
    check_eq(front_grant_entry(dst_ref)->flags, GTF_permit_access);
}

static void refused(const char *what, struct gnttab_copy op, s16 want)
{
    reset();
    run(&op);
    check(want ? op.status == want : op.status < 0, "%s: status %d", what, op.status);
    copied(what, 0, 0, 0);
}

static void refusals(void)
{
    unsigned both = GNTCOPY_source_gref | GNTCOPY_dest_gref;
    struct gnttab_copy op;

    refused("past the source", element(both, 1, 0, 4096), GNTST_bad_copy_arg);
    refused("past the destination", element(both, 0, 1, 4096), GNTST_bad_copy_arg);
    refused("offset 4097", element(both, 4097, 0, 0), GNTST_bad_copy_arg);
    refused("wrapping", element(both, 65535, 0, 65535), GNTST_bad_copy_arg);
    op = element(both, 0, 0, 16);
    op.dest.u.ref = (grant_ref_t)ro_ref;
    refused("into a read-only grant", op, 0);
    op = element(both, 0, 0, 16);
    op.source.u.ref = 1 << 20;
    refused("reference out of range", op, GNTST_bad_gntref);
    op = element(both, 0, 0, 16);
    op.source.domid = 77;
    refused("no such domain", op, GNTST_bad_domain);
    op = element(0, 0, 0, 16);
    op.source.u.gmfn = 1UL << 39;
    refused("source frame beyond the machine", op, 0);
    op = element(0, 0, 0, 16);
    op.dest.u.gmfn = front_root_mfn();
    refused("into a page table", op, 0);
    check_eq(front_try_write(src, 1), FAULT_NONE);
}

/* A read-only grant is a fine source. */
static void read_only_source(void)
{
    struct gnttab_copy op = element(GNTCOPY_source_gref, 10, 20, 30);
    int old = src_ref;

    reset();
    src_ref = front_grant_access(0, front_va_to_mfn(src), true);
    op.source.u.ref = (grant_ref_t)src_ref;
    check_eq(run(&op), GNTST_okay);
    copied("read-only source", 10, 20, 30);
    check_eq(front_grant_end(src_ref), 0);
    src_ref = old;
}

static void batch(void)
{
    struct gnttab_copy ops[3];

    reset();
    for (unsigned i = 0; i < 3; i++)
        ops[i] = element(0, (u16)(i * 8), (u16)(i * 8), 8);
    ops[1].len = 5000;
    check_eq(hc_grant_table_op(GNTTABOP_copy, ops, 3), 0);
    check_eq(ops[0].status, GNTST_okay);
    check_eq(ops[1].status, GNTST_bad_copy_arg);
    check_eq(ops[2].status, GNTST_okay);
    check(dst[7] == src[7] && dst[8] == 0xee && dst[16] == src[16]);
}

void guest_test(void)
{
    src = front_page_alloc();
    dst = front_page_alloc();
    check_eq(front_grant_init(), 0);
    src_ref = front_grant_access(0, front_va_to_mfn(src), false);
    dst_ref = front_grant_access(0, front_va_to_mfn(dst), false);
    ro_ref = front_grant_access(0, front_va_to_mfn(dst), true);
    kinds();
    refusals();
    read_only_source();
    batch();
}
