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

static void check(const struct capfile *c)
{
    uint64_t before = 0;

    for (size_t i = 0; i < c->nr; i++) {
        const struct cap_request *q = &c->requests[i];

        demand(q->r.taken >= before, "in the order they were taken");
        demand(q->depth >= 1 && q->depth <= i + 1, "a depth that lets it go");
        demand(q->r.nr_segments <= CAPTURE_MAX_SEGMENTS && q->r.queue < CAPTURE_MAX_QUEUES,
               "room for it");
        for (unsigned k = 0; k < q->r.nr_segments; k++) {
            demand(q->segments[2 * k] <= q->segments[2 * k + 1] && q->segments[2 * k + 1] <= 7,
                   "within its page");
        }
        before = q->r.taken;
    }
}

static void check_net(const struct netcap *c)
{
    uint64_t before = 0;

    for (size_t i = 0; i < c->nr; i++) {
        const struct cap_packet *p = &c->packets[i];

        demand(p->r.taken >= before, "in the order they were taken");
        demand(p->depth >= 1 && p->depth <= i + 1, "a depth that lets it go");
        demand(p->r.nr_pieces <= CAPTURE_MAX_PIECES && p->r.queue < CAPTURE_MAX_QUEUES,
               "room for it");
        for (unsigned k = 0; k < p->r.nr_pieces; k++) {
            demand(p->piece[k].offset + p->piece[k].size <= CAPTURE_PIECE_PAGE, "within its page");
        }
        before = p->r.taken;
    }
}

static void try_net(const uint8_t *text, size_t size)
{
    struct netcap c;
    char err[64] = "";

    if (netcap_parse(text, size, &c, err, sizeof(err))) {
        demand(strncmp(err, "byte ", 5) == 0, "a refusal with an offset");
    } else {
        check_net(&c);
        netcap_free(&c);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *text = malloc(size + 1); /* so that a byte beyond is seen */
    struct capfile c;
    char err[64];

    demand(text, "memory");
    memcpy(text, data, size);
    text = realloc(text, size ? size : 1);
    demand(text, "memory");
    err[0] = 0;
    if (capfile_parse(text, size, &c, err, sizeof(err))) {
        demand(strncmp(err, "byte ", 5) == 0, "a refusal with an offset");
    } else {
        check(&c);
        capfile_free(&c);
    }
    try_net(text, size);
    free(text);
    return 0;
}
