/* SPDX-License-Identifier: MIT */
/*
 * test_nbd.c - the NBD image against a server that dies, forgets, falls silent and comes back. What
 * was answered is there afterwards, what was not is done once more, what cannot be is an error by
 * the time-out and no longer one when the server is back. Also the queue of writes for replay by
 * itself, addresses of servers, and what a server may offer.
 *
 * Sabotage: replay_keep() that keeps nothing fails "a server that forgets"; replay_reserve() that
 * always has room and replay_flushed() that drops all fail "replay: a flush covers what was
 * answered before it"; leaving `failed` out of nbd_submit() fails "a silent server"; taking
 * ESHUTDOWN for an answer fails "a server that is ending"; without the comparison of sizes in
 * take_geometry() "what a server may offer" fails; with != for its < "a server's image grows".
 */
#include <CUnit/Basic.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/block/image.h"
#include "../../backends/block/remote.h"
#include "../../backends/block/replay.h"
#include "../../backends/host/nbduri.h"
#include "fake/nbdserver.h"
#include "fake/xen.h"
#include "tests.h"

#define SIZE (24u << 20)
#define PIECE 65536u

static struct nbdserver server;
static struct image image;
static unsigned asked;
static bool relink; /* give another connection whenever one is asked for */
static char tags[1024];
static int results[1024];

static void on_ask(void *arg)
{
    (void)arg;
    asked++;
}

static int open_image(unsigned timeout, bool readonly)
{
    struct remote_options opt = {
        .export = "e", .timeout = timeout, .readonly = readonly, .ask_link = on_ask};

    image_remote = &nbd_remote;
    memset(&image, 0, sizeof(image));
    asked = 0;
    relink = true;
    for (unsigned i = 0; i < sizeof(tags); i++) {
        results[i] = 1;
    }
    CU_ASSERT_EQUAL_FATAL(image_init_remote(&image, nbdserver_start(&server), &opt), 0);
    return image_wait(&image);
}

static void open_good(unsigned timeout)
{
    nbdserver_init(&server, SIZE);
    CU_ASSERT_EQUAL_FATAL(open_image(timeout, false), 0);
}

static void close_image(void)
{
    image_fini(&image);
    nbdserver_free(&server);
}

static void link_again(void)
{
    asked = 0;
    nbdserver_stop(&server, false);
    image_link(&image, nbdserver_start(&server));
}

/* Until the operation of a tag is complete. 1: not within 10 s. */
static int wait_for(unsigned tag)
{
    struct pollfd pfd = {.fd = image.poll_fd, .events = POLLIN};
    void *done;
    int res;

    for (unsigned turns = 0; results[tag] == 1 && turns < 100000; turns++) {
        if (poll(&pfd, 1, 10000) != 1) {
            return 1;
        }
        image_turn(&image);
        while (image_completed(&image, &done, &res)) {
            results[(char *)done - tags] = res;
        }
        if (asked && relink) {
            link_again();
        }
    }
    return results[tag];
}

static int do_write(unsigned tag, uint64_t offset, const void *buf, uint32_t len)
{
    results[tag] = 1;
    image_write(&image, &tags[tag], buf, len, offset);
    return wait_for(tag);
}

static int do_read(unsigned tag, uint64_t offset, void *buf, uint32_t len)
{
    results[tag] = 1;
    image_read(&image, &tags[tag], buf, len, offset);
    return wait_for(tag);
}

static int do_flush(unsigned tag)
{
    results[tag] = 1;
    image_flush(&image, &tags[tag]);
    return wait_for(tag);
}

static uint8_t *painted(uint8_t with)
{
    static uint8_t buf[4][PIECE];
    static unsigned next;
    uint8_t *b = buf[next++ % 4];

    memset(b, with, PIECE);
    return b;
}

static bool is_painted(uint64_t offset, uint8_t with)
{
    static uint8_t buf[PIECE];

    CU_ASSERT_EQUAL(do_read(1000, offset, buf, PIECE), (int)PIECE);
    for (unsigned i = 0; i < PIECE; i++) {
        if (buf[i] != with) {
            return false;
        }
    }
    return true;
}

