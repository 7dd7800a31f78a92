/* SPDX-License-Identifier: MIT */
/*
 * Lab 3, the grader's part: the domain that grants are for, which is this domain itself. While the
 * student's code writes an entry it tries, after each store, to map whatever looks like a grant;
 * entries have an earlier grant's frame in them, as they do in a table that is used for long. While
 * a grant is taken back it maps it at the worst moment.
 */
#include "task.h"

#define WINDOW 0x0000100000400000UL
#define NOTHING (~0UL)

grant_entry_v1_t *lab_table;

static u64 *page, *private;
static u64 secret;
static unsigned leaks, attempts;
static struct gnttab_map_grant_ref race;
static int race_ref;

static s16 map(struct gnttab_map_grant_ref *op, int ref, u32 flags)
{
    *op = (struct gnttab_map_grant_ref){
        .host_addr = WINDOW, .flags = flags | GNTMAP_host_map, .ref = (grant_ref_t)ref, .dom = 0};
    op->status = GNTST_general_error;
    hc_grant_table_op(GNTTABOP_map_grant_ref, op, 1);
    return op->status;
}

static void unmap(const struct gnttab_map_grant_ref *mapped)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = WINDOW, .handle = mapped->handle};

    hc_grant_table_op(GNTTABOP_unmap_grant_ref, &op, 1);
}

/* What is in the page that a reference gives, or NOTHING. */
static u64 look(int ref)
{
    struct gnttab_map_grant_ref op;
    u64 value;

    if (map(&op, ref, GNTMAP_readonly))
        return NOTHING;
    value = READ_ONCE(*(u64 *)WINDOW);
    unmap(&op);
    return value;
}

/* The other side's turn while an entry is written. */
static void look_at_all(void)
{
    for (int ref = FIRST_REF; ref <= LAST_REF; ref++) {
        u64 value;

        if ((lab_table[ref].flags & GTF_type_mask) != GTF_permit_access)
            continue;
        attempts++;
        value = look(ref);
        leaks += value != secret && value != NOTHING;
    }
}

static void map_once(void)
{
    if (race.host_addr)
        return;
    map(&race, race_ref, GNTMAP_readonly);
}

static int grant(bool readonly)
{
    int ref = my_grant(0, front_va_to_mfn(page), readonly);

    shared_mb();
    if (ref < FIRST_REF || ref > LAST_REF)
        return -1;
    return ref;
}

static void granting(void)
{
    int ref, other;

    lab_turn = look_at_all;
    ref = grant(false);
    lab_turn = NULL;
    lab_fact("reads", "%s", ref >= 0 && look(ref) == secret ? "the page" : "not the page");
    lab_fact("leaks", "%u", leaks);
    other = my_grant(7, front_va_to_mfn(page), false);
    shared_mb();
    lab_fact("others", "%s", other >= 0 && look(other) != NOTHING ? "mapped" : "refused");
    my_revoke(other);
    my_revoke(ref);
    shared_mb();
}

static void readonly(void)
{
    struct gnttab_map_grant_ref op;
    int ref = grant(true);
    s16 status = ref < 0 ? 0 : map(&op, ref, 0);

    if (ref >= 0 && !status)
        unmap(&op);
    lab_fact("readonly", "%s", status ? "refused" : "not refused");
    if (ref >= 0)
        my_revoke(ref);
    shared_mb();
}

static void revoking(void)
{
    struct gnttab_map_grant_ref op;
    int ref = grant(false), rc;

    if (ref < 0)
        return;
    rc = my_revoke(ref);
    shared_mb();
    lab_fact("revoked", "%d, then %s", rc, look(ref) == NOTHING ? "refused" : "mapped");

    ref = grant(false);
    if (ref < 0 || map(&op, ref, GNTMAP_readonly))
        return;
    rc = my_revoke(ref);
    shared_mb();
    lab_fact("busy", "%d", rc);
    unmap(&op);
    lab_fact("after", "%d", my_revoke(ref));
    shared_mb();
}

static void racing(void)
{
    int rc;

    race_ref = grant(false);
    if (race_ref < 0)
        return;
    lab_turn = map_once;
    rc = my_revoke(race_ref);
    shared_mb();
    lab_turn = NULL;
    lab_fact("race", "%s", rc || race.status ? "one of them" : "both");
    if (!race.status)
        unmap(&race);
    if (rc)
        my_revoke(race_ref);
    shared_mb();
}

static void again_and_again(void)
{
    unsigned failed = 0;

    for (unsigned i = 0; i < 600; i++) {
        int ref = grant(false);

        failed += ref < 0 || my_revoke(ref);
        shared_mb();
    }
    lab_fact("failed", "%u of 600", failed);
}

/* The lab is the granter now; the SDK's own functions are what they should be. */
static void reading(void)
{
    int ref = front_grant_access(0, front_va_to_mfn(page), true);
    u64 value = 0;
    int rc = my_read(0, (grant_ref_t)ref, &value);

    lab_fact("value", "%d, %lu", rc, rc ? 0 : value);
    lab_fact("unmapped", "%s", front_grant_end(ref) ? "still mapped" : "yes");
    /* Nobody granted this; and something is in the window that is no answer. */
    front_map(LAB_WINDOW, front_va_to_mfn(private), PTE_KERN);
    rc = my_read(0, (grant_ref_t)lab_number("ref"), &value);
    lab_fact("refused", "%s", rc ? "refused" : "as if it were there");
}

void lab_run(void)
{
    front_grant_init();
    lab_table = front_grant_entry(0);
    page = front_page_alloc();
    private = front_page_alloc();
    page[0] = secret = lab_number("secret");
    private[0] = 0xdead;
    front_map(LAB_WINDOW, front_va_to_mfn(private), PTE_KERN);
    front_unmap(LAB_WINDOW);
    front_map(WINDOW, front_va_to_mfn(private), PTE_KERN);
    front_unmap(WINDOW);
    for (int ref = FIRST_REF; ref <= LAST_REF; ref++)
        lab_table[ref].frame = (u32)front_va_to_mfn(private);
    granting();
    readonly();
    revoking();
    racing();
    again_and_again();
    lab_fact("accesses", "%u", lab_accesses);
    reading();
}
