/* SPDX-License-Identifier: MIT */
/*
 * main.c - tenue-device: serve one device of one guest in the foreground.
 *
 * A thin command over <tenue/devhost.h>, without a supervisor: to serve guests that another
 * toolstack created (xl on Xen), and to try a backend by hand. Prints one line for each event; ends
 * when the device was closed, or in order on SIGINT and SIGTERM.
 */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenue/devhost.h>
#include <tenue/xsclient.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

struct run {
    struct event_base *base;
    struct devhost *host;
    struct devhost_device *dev;
    struct devhost_spec spec;
    const char *backend_dir;
    bool write_nodes, nodes_written, keep;
    bool leaving;
    int status;
};

static const char usage[] =
    "usage: tenue-device block --domid N --vdev xvda|NUMBER --image PATH [--readonly] "
    "[--no-discard]\n"
    "                          [--buffered] [--capture FILE] [common options]\n"
    "       tenue-device net --domid N --mac AA:BB:CC:DD:EE:FF [--bridge NAME] [--devid N] "
    "[--ifname NAME]\n"
    "                        [--mtu N] [common options]\n"
    "       tenue-device console --domid N [--port N] [--log PATH] [--log-max BYTES] [common "
    "options]\n"
    "\n"
    "Serve one device of guest N from this process until it is closed.\n"
    "  --write-nodes      write the device's xenstore nodes first, remove them at the end\n"
    "                     (block, net; a console's nodes are always the toolstack's)\n"
    "  --keep             go on when the guest has closed the device; it may connect again\n"
    "  --restarts N       start a backend that died again, up to N times (0)\n"
    "  --backend-dir DIR  where blkback, netback and conback are ($TENUE_BACKEND_DIR, "
    "/usr/lib/tenue)\n"
    "  --help\n"
    "Exit status: 0 closed in order, 1 failed, 2 wrong usage.\n";

static int __attribute__((format(printf, 1, 2))) complain(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fprintf(stderr, "tenue-device: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    return EXIT_USAGE;
}

static bool parse_u64(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    *out = strtoull(text, &end, 10);
    return !errno && !*end && *out <= max;
}

/* "xvdb3" or a number: the virtual device number of the block protocol. */
static bool parse_vdev(const char *text, unsigned *out)
{
    uint64_t number, part = 0;
    unsigned disk;

    if (parse_u64(text, UINT32_MAX, &number)) {
        *out = (unsigned)number;
        return true;
    }
    if (strncmp(text, "xvd", 3) || text[3] < 'a' || text[3] > 'z' ||
        (text[4] && !parse_u64(text + 4, 15, &part))) {
        return false;
    }
    disk = (unsigned)(text[3] - 'a');
    *out = disk < 16 ? (202u << 8) | (disk << 4) | (unsigned)part
                     : (1u << 28) | (disk << 8) | (unsigned)part;
    return true;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    int end = 0;

    return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3],
                  &mac[4], &mac[5], &end) == 6 &&
           !text[end] && end == 17;
}

