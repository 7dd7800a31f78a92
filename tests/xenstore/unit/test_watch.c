/* SPDX-License-Identifier: MIT */
/*
 * Watches: who hears what, once, and only what he may read (XS-3, XS-6, XS-12).
 *
 * Sabotage: in watch_fire_removed() skip the descendants; in fire_at() drop the may_read() test; in
 * conn_send_event() drop the search for a pending twin, or the limit.
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

static struct client *dom0, *w;

static void prepare(void)
{
    harness_reset();
    dom0 = client_new(0);
    w = client_new(0);
    do_write(dom0, 0, "/a/b/c", "v");
    do_write(dom0, 0, "/a/x", "v");
}

static void test_fires_at_once(void)
{
    prepare();
    EXPECT(do_watch(w, "/a", "token"), "OK");
    CU_ASSERT_EQUAL(events(w), 1);
    CU_ASSERT_TRUE(heard(w, "/a token"));
    EXPECT(do_watch(w, "/a", "token"), "EEXIST");
    EXPECT(do_watch(w, "/a", "other"), "OK");
    EXPECT(do_watch(w, "/not/there", "t"), "OK");
    CU_ASSERT_TRUE(heard(w, "/not/there t"));
}

static void test_unwatch(void)
{
    prepare();
    do_watch(w, "/a", "t");
    EXPECT(ask_args(w, XS_UNWATCH, 0, "/a|other"), "ENOENT");
    EXPECT(ask_args(w, XS_UNWATCH, 0, "/a|t"), "OK");
    EXPECT(ask_args(w, XS_UNWATCH, 0, "/a|t"), "ENOENT");
    forget_events(w);
    do_write(dom0, 0, "/a", "v");
    CU_ASSERT_EQUAL(events(w), 0);
}

static void test_what_fires(void)
{
    prepare();
    do_watch(w, "/a/b", "t");
    forget_events(w);
    do_write(dom0, 0, "/a/b", "v");
    CU_ASSERT_TRUE(heard(w, "/a/b t"));
    do_write(dom0, 0, "/a/b/new/deep", "v");
    CU_ASSERT_TRUE(heard(w, "/a/b/new/deep t"));
    do_mkdir(dom0, 0, "/a/b/dir");
    CU_ASSERT_TRUE(heard(w, "/a/b/dir t"));
    do_perms(dom0, 0, "/a/b/c|n0|r3");
    CU_ASSERT_TRUE(heard(w, "/a/b/c t"));
    do_rm(dom0, 0, "/a/b/new");
    CU_ASSERT_TRUE(heard(w, "/a/b/new t"));
    CU_ASSERT_EQUAL(events(w), 5);
    forget_events(w);
    do_write(dom0, 0, "/a", "v");
    do_write(dom0, 0, "/a/bb", "v");
    do_write(dom0, 0, "/a/x", "v");
    do_read(dom0, 0, "/a/b");
    do_mkdir(dom0, 0, "/a/b");
    CU_ASSERT_EQUAL(events(w), 0);
    do_rm(dom0, 0, "/a");
    CU_ASSERT_TRUE(heard(w, "/a/b t"));
    CU_ASSERT_EQUAL(events(w), 1);
}

static void test_root(void)
{
    prepare();
    do_watch(w, "/", "r");
    forget_events(w);
    do_write(dom0, 0, "/a/x", "v");
    CU_ASSERT_TRUE(heard(w, "/a/x r"));
    do_write(dom0, 0, "/", "v");
    CU_ASSERT_TRUE(heard(w, "/ r"));
}

static void test_depth(void)
{
    prepare();
    EXPECT(ask_args(w, XS_WATCH, 0, "/a|t|1"), "OK");
    EXPECT(ask_args(w, XS_WATCH, 0, "/a|0|0"), "OK");
    forget_events(w);
    do_write(dom0, 0, "/a/b", "v");
    CU_ASSERT_TRUE(heard(w, "/a/b t"));
    do_write(dom0, 0, "/a/b/c", "v");
    CU_ASSERT_EQUAL(events(w), 1);
    do_write(dom0, 0, "/a", "v");
    CU_ASSERT_TRUE(heard(w, "/a 0"));
    CU_ASSERT_TRUE(heard(w, "/a t"));
}

static void test_relative(void)
{
    struct client *guest;

    prepare();
    guest = client_new(1);
    do_mkdir(dom0, 0, "/local/domain/1/device");
    do_perms(dom0, 0, "/local/domain/1/device|n1");
    EXPECT(do_watch(guest, "device", "rel"), "OK");
    EXPECT(do_watch(guest, "/local/domain/1/device", "abs"), "OK");
    forget_events(guest);
    EXPECT(do_write(guest, 0, "device/vbd/1", "x"), "OK");
    CU_ASSERT_TRUE(heard(guest, "device/vbd/1 rel"));
    CU_ASSERT_TRUE(heard(guest, "/local/domain/1/device/vbd/1 abs"));
    EXPECT(ask_args(guest, XS_UNWATCH, 0, "device|rel"), "OK");
}

static void test_permission(void)
{
    struct client *guest;

    prepare();
    guest = client_new(1);
    do_mkdir(dom0, 0, "/s/secret");
    do_mkdir(dom0, 0, "/s/open");
    do_perms(dom0, 0, "/s/open|n0|r1");
    do_watch(guest, "/s", "t");
    forget_events(guest);
    do_write(dom0, 0, "/s/secret", "v");
    do_mkdir(dom0, 0, "/s/secret/2");
    do_rm(dom0, 0, "/s/secret/2");
    CU_ASSERT_EQUAL(events(guest), 0);
    do_write(dom0, 0, "/s/open", "v");
    CU_ASSERT_TRUE(heard(guest, "/s/open t"));
    forget_events(guest);
    do_perms(dom0, 0, "/s/open|n0"); /* could read it before */
    CU_ASSERT_TRUE(heard(guest, "/s/open t"));
    forget_events(guest);
    do_perms(dom0, 0, "/s/open|n0|r1"); /* can read it now */
    CU_ASSERT_TRUE(heard(guest, "/s/open t"));
    forget_events(guest);
    do_rm(dom0, 0, "/s/open");
    CU_ASSERT_TRUE(heard(guest, "/s/open t"));
}

