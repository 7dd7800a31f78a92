/* SPDX-License-Identifier: MIT */
/*
 * netmain.c - the netreplay program: what an interface's capture holds, and doing it again without
 * the guest. blkreplay hands over to it when a capture is of this kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../net/netback.h"
#include "backend.h"
#include "netreport.h"
#include "netsink.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

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

struct options {
    const char *tap, *save;
    bool fast, json;
    struct channel_msg start;
};

static int complain(const char *file, const char *why)
{
    fprintf(stderr, "netreplay: %s: %s\n", file, why);
    return EXIT_FAILED;
}

static int misused(const char *why)
{
    fprintf(stderr, "netreplay: %s; see netreplay --help\n", why);
    return EXIT_USAGE;
}

static int load(const char *path, struct netcap *c)
{
    char err[200];
    size_t len;
    void *text = capfile_read(path, &len, err, sizeof(err));
    int rc = text ? netcap_parse(text, len, c, err, sizeof(err)) : -1;

    free(text);
    return rc ? complain(path, err) : 0;
}

static int show(const char *path, bool json)
{
    struct netcap c;

    if (load(path, &c)) {
        return EXIT_FAILED;
    }
    netreport_capture(&c, json);
    netcap_free(&c);
    return EXIT_OK;
}

/* One of the words that say how an interface is served. */
static int take_word(char *word, struct channel_msg *start)
{
    static const struct {
        const char *word, *key;
        unsigned max;
    } known[] = {{"coalesce-us", "coalesce", 1000}, {"poll-us", "poll", 10000}};
    char *value = strchr(word, '=');
    uint64_t n;

    if (!value) {
        return -1;
    }
    *value++ = 0;
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!strcmp(word, known[i].word) && channel_parse_u64(value, known[i].max, &n)) {
            return channel_add(start, known[i].key, value);
        }
    }
    return -1;
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"tap", required_argument, NULL, 't'},
        {"save", required_argument, NULL, 's'},
        {"fast", no_argument, NULL, 'f'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    int c;

    channel_init(&o->start, CHANNEL_START);
    while ((c = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
        switch (c) {
        case 't':
            o->tap = optarg;
            break;
        case 's':
            o->save = optarg;
            break;
        case 'f':
            o->fast = true;
            break;
        case 'j':
            o->json = true;
            break;
        case 'o':
            if (take_word(optarg, &o->start)) {
                return misused("-o takes coalesce-us=N or poll-us=N, as a vif of tenue.cfg(5)");
            }
            break;
        default:
            return misused("that is no option");
        }
    }
    return 0;
}

/* Where the backend records this time: after its queues. A descriptor of ours of the same file. */
static int open_capture(const char *path, unsigned queues)
{
    int fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)
                  : memfd_create("capture", MFD_CLOEXEC);
    int rc = fd < 0 ? -errno : capture_prepare(fd, CAPTURE_NET);

    rc = rc ? rc : backend_place(dup(fd), CHANNEL_DEVICE_FD + (int)queues);
    return rc ? rc : fd;
}

/* What got through then and does not now was not answered otherwise, but is lost. */
static void count_lost(struct netfront_result *r)
{
    uint64_t frames, bytes;

    netsink_taken(&frames, &bytes);
    r->differ += r->passed > frames ? r->passed - frames : 0;
}

static int report(const struct netcap *was, int fd, const struct netfront_result *r, bool json)
{
    struct netcap again;
    char path[40];

    capture_finish(fd);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (load(path, &again)) {
        return EXIT_FAILED;
    }
    netreport_replay(was, &again, r, json);
    if (again.head.dropped) {
        fprintf(stderr, "netreplay: %llu packets found no room in the capture of this time\n",
                (unsigned long long)again.head.dropped);
    }
    netcap_free(&again);
    return r->differ ? EXIT_FAILED : EXIT_OK;
}

static int replay(const char *path, struct options *o)
{
    struct netfront_options how = {.fast = o->fast, .sent_only = o->tap};
    struct netfront_result r;
    struct netcap was;
    char err[300];
    unsigned queues;
    int fd, rc;

    if (load(path, &was)) {
        return EXIT_FAILED;
    }
    queues = netfront_queues(&was);
    if (netsink_open(o->tap, queues, err, sizeof(err))) {
        return complain(path, err);
    }
    fd = open_capture(o->save, queues);
    if (fd < 0) {
        return complain(o->save ? o->save : "memory", strerror(-fd));
    }
    channel_addf(&o->start, "queues", "%u", queues);
    channel_add(&o->start, "capture", "1");
    how.host = backend_begin(&netback_ops, netback_fini, &o->start);
    if (how.host < 0) {
        return complain("the backend does not start", strerror(-how.host));
    }
    rc = netfront_replay(&was, &how, &r, err, sizeof(err));
    backend_end(how.host);
    if (rc) {
        return complain(path, err);
    }
    count_lost(&r);
    rc = report(&was, fd, &r, o->json);
    netcap_free(&was);
    return rc;
}

int main(int argc, char **argv)
{
    static struct options o;
    int rc;

    if (argc > 1 && (!strcmp(argv[argc - 1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(usage, stdout);
        return EXIT_OK;
    }
    backend_reserve(LAST_FD);
    rc = parse(argc, argv, &o);
    if (rc) {
        return rc;
    }
    argc -= optind; /* getopt has put what is no option last */
    argv += optind;
    if (argc == 2 && !strcmp(argv[0], "show")) {
        return show(argv[1], o.json);
    }
    if (argc == 2 && !strcmp(argv[0], "replay")) {
        return replay(argv[1], &o);
    }
    return misused("show or replay, and a file");
}