static const struct option options[] = {
    {"domid", required_argument, NULL, 'd'},
    {"devid", required_argument, NULL, 'i'},
    {"vdev", required_argument, NULL, 'v'},
    {"image", required_argument, NULL, 'f'},
    {"readonly", no_argument, NULL, 'r'},
    {"no-discard", no_argument, NULL, 'D'},
    {"buffered", no_argument, NULL, 'B'},
    {"mac", required_argument, NULL, 'm'},
    {"bridge", required_argument, NULL, 'b'},
    {"ifname", required_argument, NULL, 'n'},
    {"mtu", required_argument, NULL, 'u'},
    {"port", required_argument, NULL, 'p'},
    {"log", required_argument, NULL, 'l'},
    {"log-max", required_argument, NULL, 'L'},
    {"write-nodes", no_argument, NULL, 'w'},
    {"keep", no_argument, NULL, 'k'},
    {"restarts", required_argument, NULL, 'R'},
    {"backend-dir", required_argument, NULL, 'P'},
    {"capture", required_argument, NULL, 'C'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int set_number(const char *text, uint64_t max, unsigned *out, const char *name)
{
    uint64_t v;

    if (!parse_u64(text, max, &v)) {
        return complain("--%s: \"%s\" is not a number up to %llu", name, text,
                        (unsigned long long)max);
    }
    *out = (unsigned)v;
    return 0;
}

static int parse_option(struct run *r, int opt, const char *arg)
{
    struct devhost_spec *s = &r->spec;

    switch (opt) {
    case 'd':
        return set_number(arg, 0x7fef, &s->domid, "domid");
    case 'i':
        return set_number(arg, UINT32_MAX, &s->devid, "devid");
    case 'v':
        s->block.vdev = arg;
        return parse_vdev(arg, &s->devid)
                   ? 0
                   : complain("--vdev: \"%s\" is neither xvdX[N] nor a number", arg);
    case 'f':
        s->block.path = arg;
        return 0;
    case 'r':
        s->block.readonly = true;
        return 0;
    case 'D':
        s->block.no_discard = true;
        return 0;
    case 'B':
        s->block.force_buffered = true;
        return 0;
    case 'C':
        s->capture = arg;
        return 0;
    case 'm':
        return parse_mac(arg, s->net.mac) ? 0
                                          : complain("--mac: \"%s\" is not AA:BB:CC:DD:EE:FF", arg);
    case 'b':
        s->net.bridge = arg;
        return 0;
    case 'n':
        s->net.ifname = arg;
        return 0;
    case 'u':
        return set_number(arg, 65535, &s->net.mtu, "mtu");
    case 'p':
        return set_number(arg, UINT32_MAX, &s->console.evtchn, "port");
    case 'l':
        s->console.log_path = arg;
        return 0;
    case 'L':
        return parse_u64(arg, UINT64_MAX, &s->console.log_max_bytes)
                   ? 0
                   : complain("--log-max: \"%s\"", arg);
    case 'w':
        r->write_nodes = true;
        return 0;
    case 'k':
        r->keep = true;
        return 0;
    case 'R':
        return set_number(arg, 1000, &s->max_restarts, "restarts");
    case 'P':
        r->backend_dir = arg;
        return 0;
    case 'h':
        fputs(usage, stdout);
        exit(0);
    default:
        return complain("see --help");
    }
}

static int parse_class(struct run *r, const char *name)
{
    if (!strcmp(name, "block")) {
        r->spec.cls = DEVHOST_BLOCK;
    } else if (!strcmp(name, "net")) {
        r->spec.cls = DEVHOST_NET;
    } else if (!strcmp(name, "console")) {
        r->spec.cls = DEVHOST_CONSOLE;
    } else {
        return complain("\"%s\" is not block, net or console", name);
    }
    return 0;
}

static int parse(struct run *r, int argc, char **argv)
{
    int opt, rc = 0;

    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        fputs(usage, argc < 2 ? stderr : stdout);
        exit(argc < 2 ? EXIT_USAGE : 0);
    }
    rc = parse_class(r, argv[1]);
    optind = 2;
    while (!rc && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
        rc = parse_option(r, opt, optarg);
    }
    if (!rc && optind < argc) {
        rc = complain("unexpected \"%s\"", argv[optind]);
    }
    if (!rc && !r->spec.domid) {
        rc = complain("--domid is required");
    }
    if (!rc && r->spec.cls == DEVHOST_BLOCK && (!r->spec.block.path || !r->spec.devid)) {
        rc = complain("block needs --vdev and --image");
    }
    return rc;
}

static void on_log(const char *line, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s\n", line);
}

static void on_event(struct devhost_device *dev, enum devhost_event ev, const char *detail,
                     void *arg)
{
    struct run *r = arg;
    struct devhost_info info;

    devhost_device_info(dev, &info);
    printf("%s pid=%d%s%s%s%s\n", devhost_event_name(ev), info.pid, *info.tty ? " tty=" : "",
           info.tty, *detail ? " " : "", detail);
    fflush(stdout);
    if (ev == DEVHOST_EV_DIED) {
        r->status = 1;
    }
    if (ev == DEVHOST_EV_DIED || (ev == DEVHOST_EV_CLOSED && (r->leaving || !r->keep))) {
        event_base_loopbreak(r->base);
    }
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
    struct run *r = arg;

    (void)fd;
    (void)what;
    if (r->leaving || devhost_device_close(r->dev, 0)) {
        event_base_loopbreak(r->base); /* asked twice */
    }
    r->leaving = true;
}

/* Of a console that a toolstack made: the port is in the guest's store directory. */
static int find_console_port(struct run *r)
{
    char path[64];
    unsigned len;
    uint64_t port = 0;
    struct xsc *xs;
    char *text;

    if (r->spec.cls != DEVHOST_CONSOLE || r->spec.console.evtchn) {
        return 0;
    }
    xs = xsc_open();
    snprintf(path, sizeof(path), "/local/domain/%u/console/port", r->spec.domid);
    text = xs ? xsc_read(xs, XSC_NO_TRANSACTION, path, &len) : NULL;
    if (!text || !parse_u64(text, UINT32_MAX, &port) || !port) {
        fprintf(stderr,
                "tenue-device: %s holds no port (is there such a guest? else give --port)\n", path);
    }
    r->spec.console.evtchn = (unsigned)port;
    free(text);
    xsc_close(xs);
    return port ? 0 : 1;
}

static int write_nodes(struct run *r, char *err, size_t err_len)
{
    int rc = r->write_nodes ? devhost_write_nodes(r->host, &r->spec, err, err_len) : 0;

    r->nodes_written = r->write_nodes && !rc;
    return rc;
}

static int start(struct run *r)
{
    struct devhost_config cfg = {
        .base = r->base,
        .on_event = on_event,
        .on_log = on_log,
        .arg = r,
        .backend_dir = r->backend_dir,
    };
    char err[DEVHOST_ERR_MAX];

    r->host = devhost_open(&cfg, err, sizeof(err));
    if (!r->host || find_console_port(r) || devhost_check(&r->spec, err, sizeof(err)) ||
        write_nodes(r, err, sizeof(err)) ||
        devhost_device_start(r->host, &r->spec, &r->dev, err, sizeof(err))) {
        if (*err) {
            fprintf(stderr, "tenue-device: %s\n", err);
        }
        if (r->host && r->nodes_written) {
            devhost_remove_nodes(r->host, &r->spec);
        }
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct run r = {0};
    struct event *sigint, *sigterm;

    if (parse(&r, argc, argv)) {
        return EXIT_USAGE;
    }
    if (r.spec.cls == DEVHOST_CONSOLE) {
        r.write_nodes = false;
    }
    r.base = event_base_new();
    if (!r.base || start(&r)) {
        return 1;
    }
    sigint = evsignal_new(r.base, SIGINT, on_signal, &r);
    sigterm = evsignal_new(r.base, SIGTERM, on_signal, &r);
    evsignal_add(sigint, NULL);
    evsignal_add(sigterm, NULL);
    event_base_dispatch(r.base);
    devhost_device_free(r.dev);
    if (r.nodes_written) {
        devhost_remove_nodes(r.host, &r.spec);
    }
    devhost_close(r.host);
    event_free(sigint);
    event_free(sigterm);
    event_base_free(r.base);
    return r.status;
}
