/* SPDX-License-Identifier: MIT */
/*
 * The SDK's client of the store, hosted, on a ring whose other end is a store of a few lines, and
 * a liar on request.
 *
 * Contract: what is written is read back, over as many turns of the ring as it takes; errors have
 * their names; watch events before, between and after answers set their watch's flag and nobody
 * else's, and any number of them takes no memory; an index that cannot be, or a length, is the end
 * of the connection and never of the guest.
 *
 * Sabotage: in xenbus.c, leave out mark(head->len) in pass_over() ("fired"); the look at
 * head.len in answer() ("a length that cannot be"); the token's NUL in request() ("watches"); the
 * first overflow in front_xs_read_u64() ("a number too great").
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenue-front/front.h>
#include <tenue-front/port.h>
#include <xen/errno.h>
#include <xen/io/xs_wire.h>

unsigned passed, failed;

enum lie { HONEST, ANOTHER_FIRST, EVENTS_FIRST, LONG, AHEAD, SILENCE };

static struct xenstore_domain_interface ring;
static start_info_t si = {.store_mfn = 7, .store_evtchn = 3};
const start_info_t *front_si = &si;
static u64 now;
static enum lie lie;
static char value[3000], watched[16], asked[8192];
static size_t asked_len, to_come;

static void say(const void *data, size_t len)
{
    const char *p = data;

    for (size_t i = 0; i < len; i++) {
        if (ring.rsp_prod - ring.rsp_cons == XENSTORE_RING_SIZE) {
            CHECK("the ring has room", false);
            return;
        }
        ring.rsp[MASK_XENSTORE_IDX(ring.rsp_prod++)] = p[i];
    }
}

static void event(const char *token)
{
    char text[64];
    struct xsd_sockmsg head = {.type = XS_WATCH_EVENT};

    head.len = (u32)snprintf(text, sizeof(text), "a/path%c%s", 0, token) + 1;
    say(&head, sizeof(head));
    say(text, head.len);
}

static void reply(u32 type, u32 id, const char *text)
{
    struct xsd_sockmsg head = {.type = type, .req_id = id, .len = (u32)strlen(text)};

    if (lie == ANOTHER_FIRST) {
        struct xsd_sockmsg other = {.type = XS_READ, .req_id = id - 1, .len = 5};

        say(&other, sizeof(other));
        say("wrong", 5);
    }
    for (int i = 0; lie == EVENTS_FIRST && i < 20; i++)
        event(i % 2 ? watched : "w99");
    if (lie == LONG) { /* an event longer than may be, the rest of which comes bit by bit */
        head.type = XS_WATCH_EVENT;
        head.len = to_come = 3 * XENSTORE_PAYLOAD_MAX;
    }
    say(&head, sizeof(head));
    if (lie != LONG)
        say(text, strlen(text));
    if (lie == AHEAD)
        ring.rsp_prod += 5000;
}

static void serve(const struct xsd_sockmsg *head, const char *body)
{
    const char *second = body + strlen(body) + 1;
    size_t second_len = head->len - (size_t)(second - body);

    if (head->type == XS_WRITE) {
        memcpy(value, second, second_len);
        value[second_len] = '\0';
        reply(XS_WRITE, head->req_id, "OK");
    } else if (head->type == XS_READ && !strcmp(body, "none")) {
        reply(XS_ERROR, head->req_id, "ENOENT");
    } else if (head->type == XS_READ) {
        reply(XS_READ, head->req_id, value);
    } else {
        CHECK("watches have tokens that end", second_len > 1 && !second[second_len - 1]);
        snprintf(watched, sizeof(watched), "%s", second);
        reply(head->type, head->req_id, "OK");
        if (head->type == XS_WATCH)
            event(watched);
    }
}

int front_evtchn_send(evtchn_port_t port)
{
    struct xsd_sockmsg head;

    CHECK("the store's port", port == 3);
    while (ring.req_cons != ring.req_prod && asked_len < sizeof(asked))
        asked[asked_len++] = ring.req[MASK_XENSTORE_IDX(ring.req_cons++)];
    memcpy(&head, asked, sizeof(head));
    if (asked_len < sizeof(head) || asked_len < sizeof(head) + head.len || lie == SILENCE)
        return 0;
    serve(&head, asked + sizeof(head));
    asked_len = 0;
    return 0;
}

void front_evtchn_unmask(evtchn_port_t port)
{
    (void)port;
}

void *front_port_map(u64 mfn)
{
    return mfn == 7 ? &ring : NULL;
}

u64 front_port_now(void)
{
    return now;
}

