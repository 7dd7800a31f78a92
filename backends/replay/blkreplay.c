/* SPDX-License-Identifier: MIT */
/*
 * blkreplay.c - the blkreplay program: what a disk's capture holds, and doing it again without the
 * guest (command.h). `tenue lab` hands over to it, and it hands an interface's capture on to
 * netreplay.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <tenue/devhost.h>
#include <unistd.h>

#include "backend.h"
#include "command.h"
#include "front.h"
#include "target.h"

static const char usage[] =
    "blkreplay show FILE [--json]\n"
    "blkreplay record FILE on|off\n"
    "blkreplay replay FILE --image IMAGE|nbd://HOST/EXPORT [--fast] [--overwrite|--reads-only]\n"
    "          [-o KEY=VALUE]... [--save FILE] [--buffered] [--json]\n"
    "\n"
    "  show     the requests that a disk's capture=FILE holds, in the order they were taken\n"
    "  record   go on recording, or stop, while the guest runs\n"
    "  replay   do them again: at the times of then, or, with --fast, as many at a time as then\n"
    "  -o       how the backend serves, as in tenue.cfg(5): queues, grants, indirect, batch ...\n"
    "  --save   keep what the backend recorded this time\n"
    "\n"
    "Of an interface's capture=FILE, show and record are the same, and\n"
    "blkreplay replay FILE [--tap NAME] [--fast] [-o coalesce-us=N|poll-us=N]... [--save FILE]\n"
    "          [--json]\n"
    "\n"
    "  replay   send and receive packets like those again; their contents are made up\n"
    "  --tap    send them out of a tap of this name, which is made; what was received is left out\n"
    "\n"
    "Exit codes: 0; 1 something failed, or was answered otherwise than then; 2 wrong usage.\n";

static int overwrite, reads_only, buffered; /* options */

static int record(const char *path, const char *word)
{
    const uint32_t on = !strcmp(word, "on");
    struct capture_head head;
    int fd;

    if (!on && strcmp(word, "off")) {
        return command_misused("record takes on or off");
    }
    fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
        memcmp(head.magic, CAPTURE_MAGIC, sizeof(head.magic))) {
        return command_complain(path, fd < 0 ? strerror(errno) : "no capture");
    }
    if (pwrite(fd, &on, sizeof(on), offsetof(struct capture_head, on)) != sizeof(on)) {
        return command_complain(path, strerror(errno));
    }
    close(fd);
    return EXIT_OK;
}

/* ---- replay ---- */

/* One of the words that say how a disk is served. */
static int take_word(const char *word, const char *value, struct channel_msg *start)
{
    uint64_t n;

    for (unsigned i = 0; i < 3 && !strcmp(word, "grants"); i++) {
        if (!strcmp(value, devhost_grants_names[i])) {
            return channel_add(start, word, value);
        }
    }
    for (unsigned i = 0; i < DEVHOST_NR_KNOBS; i++) {
        const struct devhost_knob_range *k = &devhost_knobs[i];

        if (!strcmp(word, k->key)) {
            return channel_parse_u64(value, k->max, &n) && n >= k->min
                       ? channel_add(start, word, value)
                       : -1;
        }
    }
    return -1;
}

static size_t count_writes(const struct capfile *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->nr; i++) {
        n += front_writes(&c->requests[i]) && !front_refused(&c->requests[i]);
    }
    return n;
}

static int replay(const char *path, struct command_options *o)
{
    struct target_options target = {.image = o->behind, .buffered = buffered, .start = &o->start};
    struct capfile was;
    struct pace p = {.cap = &was, .fast = o->fast};
    size_t writes;
    int fd;

    if (!o->behind) {
        return command_misused("replay needs --image");
    }
    if (command_load(path, &was)) {
        return EXIT_FAILED;
    }
    writes = count_writes(&was);
    if (writes && !overwrite && !reads_only) {
        fprintf(stderr,
                "blkreplay: %s: %zu of its requests write; --overwrite lets them destroy what is "
                "in %s, --reads-only leaves them out\n",
                path, writes, o->behind);
        return EXIT_FAILED;
    }
    target.readonly = !writes || reads_only;
    fd = command_open_capture(o->save, TARGET_LAST_FD);
    if (fd < 0) {
        return EXIT_FAILED;
    }
    p.host = target_start(&target, p.err, sizeof(p.err));
    if (p.host < 0 || front_replay(&p, reads_only)) {
        return command_complain(path, p.err);
    }
    backend_end(p.host);
    return command_report(&was, fd, &p.res, o->json);
}

/* ---- an interface's ---- */

static bool is_net(const char *path)
{
    struct capture_head head = {0};
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    bool is = fd >= 0 && read(fd, &head, sizeof(head)) == sizeof(head) &&
              !memcmp(head.magic, CAPTURE_MAGIC, sizeof(head.magic)) && head.kind == CAPTURE_NET;

    if (fd >= 0) {
        close(fd);
    }
    return is;
}

/* Returns if it is about no interface, or cannot. */
static void hand_over(int argc, char **argv)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("/netreplay"));
    bool net = false;

    for (int i = 2; i < argc; i++) {
        net |= is_net(argv[i]) && strcmp(argv[i - 1], "--save");
    }
    if (net && n > 0 && strcmp(argv[1], "record")) {
        path[n] = 0;
        strcpy(strrchr(path, '/'), "/netreplay");
        execv(path, argv);
        command_complain(path, strerror(errno));
    }
}

static const struct option longs[] = {
    {"image", required_argument, NULL, 'i'},
    {"overwrite", no_argument, &overwrite, 1},
    {"reads-only", no_argument, &reads_only, 1},
    {"buffered", no_argument, &buffered, 1},
    COMMAND_LONGS,
};

const struct command command = {
    .name = "blkreplay",
    .usage = usage,
    .verbs = "show, record or replay, and a file",
    .kind = &cap_block,
    .report = &report_block,
    .last_fd = TARGET_LAST_FD,
    .letters = "i:o:",
    .longs = longs,
    .words = "-o takes KEY=VALUE as a disk of tenue.cfg(5) does",
    .take_word = take_word,
    .begin = hand_over,
    .record = record,
    .replay = replay,
};
