/* SPDX-License-Identifier: MIT */
/* command.c - see command.h. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend.h"

int command_complain(const char *file, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", command.name, file, why);
    return EXIT_FAILED;
}

int command_misused(const char *why)
{
    fprintf(stderr, "%s: %s; see %s --help\n", command.name, why, command.name);
    return EXIT_USAGE;
}

static int take_word(char *word, struct channel_msg *start)
{
    char *value = strchr(word, '=');

    if (!value) {
        return -1;
    }
    *value++ = 0;
    return command.take_word(word, value, start);
}

static int take(int letter, struct command_options *o)
{
    switch (letter) {
    case 'i':
        o->behind = optarg;
        return 0;
    case 's':
        o->save = optarg;
        return 0;
    case 'f':
        o->fast = true;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case 'o':
        return take_word(optarg, &o->start) ? command_misused(command.words) : 0;
    case 0: /* a flag, set */
        return 0;
    default:
        return command_misused("that is no option");
    }
}

/* 0, or the exit code. What is no option stays in argv. */
static int parse(int *argc, char ***argv, struct command_options *o)
{
    int c, rc = 0;

    backend_reserve(command.last_fd);
    channel_init(&o->start, CHANNEL_START);
    while (!rc && (c = getopt_long(*argc, *argv, command.letters, command.longs, NULL)) != -1) {
        rc = take(c, o);
    }
    *argc -= optind; /* getopt has put what is no option last */
    *argv += optind;
    return rc;
}

int command_load(const char *path, struct capfile *c)
{
    char err[200];

    return cap_load(command.kind, path, c, err, sizeof(err)) ? command_complain(path, err) : 0;
}

static int show(const char *path, bool json)
{
    struct capfile c;

    if (command_load(path, &c)) {
        return EXIT_FAILED;
    }
    report_capture(command.report, &c, json);
    cap_free(&c);
    return EXIT_OK;
}

int command_open_capture(const char *save, int number)
{
    int fd = save ? open(save, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)
                  : memfd_create("capture", MFD_CLOEXEC);
    int rc = fd < 0 ? -errno : capture_prepare(fd, command.kind->kind);

    rc = rc ? rc : backend_place(dup(fd), number);
    if (rc) {
        command_complain(save ? save : "memory", strerror(-rc));
        return -1;
    }
    return fd;
}

int command_report(const struct capfile *was, int fd, const struct pace_result *r, bool json)
{
    struct capfile again;
    char path[40];

    capture_finish(fd);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (command_load(path, &again)) {
        return EXIT_FAILED;
    }
    report_replay(command.report, was, &again, r, json);
    if (again.head.dropped) {
        fprintf(stderr, "%s: %llu %s found no room in the capture of this time\n", command.name,
                (unsigned long long)again.head.dropped, command.report->what);
    }
    cap_free(&again);
    return r->differ ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv)
{
    static struct command_options o;
    int rc;

    if (argc > 1 && (!strcmp(argv[argc - 1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(command.usage, stdout);
        return EXIT_OK;
    }
    if (command.begin) {
        command.begin(argc, argv);
    }
    rc = parse(&argc, &argv, &o);
    if (rc) {
        return rc;
    }
    if (argc == 2 && !strcmp(argv[0], "show")) {
        return show(argv[1], o.json);
    }
    if (argc == 3 && !strcmp(argv[0], "record") && command.record) {
        return command.record(argv[1], argv[2]);
    }
    if (argc == 2 && !strcmp(argv[0], "replay")) {
        return command.replay(argv[1], &o);
    }
    return command_misused(command.verbs);
}