void front_port_sleep(u64 deadline_ns)
{
    if (!to_come) {
        now = deadline_ns;
        return;
    }
    for (int i = 0; i < 64 && ring.rsp_prod - ring.rsp_cons < XENSTORE_RING_SIZE; i++, to_come--)
        say("x", 1);
}

void front_irq_disable(void)
{
}

void front_irq_enable(void)
{
}

void front_console_write(const char *text, size_t len)
{
    (void)text;
    (void)len;
}

static void test_values(void)
{
    static char out[3000], in[3000];
    u64 n = 0;

    CHECK("read", front_xs_read("none", in, sizeof(in)) == -XEN_ENOENT);
    for (unsigned len = 0; len < 700; len += 7) {
        memset(out, 'a' + len % 26, len);
        out[len] = '\0';
        CHECK("there and back", front_xs_write("some/path", out) == 0);
        CHECK("there and back",
              front_xs_read("some/path", in, sizeof(in)) == 0 && !strcmp(in, out));
    }
    CHECK("cut", front_xs_read("some/path", in, 5) == 0 && strlen(in) == 4);
    CHECK("a number", front_xs_printf("n", "%d", 4711) == 0 && front_xs_read_u64("n", &n) == 0);
    CHECK("a number", n == 4711);
    front_xs_write("n", "47x");
    CHECK("no number", front_xs_read_u64("n", &n) == -XEN_EINVAL);
    front_xs_write("n", "18446744073709551615");
    CHECK("the greatest number", front_xs_read_u64("n", &n) == 0 && n == ~(u64)0);
    front_xs_write("n", "18446744073709551616");
    CHECK("a number too great", front_xs_read_u64("n", &n) == -XEN_EINVAL);
    front_xs_write("n", "20000000000000000000");
    CHECK("a number too great", front_xs_read_u64("n", &n) == -XEN_EINVAL);
    lie = ANOTHER_FIRST;
    front_xs_write("n", "12");
    CHECK("an answer to something else", front_xs_read_u64("n", &n) == 0 && n == 12);
    lie = HONEST;
}

static void test_watches(void)
{
    int a = front_xs_watch("device"), b = front_xs_watch("control/shutdown");
    u64 n;

    CHECK("watches", a == 0 && b == 1 && !strcmp(watched, "w1"));
    CHECK("fired once made", front_xs_fired(a) && front_xs_fired(b));
    CHECK("and then not", !front_xs_fired(a) && !front_xs_fired(b));
    event("w0");
    CHECK("only the one", !front_xs_fired(b) && front_xs_fired(a));
    for (int i = 0; i < 20; i++)
        event("w1");
    CHECK("many are one", front_xs_fired(b) && !front_xs_fired(b));
    lie = EVENTS_FIRST;
    front_xs_write("n", "3");
    CHECK("before an answer", front_xs_read_u64("n", &n) == 0 && n == 3);
    lie = HONEST;
    CHECK("fired before an answer", front_xs_fired(b) && !front_xs_fired(a));
    event("w16");
    event("");
    event("w");
    event("w1x");
    event("x1");
    event("w99999999999999999999");
    CHECK("tokens of nobody", !front_xs_fired(a) && !front_xs_fired(b));
    CHECK("unwatched", front_xs_unwatch("device", a) == 0 && front_xs_watch("other") == a);
    for (int i = 2; i < 16; i++)
        CHECK("sixteen", front_xs_watch("x") == i);
    CHECK("no seventeenth", front_xs_watch("x") == -XEN_ENOSPC);
}

/* Each ends the connection, so each runs in a process of its own: main() starts them by number. */
static void test_lie(enum lie l, const char *what)
{
    char in[64];

    lie = l;
    CHECK(what, front_xs_read("some/path", in, sizeof(in)) < 0 ||
                    (l == AHEAD && front_xs_read("some/path", in, sizeof(in)) < 0));
    lie = HONEST;
    CHECK(what, front_xs_read("some/path", in, sizeof(in)) == -XEN_EIO);
    front_xs_fired(0);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {[LONG] = "a length that cannot be",
                                        [AHEAD] = "an index that cannot be",
                                        [SILENCE] = "silence"};

    CHECK("init", front_xs_init() == 0);
    if (argc > 1) {
        test_lie((enum lie)atoi(argv[1]), names[atoi(argv[1])]);
        return failed ? 1 : 0;
    }
    test_values();
    test_watches();
    for (int l = LONG; l <= SILENCE; l++) {
        char command[256];

        snprintf(command, sizeof(command), "%s %d", argv[0], l);
        fflush(stdout);
        CHECK(names[l], system(command) == 0);
    }
    printf("xenbus: %u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
