/* SPDX-License-Identifier: MIT */
/*
 * The per-guest supervisor: see supervise.h.
 *
 * Single-threaded around libevent. Callbacks only note what happened (struct supervisor's `asked`,
 * `look`, `term`); all work is done between turns of the event loop, in plain sequence, so that a
 * life of the guest reads from top to bottom in live().
 *
 * Order of an end (never otherwise): pause the domain, stop the backends and wait for their
 * processes (their mappings go with them), destroy it, wait until its last page is back (the
 * store daemon lets go of its ring by itself), remove its nodes.
 */
#include "supervise.h"

#include "build.h"
#include "check.h"
#include "device.h"
#include "domain.h"
#include "handover.h"
#include "hv.h"
#include "network.h"
#include "store.h"
#include "vifserve.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <xen/sched.h>

enum {
    READY_SECONDS = 30, /* a backend that is not up by then has failed */
    TICK_SECONDS = 10,  /* how often to look whether the store, and with it our watch, lives */
    SHORT_LIFE_SECONDS = 10,
    SHORT_LIVES_MAX = 5, /* restarts in a row after lives this short, then no more */
    LOG_MAX = 1 << 20,
};

enum end_kind { END_SHUTDOWN, END_VANISHED, END_ASKED };

struct end {
    enum end_kind kind;
    unsigned reason; /* SHUTDOWN_*, for END_SHUTDOWN */
};

struct supervisor {
    struct guest_config *cfg; /* the command's, whose memory this is */
    uint8_t uuid[16];
    struct hv *hv;
    struct store st; /* the device host's, who also hears its events, until that is lost */
    struct devices *devs;
    struct net_port ports[CONFIG_MAX_VIFS]; /* its networks, from the first life to the last */
    struct built built;
    struct event_base *base;
    struct event *store_ev; /* of a connection of our own, else NULL */
    struct event *tick_ev, *listen_ev, *client_ev, *term_ev;
    int listen_fd, client_fd; /* client_fd: one request at a time, -1 when none */
    int parent_fd;            /* the command that made us, -1 once it has let go */
    int log_fd, lock_fd;
    bool look;  /* the domain may have changed */
    bool asked; /* destroy was asked for */
    bool term;
    bool suspended; /* when it was last looked at */
    unsigned short_lives;
};

/* A log that has grown too long becomes NAME.log.1, of which there is one. */
static int open_log(const char *name, struct diag *d)
{
    char path[160], old[168];
    struct stat st;

    snprintf(path, sizeof(path), SUPERVISE_LOG_DIR "/%s.log", name);
    snprintf(old, sizeof(old), "%s.1", path);
    if (stat(path, &st) == 0 && st.st_size > LOG_MAX)
        rename(path, old);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return diag_errno(d, "cannot write %s", path);
    return fd;
}

/* A guest can make its backends complain for as long as it lives: what is kept has a limit. */
static void limit_log(struct supervisor *s)
{
    struct diag ignored = {0};
    struct stat st;
    int fd;

    if (fstat(s->log_fd, &st) != 0 || st.st_size <= LOG_MAX)
        return;
    fd = open_log(s->cfg->name, &ignored);
    if (fd < 0)
        return; /* the old one goes on */
    dup3(fd, s->log_fd, O_CLOEXEC);
    if (s->parent_fd < 0)
        dup2(fd, STDERR_FILENO);
    close(fd);
}