static void test_data(void)
{
    int rc;

    open_good(5);
    CU_ASSERT_EQUAL(image.sectors, SIZE / 512);
    CU_ASSERT_EQUAL(image.sector_size, 512);
    CU_ASSERT_TRUE(image.can_trim);
    CU_ASSERT_EQUAL(do_write(1, 0, painted(7), PIECE), (int)PIECE);
    CU_ASSERT_TRUE(is_painted(0, 7));
    CU_ASSERT_EQUAL(server.durable[0], 0);
    CU_ASSERT_EQUAL(do_flush(2), 0);
    CU_ASSERT_EQUAL(server.durable[PIECE - 1], 7);
    results[3] = 1;
    CU_ASSERT_TRUE(image_discard(&image, &tags[3], 0, 1u << 20, &rc));
    CU_ASSERT_EQUAL(wait_for(3), 0);
    CU_ASSERT_EQUAL(server.trims, 1);
    close_image();
}

static void test_forgetful(void)
{
    open_good(5);
    for (unsigned i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(do_write(i, i * PIECE, painted((uint8_t)(i + 1)), PIECE), (int)PIECE);
    }
    CU_ASSERT_EQUAL(do_flush(20), 0);
    CU_ASSERT_EQUAL(do_write(0, 0, painted(50), PIECE), (int)PIECE);
    CU_ASSERT_EQUAL(do_write(0, 0, painted(51), PIECE), (int)PIECE);
    CU_ASSERT_EQUAL(do_write(0, 9 * PIECE, painted(52), PIECE), (int)PIECE);
    nbdserver_stop(&server, true);
    CU_ASSERT_EQUAL(server.seen[0], 1); /* it has forgotten them */
    CU_ASSERT_TRUE(is_painted(0, 51));  /* in their order */
    CU_ASSERT_TRUE(is_painted(9 * PIECE, 52));
    CU_ASSERT_TRUE(is_painted(3 * PIECE, 4));
    CU_ASSERT_EQUAL(server.durable[0], 51); /* and the replay ends with a flush */
    close_image();
}

static void test_dies_with_requests(void)
{
    open_good(5);
    nbdserver_stop(&server, true);
    asked = 0;
    server.die_after = 3;
    relink = false;
    for (unsigned i = 0; i < 64; i++) {
        image_write(&image, &tags[i], painted(9), PIECE, i * PIECE);
    }
    relink = true;
    for (unsigned i = 0; i < 64; i++) {
        if (asked) {
            server.die_after = i < 32 ? 10 : -1;
        }
        CU_ASSERT_EQUAL(wait_for(i), (int)PIECE);
    }
    server.die_after = -1;
    for (unsigned i = 0; i < 64; i++) {
        CU_ASSERT_TRUE(is_painted(i * PIECE, 9));
    }
    close_image();
}

static void test_silent(void)
{
    open_good(1);
    CU_ASSERT_EQUAL(do_write(1, 0, painted(3), PIECE), (int)PIECE);
    nbdserver_stop(&server, true);
    server.silent = true;
    CU_ASSERT_EQUAL(do_write(2, 0, painted(4), PIECE), -ETIMEDOUT);
    relink = false;
    CU_ASSERT_EQUAL(do_write(2, 0, painted(4), PIECE), -ETIMEDOUT); /* at once now */
    CU_ASSERT_EQUAL(do_flush(3), -ETIMEDOUT);
    server.silent = false;
    link_again();
    relink = true;
    for (int i = 0; i < 100 && do_flush(4); i++) {
        poll(NULL, 0, 20);
    }
    CU_ASSERT_EQUAL(results[4], 0);
    CU_ASSERT_TRUE(is_painted(0, 3)); /* the write that was answered, not the one that failed */
    close_image();
}

