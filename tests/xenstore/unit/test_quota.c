/* SPDX-License-Identifier: MIT */
/*
 * One script for each limited resource (XS-4): the last that fits, the first that does not, room
 * again after giving back, and no limit for the control domain.
 *
 * Sabotage: in check_room() use ">=" for ">"; in transaction_touch() drop the comparison.
 */
#include <stdio.h>

#include "harness.h"

static struct client *dom0, *guest;

static void prepare(void)
{
    harness_reset();
    dom0 = client_new(0);
    guest = client_new(1);
    do_mkdir(dom0, 0, "/g");
    do_perms(dom0, 0, "/g|n1");
}

static void test_nodes(void)
{
    char path[32];

    prepare();
    quota_set("nodes", "10");
    for (int i = 1; i < 10; i++) {
        snprintf(path, sizeof(path), "/g/%d", i);
        EXPECT(do_mkdir(guest, 0, path), "OK");
    }
    EXPECT(do_mkdir(guest, 0, "/g/x"), "ENOSPC");
    EXPECT(do_write(guest, 0, "/g/x", ""), "ENOSPC");
    EXPECT(do_rm(guest, 0, "/g/1"), "OK");
    EXPECT(do_mkdir(guest, 0, "/g/x/y"), "ENOSPC");
    EXPECT(do_list(guest, 0, "/g"), "2 3 4 5 6 7 8 9");
    EXPECT(do_mkdir(guest, 0, "/g/x"), "OK");
    EXPECT(do_mkdir(dom0, 0, "/g/by-control-domain"), "OK");
    CU_ASSERT_EQUAL(domain_of(1)->nodes, 11);
}

/* A transaction counts with what it already holds, and again at commit. */
static void test_nodes_in_transactions(void)
{
    uint32_t a, b;

    prepare();
    quota_set("nodes", "3");
    a = do_start(guest);
    b = do_start(guest);
    EXPECT(do_mkdir(guest, a, "/g/a1"), "OK");
    EXPECT(do_mkdir(guest, a, "/g/a2"), "OK");
    EXPECT(do_mkdir(guest, b, "/g/b1"), "OK");
    EXPECT(do_mkdir(guest, b, "/g/b2"), "OK");
    EXPECT(do_end(guest, a, true), "OK");
    EXPECT(do_end(guest, b, true), "ENOSPC");
    EXPECT(do_list(guest, 0, "/g"), "a1 a2");
    a = do_start(guest);
    EXPECT(do_mkdir(guest, a, "/g/a3"), "ENOSPC");
    EXPECT(do_end(guest, a, true), "ENOSPC"); /* a refused step dooms it (XS-9) */
    a = do_start(guest);
    EXPECT(do_rm(guest, a, "/g/a1"), "OK");
    EXPECT(do_mkdir(guest, a, "/g/a3"), "OK");
    EXPECT(do_end(guest, a, true), "OK");
}

static void test_shape(void)
{
    prepare();
    quota_set("node-size", "4");
    quota_set("depth", "3");
    quota_set("path-max", "9");
    EXPECT(do_write(guest, 0, "/g/a", "1234"), "OK");
    EXPECT(do_write(guest, 0, "/g/a", "12345"), "ENOSPC");
    EXPECT(do_write(guest, 0, "/g/b", "12345"), "ENOSPC");
    EXPECT(do_mkdir(guest, 0, "/g/a/b"), "OK");
    EXPECT(do_mkdir(guest, 0, "/g/a/b/c"), "ENOSPC");
    EXPECT(do_mkdir(guest, 0, "/g/123456"), "OK");
    EXPECT(do_mkdir(guest, 0, "/g/1234567"), "ENOSPC");
    EXPECT(do_write(dom0, 0, "/g/a/b/c/d/e/f", "123456789"), "OK");
}

static void test_permissions(void)
{
    prepare();
    quota_set("node-permissions", "2");
    EXPECT(do_perms(guest, 0, "/g|n1|r2"), "OK");
    EXPECT(do_perms(guest, 0, "/g|n1|r2|r3"), "ENOSPC");
    EXPECT(do_perms(dom0, 0, "/g|n1|r2|r3"), "OK");
}

static void test_watches(void)
{
    prepare();
    quota_set("watches", "2");
    EXPECT(do_watch(guest, "/g", "1"), "OK");
    EXPECT(do_watch(guest, "/g", "2"), "OK");
    EXPECT(do_watch(guest, "/g", "3"), "E2BIG");
    EXPECT(ask_args(guest, XS_UNWATCH, 0, "/g|1"), "OK");
    EXPECT(do_watch(guest, "/g", "3"), "OK");
    EXPECT(ask_args(guest, XS_RESET_WATCHES, 0, ""), "OK");
    CU_ASSERT_EQUAL(domain_of(1)->watches, 0);
    CU_ASSERT_EQUAL(domain_of(1)->watch_bytes, 0);
}

static void test_transactions(void)
{
    prepare();
    quota_set("transactions", "2");
    CU_ASSERT(do_start(guest) != 0);
    CU_ASSERT(do_start(guest) != 0);
    EXPECT(ask(guest, XS_TRANSACTION_START, 0, "", 1), "ENOSPC");
    EXPECT(do_end(guest, 1, false), "OK");
    CU_ASSERT(do_start(guest) != 0);
}

static void test_transaction_nodes(void)
{
    char path[32];
    uint32_t t;

    prepare();
    quota_set("transaction-nodes", "20");
    t = do_start(guest);
    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof(path), "/g/%d", i);
        EXPECT(do_read(guest, t, path), "ENOENT");
    }
    EXPECT(do_read(guest, t, "/g/0"), "ENOENT");
    EXPECT(do_read(guest, t, "/g/x"), "ENOSPC");
    EXPECT(do_end(guest, t, true), "ENOSPC");
}

static void test_memory(void)
{
    char value[1000], path[32];
    int fit = 0;

    prepare();
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    quota_set("memory", "20000");
    for (; fit < 100; fit++) {
        snprintf(path, sizeof(path), "/g/%d", fit);
        if (strcmp(do_write(guest, 0, path, value), "OK"))
            break;
    }
    CU_ASSERT(fit > 10 && fit < 20);
    CU_ASSERT(domain_memory(domain_of(1)) <= 20000);
    EXPECT(do_write(guest, 0, "/g/0", "small"), "OK");
    EXPECT(do_write(guest, 0, "/g/0", value), "OK");
    EXPECT(do_write(dom0, 0, "/x", value), "OK");
}

static void test_options(void)
{
    CU_ASSERT_EQUAL(quota_set_pair("nodes=12"), 0);
    CU_ASSERT_EQUAL(quota_limit(QUOTA_NODES), 12);
    CU_ASSERT_EQUAL(quota_set_pair("nodes"), -EINVAL);
    CU_ASSERT_EQUAL(quota_set_pair("nodes="), -EINVAL);
    CU_ASSERT_EQUAL(quota_set_pair("=1"), -EINVAL);
    CU_ASSERT_EQUAL(quota_set_pair("nodes=1x"), -EINVAL);
}

void suite_quota(void)
{
    CU_pSuite s = CU_add_suite("quotas", NULL, NULL);

    ADD(s, test_nodes);
    ADD(s, test_nodes_in_transactions);
    ADD(s, test_shape);
    ADD(s, test_permissions);
    ADD(s, test_watches);
    ADD(s, test_transactions);
    ADD(s, test_transaction_nodes);
    ADD(s, test_memory);
    ADD(s, test_options);
}
