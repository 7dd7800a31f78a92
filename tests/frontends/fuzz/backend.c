/* SPDX-License-Identifier: MIT */
/* backend.c - what any backend can do, see backend.h. */
#include "backend.h"

static bool kept[REFS]; /* when its device was closed: for good */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fake_state = backend_sees;
    fake_event = backend_turn;
    fake_sleep = backend_turn;
    return 0;
}

void backend_begin(void)
{
    memset(kept, 0, sizeof(kept));
}

bool backend_writes(const u8 *at)
{
    size_t i = (size_t)(at - pages[0]);

    return at >= pages[0] && i < sizeof(pages) && fake_writable[i / FRONT_PAGE_SIZE];
}

static int some_active_grant(void)
{
    int from = take8();

    for (int i = 0; i < REFS; i++) {
        int r = (from + i) % REFS;

        if (grants[r].active && !kept[r])
            return r;
    }
    return -1;
}

bool backend_mischief(const char *const *nodes, unsigned nr_nodes)
{
    u8 what = take8();
    int r = some_active_grant();

    if (what % 3 == 0) {
        strcpy(fake_node(nodes[what / 3 % nr_nodes], true), odd_text());
    } else if (r >= 0 && what % 3 == 1 && !grants[r].readonly) {
        poke(pages[grants[r].mfn], FRONT_PAGE_SIZE);
        return true;
    } else if (r >= 0) {
        grants[r].mapped = !grants[r].mapped;
    }
    return false;
}

void backend_looks(void)
{
    static const u8 secret[4] = {SECRET, SECRET, SECRET, SECRET};

    for (int r = 0; r < REFS; r++) {
        if (grants[r].active && grants[r].readonly)
            demand(!memmem(pages[grants[r].mfn], FRONT_PAGE_SIZE, secret, sizeof(secret)),
                   "nothing but payload");
    }
}

void nothing_left_but_kept(void)
{
    unsigned n = 0;

    for (int r = 0; r < REFS; r++) {
        demand(!grants[r].active || grants[r].mapped, "a grant that nobody keeps has ended");
        kept[r] = grants[r].active;
        n += kept[r];
    }
    demand(fake_pages_used() == n, "pages that nobody keeps are given back");
    demand(!ports_open, "ports are closed");
    demand_checks();
}

void demand_checks(void)
{
    demand(!failed, "the machine's checks");
}
