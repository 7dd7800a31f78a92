/* SPDX-License-Identifier: MIT */
/*
 * capture: a file that says it is a disk's capture, or an interface's. It is refused with a reason,
 * or what it holds is what a front can be made to ask for: nothing outside its page, no more of it
 * than fits, and a depth that lets each request go.
 *
 * Sabotage, found from the seeds: in capfile.c without the look at s[1] > 7; in netcap.c without
 * the one at CAPTURE_PIECE_PAGE.
 */
#include <stdlib.h>
#include <string.h>

#include "../../../backends/replay/capfile.h"
#include "../../../backends/replay/netcap.h"
#include "guest.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

static void check_request(const void *item)
{
    const struct cap_request *q = item;

    demand(q->r.nr_segments <= CAPTURE_MAX_SEGMENTS && q->r.queue < CAPTURE_MAX_QUEUES,
           "room for it");
    for (unsigned k = 0; k < q->r.nr_segments; k++) {
        demand(q->segments[2 * k] <= q->segments[2 * k + 1] && q->segments[2 * k + 1] <= 7,
               "within its page");
    }
}

static void check_packet(const void *item)
{
    const struct cap_packet *p = item;

    demand(p->r.nr_pieces <= CAPTURE_MAX_PIECES && p->r.queue < CAPTURE_MAX_QUEUES, "room for it");
    for (unsigned k = 0; k < p->r.nr_pieces; k++) {
        demand(p->piece[k].offset + p->piece[k].size <= CAPTURE_PIECE_PAGE, "within its page");
    }
}

static void try(const struct cap_kind *kind, const uint8_t *text, size_t size,
                void (*check)(const void *item))
{
    struct capfile c;
    char err[64] = "";
    uint64_t before = 0;

    if (cap_parse(kind, text, size, &c, err, sizeof(err))) {
        demand(strncmp(err, "byte ", 5) == 0, "a refusal with an offset");
        return;
    }
    for (size_t i = 0; i < c.nr; i++) {
        demand(cap_taken(&c, i) >= before, "in the order they were taken");
        demand(cap_depth(&c, i) >= 1 && cap_depth(&c, i) <= i + 1, "a depth that lets it go");
        check(cap_item(&c, i));
        before = cap_taken(&c, i);
    }
    cap_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *text = malloc(size + 1); /* so that a byte beyond is seen */

    demand(text, "memory");
    memcpy(text, data, size);
    text = realloc(text, size ? size : 1);
    demand(text, "memory");
    try(&cap_block, text, size, check_request);
    try(&cap_net, text, size, check_packet);
    free(text);
    return 0;
}
