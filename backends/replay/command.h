/* SPDX-License-Identifier: MIT */
/*
 * command.h - what blkreplay and netreplay share as programs: main(), options, errors, showing a
 * capture, and the capture that is made of a replay. Each is a `command`.
 */
#ifndef BACKENDS_REPLAY_COMMAND_H
#define BACKENDS_REPLAY_COMMAND_H

#include <getopt.h>

#include "../common/channel.h"
#include "report.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

struct command_options {
    const char *behind; /* the backend: an image, a tap */
    const char *save;
    bool fast, json;
    struct channel_msg start; /* how to serve */
};

struct command {
    const char *name, *usage;
    const char *verbs; /* what is missing, if none of them is there */
    const struct cap_kind *kind;
    const struct report_kind *report;
    int last_fd; /* of the backend's own descriptors */

    const char *letters;
    const struct option *longs; /* its own, what is behind as 'i'; then COMMAND_LONGS */
    const char *words;          /* what -o takes */
    /* 0: such a word may say how the backend serves, and does. */
    int (*take_word)(const char *word, const char *value, struct channel_msg *start);

    void (*begin)(int argc, char **argv);                /* NULL, or before options are looked at */
    int (*record)(const char *path, const char *on_off); /* NULL, or the exit code */
    int (*replay)(const char *path, struct command_options *o); /* the exit code */
};
extern const struct command command; /* each program has its own */

/* clang-format off */
#define COMMAND_LONGS \
    {"save", required_argument, NULL, 's'}, {"fast", no_argument, NULL, 'f'}, \
    {"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}
/* clang-format on */

/* These print; the exit code. */
int command_complain(const char *file, const char *why);
int command_misused(const char *why);

/* 0, or it has complained. */
int command_load(const char *path, struct capfile *c);
/* Where the backend records this time, at this number; a descriptor of ours of the same file. Or
 * -1, and it has complained. */
int command_open_capture(const char *save, int number);
/* What it recorded there, beside what was; the exit code. */
int command_report(const struct capfile *was, int fd, const struct pace_result *r, bool json);

#endif
