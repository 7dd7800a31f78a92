/* SPDX-License-Identifier: MIT */
/*
 * netreplay.c - the netreplay program: what an interface's capture holds, and doing it again
 * without the guest (command.h). blkreplay hands over to it when a capture is of this kind.
 */
#include <string.h>

#include "../net/netback.h"
#include "../net/state.h"
#include "backend.h"
#include "command.h"
#include "netfront.h"
#include "netsink.h"

#define LAST_FD (CHANNEL_DEVICE_FD + (int)NET_QUEUES) /* the queues, the capture */

static const char usage[] =
    "netreplay show FILE [--json]\n"
    "netreplay replay FILE [--tap NAME] [--fast] [-o KEY=VALUE]... [--save FILE] [--json]\n"
    "\n"
    "  show     the packets that an interface's capture=FILE holds, in the order they were taken\n"
    "  replay   send and receive such packets again: at the times of then, or, with --fast, as\n"
    "           many at a time as then; their contents are made up\n"
    "  --tap    send them out of a tap of this name, which is made; what was received is left out\n"
    "           (without: to nobody, and what was received comes from nobody)\n"
    "  -o       how the backend serves, as in tenue.cfg(5): coalesce-us, poll-us\n"
    "  --save   keep what the backend recorded this time\n"
    "\n"
    "Exit codes: 0; 1 something failed, or went otherwise than then; 2 wrong usage.\n";

/* One of the words that say how an interface is served. */
static int take_word(const char *word, const char *value, struct channel_msg *start)
{
    static const struct {
        const char *word, *key;
        unsigned max;
    } known[] = {{"coalesce-us", "coalesce", 1000}, {"poll-us", "poll", 10000}};
    uint64_t n;

    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(word, known[i].word) && channel_parse_u64(value, known[i].max, &n)) {
            return channel_add(start, known[i].key, value);
        }
    }
    return -1;
}

/* What got through then and does not now was not answered otherwise, but is lost. */
static void count_lost(struct pace_result *r)
{
    uint64_t frames, bytes;

    netsink_taken(&frames, &bytes);
    r->differ += r->passed > frames ? r->passed - frames : 0;
}

static int replay(const char *path, struct command_options *o)
{
    struct capfile was;
    struct pace p = {.cap = &was, .fast = o->fast};
    unsigned queues;
    int fd, rc;

    if (command_load(path, &was)) {
        return EXIT_FAILED;
    }
    queues = cap_queues(&was);
    if (netsink_open(o->behind, queues, p.err, sizeof(p.err))) {
        return command_complain(path, p.err);
    }
    fd = command_open_capture(o->save, CHANNEL_DEVICE_FD + (int)queues);
    if (fd < 0) {
        return EXIT_FAILED;
    }
    channel_addf(&o->start, "queues", "%u", queues);
    channel_add(&o->start, "capture", "1");
    p.host = backend_begin(&netback_ops, netback_fini, &o->start);
    if (p.host < 0) {
        return command_complain("the backend does not start", strerror(-p.host));
    }
    rc = netfront_replay(&p, o->behind);
    backend_end(p.host);
    if (rc) {
        return command_complain(path, p.err);
    }
    count_lost(&p.res);
    rc = command_report(&was, fd, &p.res, o->json);
    cap_free(&was);
    return rc;
}

static const struct option longs[] = {
    {"tap", required_argument, NULL, 'i'},
    COMMAND_LONGS,
};

const struct command command = {
    .name = "netreplay",
    .usage = usage,
    .verbs = "show or replay, and a file",
    .kind = &cap_net,
    .report = &report_net,
    .last_fd = LAST_FD,
    .letters = "o:",
    .longs = longs,
    .words = "-o takes coalesce-us=N or poll-us=N, as a vif of tenue.cfg(5)",
    .take_word = take_word,
    .replay = replay,
};
