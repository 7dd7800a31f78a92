/* SPDX-License-Identifier: MIT */
/*
 * Lab 9, the grader's part. Has frames mapped all over an empty part of the address space, alone
 * and in groups that share tables, and looks with the processor's own eyes: reads, writes, and the
 * faults they make. Pages for tables are dirty and counted.
 */
#include "task.h"

#define BASE 0x0000100000000000UL
#define SPAN (1UL << 41)
#define PAGES 24
#define SPARES 80

static u64 *data[PAGES], vas[PAGES], flags[PAGES];
static u64 *spares[SPARES];
static unsigned nr_spares, out, not_writable;
static unsigned pages;

u64 *lab_page_take(void)
{
    u64 *page;

    if (!nr_spares)
        front_panic("no page left for a table");
    page = spares[--nr_spares];
    for (unsigned i = 0; i < ENTRIES; i++)
        page[i] = lab_random() << 20 | PTE_P;
    out++;
    return page;
}

/* A page that is a table still, or not writable, is of no use to anybody. */
void lab_page_give(u64 *page)
{
    out--;
    if (front_try_write(page, 0)) {
        not_writable++;
        return;
    }
    spares[nr_spares++] = page;
}

/* ---- what there should be ---- */

static void choose(void)
{
    pages = (unsigned)lab_number("pages");
    for (unsigned i = 0; i < pages; i++) {
        bool again = i % 3 && vas[i - 1] % (2UL << 20) < (1UL << 20);

        vas[i] = again ? vas[i - 1] + FRONT_PAGE_SIZE * (1 + lab_random() % 5)
                       : BASE + (lab_random() << 12 | lab_random() << 30) % SPAN / 4096 * 4096;
        flags[i] = i % 2 ? PTE_KERN : PTE_KERN & ~(PTE_RW | PTE_D);
        data[i][0] = lab_random();
    }
}

/* How many tables these addresses need: what differs above each level. */
static unsigned tables_needed(void)
{
    unsigned n = 0;

    for (unsigned shift = 21; shift <= 39; shift += 9) {
        for (unsigned i = 0; i < pages; i++) {
            unsigned j;

            for (j = 0; j < i && vas[j] >> shift != vas[i] >> shift; j++)
                ;
            n += j == i;
        }
    }
    return n;
}

static bool reads(unsigned i)
{
    u64 value = 0;

    return !front_try_read((void *)vas[i], &value) && value == data[i][0];
}

/* ---- the tests ---- */

static void mapping(void)
{
    unsigned done = 0, readable = 0, right = 0, walked = 0;

    for (unsigned i = 0; i < pages; i++)
        done += my_map(vas[i], front_va_to_mfn(data[i]), flags[i]) == 0;
    for (unsigned i = 0; i < pages; i++) {
        volatile u64 *entry = front_pt_entry(front_root_mfn(), vas[i], 1);

        readable += reads(i);
        right += !front_try_write((u64 *)vas[i] + 1, i) == !!(flags[i] & PTE_RW);
        walked += entry && my_walk(front_root_mfn(), vas[i]) == *entry && *entry;
    }
    lab_fact("mapped", "%u, %u of them read", done, readable);
    lab_fact("rights", "%u", right);
    lab_fact("walked", "%u", walked);
    lab_fact("nowhere", "%lx", my_walk(front_root_mfn(), BASE + 2 * SPAN));
    lab_fact("tables", "%d more than needed", (int)(out - tables_needed()));
}

/* What the hypervisor does not allow: a table that could be written. */
static void refusals(void)
{
    u64 value, where = BASE + SPAN + (lab_random() << 21) % SPAN;
    unsigned before = out;
    int rc = my_map(where, front_root_mfn(), PTE_KERN);

    lab_fact("refused", "%d, %s, %u pages kept", rc,
             front_try_read((void *)where, &value) ? "nothing mapped" : "mapped", out - before);
    lab_fact("none", "%d", my_unmap(where));
}

static void unmapping(void)
{
    unsigned done = 0, stale = 0, others = 0;

    for (unsigned i = 0; i < pages; i++) {
        u64 value;

        reads(i); /* the processor remembers it */
        done += my_unmap(vas[i]) == 0;
        stale += !front_try_read((void *)vas[i], &value);
        if (i + 1 < pages)
            others += !reads(i + 1);
    }
    lab_fact("unmapped", "%u", done);
    lab_fact("stale", "%u", stale);
    lab_fact("others", "%u", others);
    lab_fact("left", "%u", out);
    lab_fact("not_writable", "%u", not_writable);
}

static bool known(unsigned i)
{
    for (unsigned j = 0; j < i; j++) {
        if (vas[j] == vas[i])
            return true;
    }
    return false;
}

void lab_run(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        data[i] = front_page_alloc();
    for (nr_spares = 0; nr_spares < SPARES; nr_spares++)
        spares[nr_spares] = front_page_alloc();
    choose();
    for (unsigned i = 1; i < pages; i++)
        vas[i] += known(i) ? 1UL << 30 : 0;
    mapping();
    refusals();
    unmapping();
}