/* Inside a removed subtree, too, each node's own list decides. */
static void test_permission_on_removal(void)
{
    struct client *guest;

    prepare();
    guest = client_new(1);
    do_mkdir(dom0, 0, "/s/hidden");
    do_mkdir(dom0, 0, "/s/shown");
    do_perms(dom0, 0, "/s/shown|n0|r1");
    do_watch(guest, "/s/hidden", "h");
    do_watch(guest, "/s/shown", "s");
    forget_events(guest);
    do_rm(dom0, 0, "/s");
    CU_ASSERT_EQUAL(events(guest), 1);
    CU_ASSERT_TRUE(heard(guest, "/s/shown s"));
}

static void send_write(struct client *c, const char *path)
{
    struct xsd_sockmsg header = {.type = XS_WRITE, .len = (uint32_t)strlen(path) + 1};

    ops_dispatch(&c->conn, &header, path);
}

/* A reader that does not read: equal events merge, the rest is bounded. */
static void test_slow_reader(void)
{
    struct client *guest;
    size_t one;

    prepare();
    guest = client_new(1);
    do_mkdir(dom0, 0, "/g");
    do_perms(dom0, 0, "/g|n1");
    do_watch(guest, "/g", "t");
    forget_events(guest);
    send_write(dom0, "/g");
    one = conn_pending(&guest->conn);
    CU_ASSERT(one > 0);
    for (int i = 0; i < 100; i++)
        send_write(dom0, "/g");
    CU_ASSERT_EQUAL(conn_pending(&guest->conn), one);
    for (int i = 0; i < 5000; i++) {
        char path[32];

        snprintf(path, sizeof(path), "/g/%d", i);
        send_write(dom0, path);
    }
    CU_ASSERT(conn_pending(&guest->conn) <= quota_limit(QUOTA_OUTPUT));
    CU_ASSERT(conn_pending(&guest->conn) > quota_limit(QUOTA_OUTPUT) / 2);
    CU_ASSERT_FALSE(guest->conn.dead);
}

/* A program that does not read its events is ended instead, and the others do not notice. */
static void test_slow_program(void)
{
    prepare();
    do_watch(w, "/g", "t");
    for (int i = 0; i < 60000 && !w->conn.dead; i++) {
        char path[32];

        snprintf(path, sizeof(path), "/g/%d", i);
        send_write(dom0, path);
        if (i % 1000 == 0)
            forget_events(dom0);
    }
    CU_ASSERT_TRUE(w->conn.dead);
    turn_end();
    forget_events(dom0);
    EXPECT(do_read(dom0, 0, "/g/1"), "");
}

/* An event that would be longer than a message is not sent at all. */
static void test_long_token(void)
{
    static char args[XENSTORE_PAYLOAD_MAX];

    prepare();
    memset(args, 't', sizeof(args));
    memcpy(args, "/a", 3);
    args[sizeof(args) - 1] = '\0';
    EXPECT(ask(w, XS_WATCH, 0, args, sizeof(args)), "OK");
    CU_ASSERT_EQUAL(events(w), 1); /* the first one just fits */
    forget_events(w);
    do_write(dom0, 0, "/a/b", "v");
    CU_ASSERT_EQUAL(events(w), 0);
}

/* Output survives partial sending at every offset. */
static void test_partial_output(void)
{
    prepare();
    do_watch(w, "/g", "t");
    forget_events(w);
    for (int i = 0; i < 300; i++) {
        char path[32];
        size_t some = (size_t)(i * 7 % 61);

        snprintf(path, sizeof(path), "/g/%d", i % 40);
        send_write(dom0, path);
        if (some > conn_pending(&w->conn))
            some = conn_pending(&w->conn);
        conn_sent(&w->conn, some);
        CU_ASSERT(w->conn.out.next >= w->conn.out.head);
        CU_ASSERT(w->conn.out.next <= w->conn.out.tail);
    }
}

void suite_watch(void)
{
    CU_pSuite s = CU_add_suite("watches", NULL, NULL);

    ADD(s, test_fires_at_once);
    ADD(s, test_unwatch);
    ADD(s, test_what_fires);
    ADD(s, test_root);
    ADD(s, test_depth);
    ADD(s, test_relative);
    ADD(s, test_permission);
    ADD(s, test_permission_on_removal);
    ADD(s, test_slow_reader);
    ADD(s, test_slow_program);
    ADD(s, test_long_token);
    ADD(s, test_partial_output);
}