static void log_line(struct supervisor *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void log_line(struct supervisor *s, const char *fmt, ...)
{
    char line[1400];
    time_t now = time(NULL);
    struct tm tm;
    va_list ap;

    gmtime_r(&now, &tm);
    size_t n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%SZ ", &tm);
    va_start(ap, fmt);
    int m = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
    va_end(ap);
    n += m > 0 ? (size_t)m : 0;
    if (n > sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    limit_log(s);
    if (write(s->log_fd, line, n) < 0)
        return; /* a full disk must not end the guest */
}

static void on_device_line(const char *line, void *arg)
{
    log_line(arg, "%s", line);
}

/* No secret, so it need not wait for the kernel to have gathered entropy, a second after boot. */
static bool random_uuid(uint8_t uuid[16])
{
    if (getrandom(uuid, 16, GRND_INSECURE) != 16)
        return false;
    uuid[6] = (uuid[6] & 0x0f) | 0x40; /* version 4 ... */
    uuid[8] = (uuid[8] & 0x3f) | 0x80; /* ... of RFC 4122 */
    return true;
}

/* ---- what happens to us: callbacks only take notes ---- */

static void on_released(void *arg)
{
    struct supervisor *s = arg;

    s->look = true;
}

static void on_store(evutil_socket_t fd, short what, void *arg)
{
    struct supervisor *s = arg;
    char **event;

    (void)fd;
    (void)what;
    while ((event = xsc_event(s->st.xs)) != NULL) {
        free(event);
        s->look = true;
    }
    if (errno != EAGAIN)
        event_del(s->store_ev); /* the next tick opens another */
}

static void on_store_queued(void *arg)
{
    struct supervisor *s = arg;

    if (s->store_ev)
        event_active(s->store_ev, EV_READ, 0);
}

static int watch_store(struct supervisor *s, struct diag *d)
{
    if (!xsc_watch(s->st.xs, "@releaseDomain", "end"))
        return diag_errno(d, "the store refuses a watch");
    return 0;
}

static void leave_store(struct supervisor *s)
{
    if (s->store_ev) {
        event_free(s->store_ev);
        store_close(&s->st);
    }
    s->store_ev = NULL;
    s->st.xs = NULL; /* the device host closes what it was given */
}

static bool reopen_store(struct supervisor *s)
{
    struct diag d = {0};

    leave_store(s);
    if (store_open(&s->st, &d) != 0)
        return false;
    s->store_ev = event_new(s->base, xsc_fd(s->st.xs), EV_READ | EV_PERSIST, on_store, s);
    if (!s->store_ev) {
        store_close(&s->st);
        return false;
    }
    xsc_on_queued(s->st.xs, on_store_queued, s);
    if (event_add(s->store_ev, NULL) == 0 && watch_store(s, &d) == 0)
        return true;
    leave_store(s);
    return false;
}

/* A store that answers "no such node" is alive as well. */
static bool store_lives(struct supervisor *s)
{
    if (!s->st.xs)
        return false;
    errno = 0;
    char *name = store_read(&s->st, "/local/domain/%u/name", s->built.domid);
    bool ok = name || errno == ENOENT;

    free(name);
    return ok;
}

/* Without a store no watch tells of the domain's end, so look by the clock, and at the store. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct supervisor *s = arg;

    (void)fd;
    (void)what;
    s->look = true;
    if (store_lives(s))
        return;
    if (s->st.xs)
        log_line(s, "the store does not answer");
    if (reopen_store(s))
        log_line(s, "the store is back");
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
    struct supervisor *s = arg;

    (void)fd;
    (void)what;
    s->term = s->asked = true;
}

static void drop_client(struct supervisor *s)
{
    if (s->client_ev)
        event_free(s->client_ev);
    s->client_ev = NULL;
    if (s->client_fd >= 0)
        close(s->client_fd);
    s->client_fd = -1;
}

static void answer(struct supervisor *s, const char *text)
{
    if (s->client_fd >= 0 && send(s->client_fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        log_line(s, "the command that asked has left");
    drop_client(s);
}

/* "resize DOMID DISK BYTES" */
static bool resize_asked(struct supervisor *s, const char *text)
{
    unsigned long long bytes;
    unsigned domid, devid;
    struct diag d = {0};

    if (sscanf(text, "resize %u %u %llu", &domid, &devid, &bytes) != 3 || domid != s->built.domid)
        return false;
    answer(s, devices_resize(s->devs, devid, bytes, &d) == 0 ? "ok" : d.text);
    return true;
}

/* "destroy DOMID": the number keeps a late request off a guest that was rebuilt meanwhile. */
static void on_client(evutil_socket_t fd, short what, void *arg)
{
    struct supervisor *s = arg;
    char text[64] = "", want[32];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

    (void)what;
    if (n <= 0) {
        drop_client(s);
        return;
    }
    snprintf(want, sizeof(want), "destroy %u", s->built.domid);
    if (strcmp(text, want) == 0)
        s->asked = true;
    else if (!resize_asked(s, text))
        answer(s, "not this domain");
}

static void on_listen(evutil_socket_t fd, short what, void *arg)
{
    struct supervisor *s = arg;
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)what;
    if (client < 0)
        return;
    if (s->client_fd >= 0) {
        close(client);
        return;
    }
    s->client_fd = client;
    s->client_ev = event_new(s->base, client, EV_READ | EV_PERSIST, on_client, s);
    if (!s->client_ev || event_add(s->client_ev, NULL) != 0)
        drop_client(s);
}

/* ---- being there ---- */

static int listen_for_requests(struct supervisor *s, struct diag *d)
{
    struct sockaddr_un addr;

    supervise_address(s->cfg->name, &addr);
    unlink(addr.sun_path); /* left by a supervisor that was killed: the name is free, we checked */
    s->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->listen_fd < 0 || bind(s->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        listen(s->listen_fd, 4) != 0)
        return diag_errno(d, "cannot listen at %s", addr.sun_path);
    s->listen_ev = event_new(s->base, s->listen_fd, EV_READ | EV_PERSIST, on_listen, s);
    if (!s->listen_ev || event_add(s->listen_ev, NULL) != 0)
        return diag_set(d, "out of memory");
    return 0;
}

static int make_dirs(struct diag *d)
{
    static const char *const dirs[] = {SUPERVISE_RUN_DIR, SUPERVISE_LOG_DIR};

    for (size_t i = 0; i < 2; i++)
        if (mkdir(dirs[i], 0700) != 0 && errno != EEXIST)
            return diag_errno(d, "cannot make %s", dirs[i]);
    return 0;
}

/* Held while a guest is checked and announced, so that two creates see each other. */
static int take_create_lock(struct supervisor *s, struct diag *d)
{
    s->lock_fd = open(SUPERVISE_RUN_DIR "/create.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0 || flock(s->lock_fd, LOCK_EX) != 0)
        return diag_errno(d, "cannot lock " SUPERVISE_RUN_DIR "/create.lock");
    return 0;
}

static void drop_create_lock(struct supervisor *s)
{
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    s->lock_fd = -1;
}

static int open_all(struct supervisor *s, struct diag *d)
{
    struct timeval tick = {.tv_sec = TICK_SECONDS};

    s->log_fd = open_log(s->cfg->name, d);
    if (s->log_fd < 0)
        return -1;
    if (!s->hv) {
        s->hv = hv_open(d);
        if (!s->hv || store_open(&s->st, d) != 0)
            return -1;
    }
    s->base = event_base_new();
    s->term_ev = s->base ? evsignal_new(s->base, SIGTERM, on_term, s) : NULL;
    s->tick_ev = s->base ? event_new(s->base, -1, EV_PERSIST, on_tick, s) : NULL;
    if (!s->term_ev || !s->tick_ev || event_add(s->term_ev, NULL) != 0 ||
        event_add(s->tick_ev, &tick) != 0)
        return diag_set(d, "out of memory");
    s->devs = devices_open(s->base, s->st.xs, on_device_line, on_released, s, d);
    return s->devs ? watch_store(s, d) : -1;
}

static void leave_networks(struct supervisor *s)
{
    struct diag d = {0};

    network_leave_guest(s->ports, &d);
    if (d.text[0] && s->log_fd >= 0)
        log_line(s, "%s", d.text);
}

static void close_all(struct supervisor *s)
{
    struct event **events[] = {&s->tick_ev, &s->listen_ev, &s->client_ev, &s->term_ev};
    struct sockaddr_un addr;

    if (s->devs)
        leave_store(s);
    devices_close(s->devs);
    leave_networks(s);
    for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
        if (*events[i])
            event_free(*events[i]);
    if (s->listen_fd >= 0) {
        supervise_address(s->cfg->name, &addr);
        unlink(addr.sun_path);
        close(s->listen_fd);
    }
    if (s->base)
        event_base_free(s->base);
    store_close(&s->st);
    hv_close(s->hv);
    config_free(s->cfg);
}

/* ---- one life of the guest ---- */

static int wait_devices(struct supervisor *s, struct diag *d)
{
    time_t limit = time(NULL) + READY_SECONDS;
    struct timeval turn = {.tv_sec = 1};
    int rc;

    while ((rc = devices_ready(s->devs, d)) == 0) {
        if (time(NULL) >= limit)
            return diag_set(d,
                            "the device backends do not come up; see " SUPERVISE_LOG_DIR "/%s.log",
                            s->cfg->name);
        event_base_loopexit(s->base, &turn);
        event_base_loop(s->base, EVLOOP_ONCE);
    }
    return rc < 0 ? -1 : 0;
}

/* Ends the domain that `built` names; the order is the point (see the top). */
static int take_apart(struct supervisor *s, bool keep_console, struct diag *d)
{
    uint32_t domid = s->built.domid;
    int rc = hv_pause(s->hv, domid); /* fails if it is gone already, which is as good */

    (void)rc;
    devices_stop(s->devs, keep_console);
    rc = domain_destroy(s->hv, &s->st, domid, d);
    domain_forget(&s->st, domid);
    return rc;
}

/* What its networks give a guest is its own, too: it may send in that name. */
static void note_addresses(struct supervisor *s)
{
    char text[NET_ADDRESS_TEXT];

    for (size_t i = 0; i < s->cfg->nr_vifs; i++) {
        struct vif_spec *vif = &s->cfg->vifs[i];

        if (s->ports[i].joined && net_has_addresses(vif->net.kind)) {
            net_address_text(s->ports[i].address, text);
            vif_add_ip(vif, text);
        }
    }
}

static int build_life(struct supervisor *s, const struct build_plan *plan, bool first,
                      struct diag *d)
{
    char console_log[160];

    if (take_create_lock(s, d) != 0)
        return -1;
    if (first && (check_neighbours(s->cfg, s->hv, &s->st, d) != 0 ||
                  listen_for_requests(s, d) != 0 || network_join_guest(s->cfg, s->ports, d) != 0))
        return -1;
    note_addresses(s);
    if (build_domain(s->hv, plan, s->uuid, &s->built, d) != 0)
        return -1;
    int rc = domain_announce(&s->st, s->cfg, s->uuid, &s->built, d);
    drop_create_lock(s);
    snprintf(console_log, sizeof(console_log), SUPERVISE_LOG_DIR "/%s.console.log", s->cfg->name);
    if (rc == 0)
        rc = devices_start(s->devs, s->cfg, &s->built, console_log, d);
    if (rc == 0)
        rc = wait_devices(s, d);
    if (rc != 0 && take_apart(s, false, d) != 0)
        log_line(s, "the half-made domain %u resists: %s", s->built.domid, d->text);
    return rc;
}

static int begin_life(struct supervisor *s, bool first, struct diag *d)
{
    struct build_plan plan;

    if (build_plan_open(s->cfg, &plan, d) != 0)
        return -1;
    int rc = build_life(s, &plan, first, d);
    drop_create_lock(s);
    build_plan_close(&plan);
    if (rc == 0)
        log_line(s, "domain %u is built from %s", s->built.domid, s->cfg->kernel);
    return rc;
}

static bool domain_ended(struct supervisor *s, struct end *end)
{
    struct xen_domctl_getdomaininfo info;
    int rc = hv_info(s->hv, s->built.domid, &info);

    *end = (struct end){.kind = END_VANISHED};
    if (rc == -ESRCH || (rc == 0 && (info.flags & XEN_DOMINF_dying)))
        return true;
    if (rc != 0)
        return false;
    if (!(info.flags & XEN_DOMINF_shutdown)) {
        s->suspended = false;
        return false;
    }
    end->kind = END_SHUTDOWN;
    end->reason = hv_shutdown_reason(info.flags);
    if (end->reason != SHUTDOWN_suspend)
        return true;
    if (!s->suspended) /* no end: somebody resumes it, or destroys it */
        log_line(s, "domain %u is suspended", s->built.domid);
    s->suspended = true;
    return false;
}

/* Until the guest ends or somebody asks for its end. */
static struct end wait_for_end(struct supervisor *s)
{
    struct end end;

    s->look = true; /* it may have ended before we came here */
    for (;;) {
        if (s->asked)
            return (struct end){.kind = END_ASKED};
        if (s->look) {
            s->look = false;
            if (domain_ended(s, &end))
                return end;
        }
        event_base_loop(s->base, EVLOOP_ONCE);
    }
}

static enum guest_action action_for(struct supervisor *s, const struct end *end)
{
    static const char *const names[] = {"poweroff", "reboot",   "suspend",
                                        "crash",    "watchdog", "soft reset"};
    enum guest_action action = ACTION_DESTROY;

    if (end->kind == END_ASKED) {
        log_line(s, "destroying domain %u: %s", s->built.domid,
                 s->term ? "the supervisor was told to end" : "asked by command");
        return action;
    }
    if (end->kind == END_VANISHED) {
        log_line(s, "domain %u was destroyed behind the supervisor's back", s->built.domid);
        return action;
    }
    if (end->reason == SHUTDOWN_poweroff)
        action = s->cfg->on_poweroff;
    else if (end->reason == SHUTDOWN_reboot)
        action = s->cfg->on_reboot;
    else if (end->reason == SHUTDOWN_crash || end->reason == SHUTDOWN_watchdog)
        action = s->cfg->on_crash;
    log_line(s, "domain %u ended: %s; action: %s", s->built.domid,
             end->reason < sizeof(names) / sizeof(*names) ? names[end->reason] : "unknown reason",
             config_action_name(action));
    return action;
}

/* Renames what is left of the domain, for somebody to look at, and lets go of it. */
static void rename_and_leave(struct supervisor *s)
{
    char name[CONFIG_MAX_NAME + 16], path[64];
    uint32_t other;
    unsigned n = 0;

    do
        snprintf(name, sizeof(name), "%s-%u", s->cfg->name, ++n);
    while (n < 1000 && domain_name_taken(&s->st, name, &other));
    snprintf(path, sizeof(path), "/local/domain/%u/name", s->built.domid);
    devices_stop(s->devs, true);
    if (!store_write(&s->st, path, name))
        log_line(s, "cannot rename domain %u in the store", s->built.domid);
    log_line(s, "domain %u stays as %s; tenue destroy %s ends it", s->built.domid, name, name);
    if (!random_uuid(s->uuid)) /* /vm/UUID is the old one's */
        log_line(s, "no random numbers for a new uuid");
}

/* Guests that fall over at once are not restarted for ever. */
static bool may_restart(struct supervisor *s, time_t born)
{
    s->short_lives = time(NULL) - born < SHORT_LIFE_SECONDS ? s->short_lives + 1 : 0;
    if (s->short_lives < SHORT_LIVES_MAX)
        return true;
    log_line(s, "%u lives of less than %d seconds in a row: the guest is not restarted again",
             s->short_lives, SHORT_LIFE_SECONDS);
    return false;
}

static void log_if_failed(struct supervisor *s, int rc, const struct diag *d)
{
    if (rc != 0)
        log_line(s, "%s", d->text);
}

/* From a running first life to the last one's end. */
static void live(struct supervisor *s)
{
    for (;;) {
        time_t born = time(NULL);
        struct end end = wait_for_end(s);
        enum guest_action action = action_for(s, &end);
        struct diag d = {0};

        if (action == ACTION_PRESERVE) {
            while (!s->asked)
                event_base_loop(s->base, EVLOOP_ONCE);
            action = ACTION_DESTROY;
        }
        bool again = action != ACTION_DESTROY && may_restart(s, born);

        if (action == ACTION_RENAME_RESTART)
            rename_and_leave(s);
        else
            log_if_failed(s, take_apart(s, again, &d), &d);
        if (!again) {
            leave_networks(s); /* whoever asked may look for them then */
            answer(s, d.text[0] ? d.text : "ok");
            return;
        }
        d.text[0] = 0;
        int rc = begin_life(s, false, &d);
        if (rc == 0) {
            rc = hv_unpause(s->hv, s->built.domid);
            if (rc != 0)
                diag_set(&d, "cannot start domain %u: %s", s->built.domid, hv_why_no_cpu(rc));
        }
        log_if_failed(s, rc, &d);
        if (rc != 0)
            return;
    }
}

/* ---- the two ends of the start ---- */

static void detach(void)
{
    int null = open("/dev/null", O_RDWR);

    setsid();
    prctl(PR_SET_NAME, "tenue-guest");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
        if (null > 2)
            close(null);
    }
}

/* Hands the built guest to the command; true if it wants it to run or stand paused. */
static bool hand_over(struct supervisor *s)
{
    char ignored[8];
    size_t len;
    char kind;

    if (!handover_tell(s->parent_fd, MSG_BUILT, &s->built.domid, sizeof(s->built.domid)))
        return false;
    kind = handover_hear(s->parent_fd, ignored, sizeof(ignored), &len);
    if (kind != MSG_GO && kind != MSG_GO_PAUSED)
        return false;
    if (!store_lives(s)) {
        static const char why[] = "the store has died";

        handover_tell(s->parent_fd, MSG_ERROR, why, strlen(why));
        return false; /* its drivers would wait for devices that nobody can announce */
    }
    if (kind == MSG_GO) {
        int rc = hv_unpause(s->hv, s->built.domid);

        if (rc != 0) {
            const char *why = hv_why_no_cpu(rc);

            handover_tell(s->parent_fd, MSG_ERROR, why, strlen(why));
            return false;
        }
    }
    return handover_tell(s->parent_fd, MSG_RUNNING, "", 0);
}

struct start {
    const struct supervise_order *order;
    int parent_fd, others_fd; /* our end, and the command's */
};

static int supervisor_main(void *arg)
{
    static struct supervisor s = {.listen_fd = -1, .client_fd = -1, .log_fd = -1, .lock_fd = -1};
    const struct start *start = arg;
    const int parent_fd = start->parent_fd;
    struct diag d = {0};

    close(start->others_fd);
    s.cfg = start->order->cfg;
    s.parent_fd = parent_fd;
    if (start->order->lend) {
        s.hv = start->order->hv;
        s.st = *start->order->st;
    }
    memcpy(s.uuid, s.cfg->uuid, sizeof(s.uuid));
    detach();
    if ((!s.cfg->uuid_given && !random_uuid(s.uuid)) || open_all(&s, &d) != 0 ||
        begin_life(&s, true, &d) != 0) {
        /* The log may be that of a running guest of this name; use it only if nobody listens. */
        if (!handover_tell(parent_fd, MSG_ERROR, d.text, strlen(d.text)))
            log_if_failed(&s, -1, &d);
        close_all(&s);
        _exit(1);
    }
    if (hand_over(&s)) {
        close(parent_fd);
        s.parent_fd = -1;
        dup2(s.log_fd, STDERR_FILENO);
        live(&s);
    } else {
        log_line(&s, "the command that created the guest has left; undoing");
        log_if_failed(&s, take_apart(&s, false, &d), &d);
    }
    close_all(&s);
    _exit(0);
}

int supervise_start(const struct supervise_order *order, struct supervised *out, struct diag *d)
{
    struct start start = {.order = order};
    char data[HANDOVER_ROOM] = "";
    size_t len = 0;
    int ends[2];

    if (make_dirs(d) != 0)
        return -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return diag_errno(d, "no socket for the supervisor");
    fflush(NULL);
    start.parent_fd = ends[1];
    start.others_fd = ends[0];
    pid_t pid = handover_start(supervisor_main, &start, order->lend);
    close(ends[1]);
    out->fd = ends[0];
    if (pid < 0) {
        close(ends[0]);
        return diag_errno(d, "cannot start the supervisor");
    }
    switch (handover_hear(out->fd, data, sizeof(data) - 1, &len)) {
    case MSG_BUILT:
        memcpy(&out->domid, data, sizeof(out->domid));
        return 0;
    case MSG_ERROR:
        diag_set(d, "%s", data);
        break;
    default:
        diag_set(d,
                 "the supervisor died; see " SUPERVISE_LOG_DIR "/%s.log; if tenue list shows a "
                 "half-made domain, tenue destroy with its number removes it",
                 order->cfg->name);
    }
    close(out->fd);
    return -1;
}

int supervise_go(struct supervised *s, bool paused, struct diag *d)
{
    char data[HANDOVER_ROOM] = "";
    size_t len = 0;
    char kind = 0;

    if (handover_tell(s->fd, paused ? MSG_GO_PAUSED : MSG_GO, "", 0))
        kind = handover_hear(s->fd, data, sizeof(data) - 1, &len);
    close(s->fd);
    if (kind == MSG_RUNNING)
        return 0;
    return diag_set(d, "domain %u did not start: %s", s->domid,
                    kind == MSG_ERROR ? data : "the supervisor died");
}
