/* SPDX-License-Identifier: MIT */
/* The end of a block backend's process, where it and its successor are in one program. */
#ifndef TESTS_BACKENDS_PROCESS_H
#define TESTS_BACKENDS_PROCESS_H

#include "../../backends/block/blkback.h"
#include "../../backends/block/state.h"

#include <stdlib.h>
#include <unistd.h>

/* What the kernel does when a process is gone: its mappings, its ports and its ring go with it. */
static inline void process_ends(struct device *d, int host)
{
    struct blkback *b = d->priv;

    for (unsigned i = 0; i < b->nr_queues; i++) {
        queue_unbind(&b->queues[i], d);
        queue_unmap(&b->queues[i], d);
        free(b->queues[i].ios);
        free(b->queues[i].replay);
    }
    pgrants_free(b->pgrants);
    blkback_fini(d);
    gntdev_close(d->gnt);
    evtchn_close(d->evt);
    close(d->channel);
    close(host);
}

#endif
