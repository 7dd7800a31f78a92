/* SPDX-License-Identifier: MIT */
/*
 * pace.h - a front's way through a capture: it connects to the backend of backend.h, asks for the
 * items in their order, at the times of then or as many at a time as then, sees to it that each is
 * answered, and disconnects. What asking and answers are, the fronts know (front.c, netfront.c).
 *
 * A queue's event channel is memory.h's port of the queue's number and one.
 */
#ifndef BACKENDS_REPLAY_PACE_H
#define BACKENDS_REPLAY_PACE_H

#include "../common/channel.h"
#include "capcheck.h"

struct front; /* each program has its own */

struct pace_ops {
    const char *what; /* items are, in errors */
    unsigned lost_s;  /* so long without an answer is an error */

    /* Of what the backend can, the front's choice, and its keys. 0, or pace_fail(). */
    int (*connect)(struct front *f, const struct channel_msg *back, struct channel_msg *m);
    /* Those of one of the pace's nr_queues; its keys begin with `prefix`. */
    void (*add_rings)(struct front *f, unsigned queue, const char *prefix, struct channel_msg *m);

    bool (*left_out)(const struct front *f, size_t i);
    /* False: no room for it now. True: it is under way. */
    bool (*send)(struct front *f, size_t i);
    /* What was sent becomes visible to the backend. */
    void (*push)(struct front *f);
    /* The number of answers, or pace_fail(). */
    int (*take_answers)(struct front *f, unsigned queue);
};

/* What became of it. */
struct pace_result {
    size_t done, skipped;
    size_t differ;   /* answered, or delivered, otherwise than was recorded */
    uint64_t passed; /* packets: of those sent again, that got through then */
    uint64_t ns;     /* it took */
};

struct pace {
    const struct capfile *cap;
    bool fast; /* as many under way as were then, not when they were */
    int host;  /* the host's end of the backend's channel */
    struct pace_result res;
    char err[300]; /* why it ended early */

    const struct pace_ops *ops;
    unsigned nr_queues;
    size_t next; /* item to go out */
    unsigned under_way;
    uint64_t begun, heard; /* ns */
};

/* Returns `rc`, its reason in err. */
int pace_fail(struct pace *p, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* An answer is there: was it the one of then? */
void pace_answered(struct pace *p, bool differs);
/* Connect, ask for it all, disconnect. 0, or -errno with the reason in err. */
int pace_run(struct pace *p, struct front *f);

#endif
