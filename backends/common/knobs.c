/* SPDX-License-Identifier: MIT */
/*
 * knobs.c - the words for how a disk is served: guest files have them, the host sends them, the
 * backend takes them (block/blkback.c, read_knobs()). Pure; part of the host's library.
 */
#include <tenue/devhost.h>

#include "channel.h"

const struct devhost_knob_range devhost_knobs[DEVHOST_NR_KNOBS] = {
    [DEVHOST_QUEUES] = {"queues", 1, CHANNEL_MAX_QUEUES},
    [DEVHOST_RING_ORDER] = {"ring-order", 0, 4},
    [DEVHOST_INDIRECT] = {"indirect", 0, 256},
    [DEVHOST_BATCH] = {"batch", 1, 512},
    [DEVHOST_BATCH_US] = {"batch-us", 0, 1000000},
    [DEVHOST_GATHER_US] = {"gather-us", 0, 100000},
    [DEVHOST_POLL_US] = {"poll-us", 0, 1000000},
    [DEVHOST_SECTOR_SIZE] = {"sector-size", 512, 4096},
};

const char *const devhost_grants_names[3] = {
    [DEVHOST_GRANTS_PERSISTENT] = "persistent",
    [DEVHOST_GRANTS_MAP] = "map",
    [DEVHOST_GRANTS_COPY] = "copy",
};