static void test_ending(void)
{
    open_good(5);
    nbdserver_stop(&server, false);
    server.ending = true;
    image_link(&image, nbdserver_start(&server));
    relink = false;
    results[1] = 1;
    image_write(&image, &tags[1], painted(8), PIECE, 0);
    for (int i = 0; i < 50 && !asked; i++) {
        struct pollfd pfd = {.fd = image.poll_fd, .events = POLLIN};

        poll(&pfd, 1, 100);
        image_turn(&image);
    }
    CU_ASSERT_TRUE(asked);
    server.ending = false;
    relink = true;
    link_again();
    CU_ASSERT_EQUAL(wait_for(1), (int)PIECE);
    CU_ASSERT_TRUE(is_painted(0, 8));
    close_image();
}

static void test_unflushed(void)
{
    unsigned flushes;

    open_good(10);
    flushes = server.flushes;
    for (unsigned i = 0; i < 320; i++) { /* 20 MiB */
        CU_ASSERT_EQUAL(do_write(0, i * PIECE, painted((uint8_t)i), PIECE), (int)PIECE);
    }
    CU_ASSERT_TRUE(server.flushes > flushes); /* our own, so that there is an end to what is kept */
    nbdserver_stop(&server, true);
    for (unsigned i = 0; i < 320; i++) {
        CU_ASSERT_TRUE(is_painted(i * PIECE, (uint8_t)i));
    }
    close_image();
}

static void test_errors(void)
{
    open_good(5);
    server.error = 28;
    CU_ASSERT_EQUAL(do_write(1, 0, painted(1), PIECE), -ENOSPC);
    server.error = 0;
    CU_ASSERT_TRUE(do_write(1, SIZE, painted(1), PIECE) < 0); /* libnbd does not send it */
    CU_ASSERT_EQUAL(do_write(1, 0, painted(1), PIECE), (int)PIECE);
    close_image();
}

static void test_offers(void)
{
    nbdserver_init(&server, SIZE);
    server.readonly = true;
    CU_ASSERT_NOT_EQUAL(open_image(2, false), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_last_log(), "no connection"));
    image_fini(&image);
    nbdserver_stop(&server, false);
    CU_ASSERT_EQUAL(open_image(2, true), 0);
    image_fini(&image);
    nbdserver_stop(&server, false);
    server.readonly = false;
    server.no_flush = true;
    CU_ASSERT_NOT_EQUAL(open_image(2, false), 0);
    image_fini(&image);
    nbdserver_stop(&server, false);
    server.no_flush = false;
    server.silent = true; /* it answers nothing after the negotiation */
    CU_ASSERT_EQUAL(open_image(1, true), 0);
    image_fini(&image);
    nbdserver_free(&server);

    open_good(1);
    nbdserver_stop(&server, false);
    server.size = SIZE / 2;
    CU_ASSERT_EQUAL(do_write(1, 0, painted(4), PIECE), -ETIMEDOUT);
    close_image();
}

/* The server says its size to a new connection only; what was under way is done by that. */
static void test_grows(void)
{
    const uint32_t more = 4u << 20;

    open_good(5);
    CU_ASSERT_EQUAL(do_write(1, 0, painted(7), PIECE), (int)PIECE);
    nbdserver_stop(&server, false);
    server.size = SIZE + more;
    image_link(&image, nbdserver_start(&server));
    CU_ASSERT_TRUE(is_painted(0, 7));
    CU_ASSERT_EQUAL(image.sectors, (SIZE + more) / 512);
    server.size = SIZE + 2 * more; /* said to the next connection */
    CU_ASSERT_EQUAL(image_refresh(&image), 0);
    CU_ASSERT_EQUAL(asked, 1);
    CU_ASSERT_EQUAL(do_write(2, SIZE + more, painted(8), PIECE), (int)PIECE);
    CU_ASSERT_TRUE(is_painted(SIZE + more, 8));
    CU_ASSERT_EQUAL(image.sectors, (SIZE + 2 * more) / 512);
    close_image();
}

