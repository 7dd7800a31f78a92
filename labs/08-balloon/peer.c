/* SPDX-License-Identifier: MIT */
/*
 * Lab 8, the grader's part. Has pages given and taken, and looks at what the hypervisor counts, at
 * what the page tables hold, and at both tables of frame numbers; in between it takes frames for
 * itself, so that there are not enough for everybody.
 */
#include "task.h"

void *lab_pages[LAB_PAGES];

static void *some[LAB_PAGES + 1];
static unsigned nr_some;

u64 lab_frames(void)
{
    domid_t self = DOMID_SELF;

    return (u64)hc_memory_op(XENMEM_current_reservation, &self);
}

static u64 p2m(const void *page)
{
    return front_p2m[front_va_to_pfn(page)];
}

/* The entry that maps a page, whatever the student's tables of numbers say. */
static u64 pte(const void *page)
{
    return *front_pt_entry(front_root_mfn(), (u64)page, 1);
}

/* Frames for the grader itself: up to `n`, until the domain has as many as it may. */
static xen_pfn_t mine[LAB_PAGES];
static long take_away(unsigned n, unsigned cmd)
{
    struct xen_memory_reservation op = {.nr_extents = n, .domid = DOMID_SELF};

    set_xen_guest_handle(op.extent_start, mine);
    return hc_memory_op(cmd, &op);
}

/* The frame is the domain's, and this page's: then it is mapped, and both tables say so. */
static bool adopt(void *page, u64 mfn)
{
    u64 pfn = front_va_to_pfn(page);

    if (mfn == LAB_NO_FRAME || front_mfn_to_pfn(mfn) != pfn ||
        hc_update_va_mapping(page, front_pte(mfn, PTE_KERN), UVMF_INVLPG))
        return false;
    front_p2m[pfn] = mfn;
    return true;
}

/* Frames that were got for a page and then forgotten go back. */
static void give_lost(void)
{
    u64 end = (u64)hc_memory_op(XENMEM_maximum_ram_page, 0);

    for (u64 mfn = 1; mfn <= end; mfn++) {
        for (unsigned i = 0; i < LAB_PAGES; i++) {
            if (front_mfn_to_pfn(mfn) != front_va_to_pfn(lab_pages[i]) || p2m(lab_pages[i]) == mfn)
                continue;
            mine[0] = mfn;
            take_away(1, XENMEM_decrease_reservation);
        }
    }
}

/* Whatever has been done to the pages, each has a frame again: a mistake is seen where it is made.
 */
static u64 last[LAB_PAGES];
static void restore(void)
{
    for (unsigned i = 0; i < LAB_PAGES; i++) {
        void *page = lab_pages[i];
        u64 mapped = pte(page) & PTE_P ? (pte(page) & PTE_ADDR) >> FRONT_PAGE_SHIFT : LAB_NO_FRAME;
        xen_pfn_t number = front_va_to_pfn(page);
        struct xen_memory_reservation op = {.nr_extents = 1, .domid = DOMID_SELF};

        hc_update_va_mapping(page, 0, UVMF_INVLPG);
        if (!adopt(page, mapped) && !adopt(page, p2m(page)) && !adopt(page, last[i])) {
            set_xen_guest_handle(op.extent_start, &number);
            front_p2m[front_va_to_pfn(page)] = LAB_NO_FRAME;
            if (hc_memory_op(XENMEM_populate_physmap, &op) != 1) {
                give_lost();
                hc_memory_op(XENMEM_populate_physmap, &op);
            }
            if (!adopt(page, number))
                front_panic("no frame for page %u", i);
        }
        last[i] = p2m(page);
    }
}

static void choose(void)
{
    unsigned from = (unsigned)(lab_random() % LAB_PAGES);

    restore();
    nr_some = (unsigned)lab_number("pages");
    for (unsigned i = 0; i < nr_some; i++)
        some[i] = lab_pages[(from + i) % LAB_PAGES];
}

