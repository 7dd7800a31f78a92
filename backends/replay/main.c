/* SPDX-License-Identifier: MIT */
/*
 * main.c - the blkreplay program: what a disk's capture holds, and doing it again without the
 * guest. `tenue lab` hands over to it, and it hands an interface's capture on to netreplay.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tenue/devhost.h>
#include <unistd.h>

#include "backend.h"
#include "report.h"
#include "target.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

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

struct options {
    const char *image, *save;
    bool fast, overwrite, reads_only, buffered, json;
    struct target_options target;
};

static int complain(const char *file, const char *why)
{
    fprintf(stderr, "blkreplay: %s: %s\n", file, why);
    return EXIT_FAILED;
}

static int misused(const char *why)
{
    fprintf(stderr, "blkreplay: %s; see blkreplay --help\n", why);
    return EXIT_USAGE;
}

/* ---- show, record ---- */

static int load(const char *path, struct capfile *c)
{
    char err[200];
    size_t len;
    void *text = capfile_read(path, &len, err, sizeof(err)); /* kept: the records refer to it */

    if (!text || capfile_parse(text, len, c, err, sizeof(err))) {
        free(text);
        return complain(path, err);
    }
    return 0;
}

static int show(const char *path, const struct options *o)
{
    struct capfile c;

    if (load(path, &c)) {
        return EXIT_FAILED;
    }
    report_capture(&c, o->json);
    return EXIT_OK;
}

static int record(const char *path, const char *word)
{
    const uint32_t on = !strcmp(word, "on");
    struct capture_head head;
    int fd;

    if (!on && strcmp(word, "off")) {
        return misused("record takes on or off");
    }
    fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
        memcmp(head.magic, CAPTURE_MAGIC, sizeof(head.magic))) {
        return complain(path, fd < 0 ? strerror(errno) : "no capture");
    }
    if (pwrite(fd, &on, sizeof(on), offsetof(struct capture_head, on)) != sizeof(on)) {
        return complain(path, strerror(errno));
    }
    close(fd);
    return EXIT_OK;
}

/* ---- replay ---- */

/* One of the words that say how a disk is served. */
static int take_word(char *word, struct channel_msg *start)
{
    char *value = strchr(word, '=');
    uint64_t n;

    if (!value) {
        return -1;
    }
    *value++ = 0;
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

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"image", required_argument, NULL, 'i'}, {"save", required_argument, NULL, 's'},
        {"fast", no_argument, NULL, 'f'},        {"overwrite", no_argument, NULL, 'w'},
        {"reads-only", no_argument, NULL, 'r'},  {"buffered", no_argument, NULL, 'b'},
        {"json", no_argument, NULL, 'j'},        {NULL, 0, NULL, 0},
    };
    int c;

    channel_init(&o->target.start, CHANNEL_START);
    while ((c = getopt_long(argc, argv, "i:o:", longs, NULL)) != -1) {
        switch (c) {
        case 'i':
            o->image = optarg;
            break;
        case 's':
            o->save = optarg;
            break;
        case 'f':
            o->fast = true;
            break;
        case 'w':
            o->overwrite = true;
            break;
        case 'r':
            o->reads_only = true;
            break;
        case 'b':
            o->buffered = true;
            break;
        case 'j':
            o->json = true;
            break;
        case 'o':
            if (take_word(optarg, &o->target.start)) {
                return misused("-o takes KEY=VALUE as a disk of tenue.cfg(5) does");
            }
            break;
        default:
            return misused("that is no option");
        }
    }
    return 0;
}

static size_t count_writes(const struct capfile *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->nr; i++) {
        n += front_writes(&c->requests[i]) && !front_refused(&c->requests[i]);
    }
    return n;
}

static int open_capture(const char *path)
{
    int fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)
                  : memfd_create("capture", MFD_CLOEXEC);
    int rc = fd < 0 ? -errno : capture_prepare(fd, CAPTURE_BLOCK);

    return rc ? rc : fd;
}

static int report(const struct capfile *was, int fd, const struct front_result *r, bool json)
{
    struct capfile again;
    char path[40];

    capture_finish(fd);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (load(path, &again)) {
        return EXIT_FAILED;
    }
    report_replay(was, &again, r, json);
    if (again.head.dropped) {
        fprintf(stderr, "blkreplay: %llu requests found no room in the capture of this time\n",
                (unsigned long long)again.head.dropped);
    }
    return r->differ ? EXIT_FAILED : EXIT_OK;
}

static int replay(const char *path, struct options *o)
{
    struct front_options how = {.fast = o->fast, .skip_writes = o->reads_only};
    struct front_result r;
    struct capfile was;
    char err[300];
    size_t writes;
    int rc;

    if (!o->image) {
        return misused("replay needs --image");
    }
    if (load(path, &was)) {
        return EXIT_FAILED;
    }
    writes = count_writes(&was);
    if (writes && !o->overwrite && !o->reads_only) {
        fprintf(stderr,
                "blkreplay: %s: %zu of its requests write; --overwrite lets them destroy what is "
                "in %s, --reads-only leaves them out\n",
                path, writes, o->image);
        return EXIT_FAILED;
    }
    o->target.image = o->image;
    o->target.readonly = !writes || o->reads_only;
    o->target.buffered = o->buffered;
    o->target.capture = open_capture(o->save);
    if (o->target.capture < 0) {
        return complain(o->save ? o->save : "memory", strerror(-o->target.capture));
    }
    how.host = target_start(&o->target, err, sizeof(err));
    if (how.host < 0) {
        return complain(path, err);
    }
    rc = front_replay(&was, &how, &r, err, sizeof(err));
    if (rc) {
        return complain(path, err);
    }
    backend_end(how.host);
    return report(&was, o->target.capture, &r, o->json);
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
        complain(path, strerror(errno));
    }
}

int main(int argc, char **argv)
{
    static struct options o;
    int rc;

    if (argc > 1 && (!strcmp(argv[argc - 1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    hand_over(argc, argv);
    backend_reserve(TARGET_LAST_FD);
    rc = parse(argc, argv, &o);
    if (rc) {
        return rc;
    }
    argc -= optind; /* getopt has put what is no option last */
    argv += optind;
    if (argc == 2 && !strcmp(argv[0], "show")) {
        return show(argv[1], &o);
    }
    if (argc == 3 && !strcmp(argv[0], "record")) {
        return record(argv[1], argv[2]);
    }
    if (argc == 2 && !strcmp(argv[0], "replay")) {
        return replay(argv[1], &o);
    }
    return misused("show, record or replay, and a file");
}
