/* SPDX-License-Identifier: MIT */
/* Contract: the operations of mmuext_op, one example each (example.h). Invariants: MM-1, MM-6. */
#include "example.h"

#define EXAMPLE_NUMBER(name) MMUEXT_##name

static u64 *table, *root;
static void *page;
static u64 vcpus = 1; /* a bitmap: vcpu 0 */

/* An empty read-only page, which may become a table of any level. */
static void prepare(void)
{
    table = front_table_alloc();
    page = front_page_alloc();
    root = front_page_alloc();
    memcpy(root, (void *)front_si->pt_base, FRONT_PAGE_SIZE);
    check_eq(front_page_ro(root), 0);
}

static void unpin(void)
{
    check_eq(front_mmuext1(MMUEXT_UNPIN_TABLE, front_va_to_mfn(table)), 0);
}

EXAMPLE(PIN_L1_TABLE)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = front_va_to_mfn(table)};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
    unpin();
}

EXAMPLE(PIN_L2_TABLE)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L2_TABLE, .arg1.mfn = front_va_to_mfn(table)};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
    unpin();
}

EXAMPLE(PIN_L3_TABLE)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L3_TABLE, .arg1.mfn = front_va_to_mfn(table)};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
    unpin();
}

EXAMPLE(PIN_L4_TABLE)
{
    struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE, .arg1.mfn = front_va_to_mfn(table)};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(UNPIN_TABLE)
{
    struct mmuext_op op = {.cmd = MMUEXT_UNPIN_TABLE, .arg1.mfn = front_va_to_mfn(table)};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(NEW_BASEPTR)
{
    struct mmuext_op op = {.cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = front_va_to_mfn(root)};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
    check_eq(front_mmuext1(MMUEXT_NEW_BASEPTR, front_va_to_mfn((void *)front_si->pt_base)), 0);
}

EXAMPLE(NEW_USER_BASEPTR)
{
    struct mmuext_op op = {.cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = front_va_to_mfn(root)};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(TLB_FLUSH_LOCAL)
{
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(INVLPG_LOCAL)
{
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_LOCAL, .arg1.linear_addr = (u64)page};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(TLB_FLUSH_MULTI)
{
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_MULTI};

    set_xen_guest_handle(op.arg2.vcpumask, &vcpus);
    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(INVLPG_MULTI)
{
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_MULTI, .arg1.linear_addr = (u64)page};

    set_xen_guest_handle(op.arg2.vcpumask, &vcpus);
    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(TLB_FLUSH_ALL)
{
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_ALL};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(INVLPG_ALL)
{
    struct mmuext_op op = {.cmd = MMUEXT_INVLPG_ALL, .arg1.linear_addr = (u64)page};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(FLUSH_CACHE)
{
    struct mmuext_op op = {.cmd = MMUEXT_FLUSH_CACHE};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(FLUSH_CACHE_GLOBAL)
{
    struct mmuext_op op = {.cmd = MMUEXT_FLUSH_CACHE_GLOBAL};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(SET_LDT)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT, .arg1.linear_addr = 0, .arg2.nr_ents = 0};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
}

EXAMPLE(CLEAR_PAGE)
{
    struct mmuext_op op = {.cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = front_va_to_mfn(page)};

    *(u64 *)page = 0xbad;
    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
    check_eq(*(u64 *)page, 0);
}

EXAMPLE(COPY_PAGE)
{
    struct mmuext_op op = {.cmd = MMUEXT_COPY_PAGE,
                           .arg1.mfn = front_va_to_mfn(page),
                           .arg2.src_mfn = front_va_to_mfn(root)};

    check_eq(hc_mmuext_op(&op, 1, 0, DOMID_SELF), 0);
    check(!memcmp(page, root, FRONT_PAGE_SIZE));
}

EXAMPLES({"", EXAMPLE_ANY, prepare}, LISTED(PIN_L1_TABLE), LISTED(PIN_L2_TABLE),
         LISTED(PIN_L3_TABLE), LISTED(PIN_L4_TABLE), LISTED(UNPIN_TABLE), LISTED(NEW_BASEPTR),
         LISTED(NEW_USER_BASEPTR), LISTED(TLB_FLUSH_LOCAL), LISTED(INVLPG_LOCAL),
         LISTED(TLB_FLUSH_MULTI), LISTED(INVLPG_MULTI), LISTED(TLB_FLUSH_ALL), LISTED(INVLPG_ALL),
         LISTED(FLUSH_CACHE), LISTED(FLUSH_CACHE_GLOBAL), LISTED(SET_LDT), LISTED(CLEAR_PAGE),
         LISTED(COPY_PAGE));