static void giving(void)
{
    unsigned mapped = 0, known = 0, given;
    u64 before;

    choose();
    before = lab_frames();
    lab_trace_begin();
    given = my_give(some, nr_some);
    lab_trace_end();
    for (unsigned i = 0; i < nr_some; i++) {
        mapped += !!(pte(some[i]) & PTE_P);
        known += p2m(some[i]) != LAB_NO_FRAME;
    }
    lab_fact("given", "%u", given);
    lab_fact("fell", "%ld", (long)(before - lab_frames()));
    lab_fact("mapped", "%u", mapped);
    lab_fact("known", "%u", known);
    lab_fact("give_calls", "%u", lab_calls(__HYPERVISOR_memory_op, LAB_ANY));
}

/* Is each page a frame of its own, writable, and known as such to both tables? */
static void look(const char *what, unsigned want)
{
    unsigned good = 0, tables = 0, clean = 0;

    for (unsigned i = 0; i < nr_some; i++) {
        u64 old = 1;

        if (p2m(some[i]) == LAB_NO_FRAME)
            continue;
        clean += !front_try_read(some[i], &old) && !old;
        front_try_write(some[i], i + 1000);
        tables += (pte(some[i]) & PTE_ADDR) >> FRONT_PAGE_SHIFT == p2m(some[i]) &&
                  front_mfn_to_pfn(p2m(some[i])) == front_va_to_pfn(some[i]);
    }
    for (unsigned i = 0; i < nr_some; i++) {
        u64 value = 0;

        good += !front_try_read(some[i], &value) && value == i + 1000;
    }
    lab_fact(what, "%u usable, %u in the tables", good, tables);
    if (want == nr_some)
        lab_fact("clean", "%u", clean);
}

/* The frames of these pages go, properly, without the student. */
static void give_all(void)
{
    choose();
    for (unsigned i = 0; i < nr_some; i++) {
        mine[i] = p2m(some[i]);
        hc_update_va_mapping(some[i], 0, UVMF_INVLPG);
        front_p2m[front_va_to_pfn(some[i])] = LAB_NO_FRAME;
    }
    if (take_away(nr_some, XENMEM_decrease_reservation) != (long)nr_some)
        front_panic("the grader cannot give its frames");
}

static void taking(void)
{
    unsigned kept, taken, again;
    u64 before;

    give_all();
    kept = nr_some / 3;
    lab_fact("scarce", "%u", nr_some - kept);
    if (take_away(kept, XENMEM_increase_reservation) != (long)kept)
        front_panic("the grader has no frames");
    before = lab_frames();
    taken = my_take(some, nr_some);
    lab_fact("taken", "%u", taken);
    lab_fact("rose", "%ld", (long)(lab_frames() - before));
    look("part", 0);
    take_away(kept, XENMEM_decrease_reservation);
    lab_trace_begin();
    again = my_take(some, nr_some);
    lab_trace_end();
    lab_fact("rest", "%u", again);
    lab_fact("kept", "%u", kept);
    lab_fact("take_calls", "%u", lab_calls(__HYPERVISOR_memory_op, LAB_ANY));
    look("whole", nr_some);
}

/* The same page twice in a list, and pages that were given before. */
static void twice(void)
{
    unsigned given;
    u64 before;

    choose();
    before = lab_frames();
    some[nr_some] = some[0];
    given = my_give(some, nr_some + 1);
    given += my_give(some, nr_some);
    lab_fact("twice", "%u told, %ld gone", given, (long)(before - lab_frames()));
}

static void balloon(void)
{
    u64 start, low, down, up;

    restore();
    start = lab_frames();
    low = start - lab_number("less");
    down = my_balloon(low);
    lab_fact("down", "%ld", (long)(lab_frames() - low));
    up = my_balloon(start - 3);
    lab_fact("up", "%ld", (long)(lab_frames() - (start - 3)));
    lab_fact("told", "%s", down == low && up == start - 3 ? "as it is" : "something else");
    restore();
    up = my_balloon(start - 2 * LAB_PAGES);
    lab_fact("too_low", "%ld", (long)(start - up));
    restore();
}

void lab_run(void)
{
    for (unsigned i = 0; i < LAB_PAGES; i++)
        lab_pages[i] = front_page_alloc();
    giving();
    taking();
    twice();
    balloon();
}
