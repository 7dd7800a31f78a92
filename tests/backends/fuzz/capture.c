/* SPDX-License-Identifier: MIT */
/*
 * capture: a file that says it is a disk's capture. It is refused with a reason, or what it holds
 * is what a front can be made to ask for: no segment outside its page, no more of them than fit,
 * and a depth that lets each request go.
 *
 * Sabotage, found from the seeds: in capfile.c without the look at s[1] > 7.
 */
#include <stdlib.h>
#include <string.h>

#include "../../../backends/replay/capfile.h"
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
    free(text);
    return 0;
}