static void test_replay(void)
{
    struct replay r;
    uint64_t mark;

    replay_init(&r, 10);
    CU_ASSERT_TRUE(replay_reserve(&r, 100)); /* alone */
    CU_ASSERT_FALSE(replay_reserve(&r, 1));
    replay_cancel(&r, 100);
    CU_ASSERT_TRUE(replay_reserve(&r, 4));
    CU_ASSERT_TRUE(replay_reserve(&r, 6));
    CU_ASSERT_TRUE(replay_keep(&r, 1, "abcd", 4));
    mark = replay_mark(&r);
    CU_ASSERT_TRUE(replay_keep(&r, 1, "efghij", 6)); /* answered after the flush was sent */
    CU_ASSERT_EQUAL(r.bytes, 10);
    CU_ASSERT_FALSE(replay_reserve(&r, 1));
    replay_flushed(&r, mark);
    CU_ASSERT_EQUAL(r.bytes, 6);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r.first);
    CU_ASSERT_EQUAL(r.first->len, 6);
    CU_ASSERT_EQUAL(memcmp(r.first->data, "efghij", 6), 0);
    replay_flushed(&r, replay_mark(&r));
    CU_ASSERT_PTR_NULL(r.first);
    CU_ASSERT_TRUE(replay_reserve(&r, 2));
    CU_ASSERT_TRUE(replay_keep(&r, 1, "kl", 2));
    replay_free(&r);
}

static void uri_is(const char *text, const char *host, const char *port, const char *socket,
                   const char *export)
{
    char err[256] = "";
    struct nbd_uri u;

    CU_ASSERT_EQUAL_FATAL(nbd_uri_parse(text, &u, err, sizeof(err)), 0);
    CU_ASSERT_STRING_EQUAL(u.host, host);
    CU_ASSERT_STRING_EQUAL(u.port, port);
    CU_ASSERT_STRING_EQUAL(u.socket, socket);
    CU_ASSERT_STRING_EQUAL(u.export, export);
}

static void uri_refused(const char *text, const char *why)
{
    char err[256] = "";
    struct nbd_uri u;

    CU_ASSERT_EQUAL(nbd_uri_parse(text, &u, err, sizeof(err)), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err, why));
}

static void test_uri(void)
{
    uri_is("nbd://host", "host", "10809", "", "");
    uri_is("nbd://10.0.2.2:10810/a/b", "10.0.2.2", "10810", "", "a/b");
    uri_is("nbd://[fe80::1]:1/%25x", "fe80::1", "1", "", "%x");
    uri_is("nbd+unix:///e?socket=/run/x", "", "", "/run/x", "e");
    uri_is("nbd+unix://?socket=/x", "", "", "/x", "");
    uri_refused("nbds://host/e", "TLS");
    uri_refused("nbd:host", "no address");
    uri_refused("nbd:///e", "no host");
    uri_refused("nbd://h:0/e", "port");
    uri_refused("nbd://h:65536/e", "port");
    uri_refused("nbd://h:+1/e", "port");
    uri_refused("nbd://me@h/e", "user name");
    uri_refused("nbd://[::1/e", "bracket");
    uri_refused("nbd://[::1]x/e", "more after");
    uri_refused("nbd://h/e?x=1", "query");
    uri_refused("nbd://h/%0a", "printable");
    uri_refused("nbd://h/%g0", "%25");
    uri_refused("nbd+unix://h/e?socket=/x", "a host");
    uri_refused("nbd+unix:///e?socket=x", "no socket");
    uri_refused("nbd+unix:///e?socket=/x&y=1", "no socket");
}

void suite_nbd(void)
{
    CU_pSuite s = CU_add_suite("nbd", NULL, NULL);

    CU_add_test(s, "addresses of servers", test_uri);
    CU_add_test(s, "replay: a flush covers what was answered before it", test_replay);
    CU_add_test(s, "data both ways", test_data);
    CU_add_test(s, "a server that forgets", test_forgetful);
    CU_add_test(s, "a server that dies with requests", test_dies_with_requests);
    CU_add_test(s, "a silent server", test_silent);
    CU_add_test(s, "a server that is ending", test_ending);
    CU_add_test(s, "writes without a flush", test_unflushed);
    CU_add_test(s, "errors of the server's", test_errors);
    CU_add_test(s, "what a server may offer", test_offers);
    CU_add_test(s, "a server's image grows", test_grows);
}
