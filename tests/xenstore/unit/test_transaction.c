/* SPDX-License-Identifier: MIT */
/*
 * Transactions: isolation, what conflicts and what does not, all or nothing (XS-9), fairness
 * (XS-13).
 *
 * Sabotage: in touch_conflicts() ignore TOUCH_CHILDREN; in handle_rm() (ops.c) touch without
 * TOUCH_SUBTREE; in apply() replay on store_main itself; let transaction_must_wait() answer false.
 */
#include <stdio.h>

#include "harness.h"

static struct client *a, *b;

static void prepare(void)
{
    harness_reset();
    a = client_new(0);
    b = client_new(0);
    do_write(a, 0, "/x/1", "one");
    do_write(a, 0, "/x/2", "two");
    do_write(a, 0, "/y/z", "zet");
}

static void test_isolation(void)
{
    uint32_t t;

    prepare();
    t = do_start(a);
    EXPECT(do_write(a, t, "/x/1", "changed"), "OK");
    EXPECT(do_write(a, t, "/x/new", "n"), "OK");
    EXPECT(do_rm(a, t, "/y"), "OK");
    EXPECT(do_read(a, t, "/x/1"), "changed");
    EXPECT(do_list(a, t, "/x"), "1 2 new");
    EXPECT(do_read(a, t, "/y/z"), "ENOENT");
    EXPECT(do_read(b, 0, "/x/1"), "one");
    EXPECT(do_list(b, 0, "/x"), "1 2");
    EXPECT(do_read(b, 0, "/y/z"), "zet");
    EXPECT(do_read(b, t, "/x/1"), "ENOENT"); /* not b's transaction */
    EXPECT(do_end(a, t, true), "OK");
    EXPECT(do_list(b, 0, "/x"), "1 2 new");
    EXPECT(do_list(b, 0, "/y"), "ENOENT");
    EXPECT(do_end(a, t, true), "ENOENT");
}

static void test_abort(void)
{
    uint32_t t;

    prepare();
    t = do_start(a);
    do_write(a, t, "/x/1", "changed");
    do_rm(a, t, "/y");
    EXPECT(do_end(a, t, false), "OK");
    EXPECT(do_read(a, 0, "/x/1"), "one");
    EXPECT(do_read(a, 0, "/y/z"), "zet");
    t = do_start(a);
    EXPECT(ask(a, XS_TRANSACTION_START, t, "", 1), "EBUSY");
    EXPECT(ask_args(a, XS_TRANSACTION_END, t, "X"), "EINVAL");
    EXPECT(do_end(a, t, false), "OK");
}

static void test_snapshot_stays(void)
{
    uint32_t t;

    prepare();
    t = do_start(a);
    do_write(b, 0, "/x/1", "later");
    do_rm(b, 0, "/y");
    EXPECT(do_read(a, t, "/x/1"), "one");
    EXPECT(do_read(a, t, "/y/z"), "zet");
    EXPECT(do_end(a, t, true), "EAGAIN");
}

/* What the transaction does, what somebody else does meanwhile, and how the commit ends. */
struct step {
    char op; /* r read, l list, w write, m mkdir, d remove, p permissions */
    const char *path;
};

static void run_step(struct client *c, uint32_t t, const struct step *s)
{
    char args[64];

    switch (s->op) {
    case 'r':
        do_read(c, t, s->path);
        break;
    case 'l':
        do_list(c, t, s->path);
        break;
    case 'w':
        do_write(c, t, s->path, "v");
        break;
    case 'm':
        do_mkdir(c, t, s->path);
        break;
    case 'd':
        do_rm(c, t, s->path);
        break;
    case 'p':
        snprintf(args, sizeof(args), "%s|n0|r3", s->path);
        do_perms(c, t, args);
        break;
    default:
        CU_FAIL("no such step");
    }
}

static void test_conflicts(void)
{
    static const struct {
        struct step mine, other;
        const char *end;
    } row[] = {
        {{'r', "/x/1"}, {'w', "/x/1"}, "EAGAIN"},   {{'r', "/x/1"}, {'p', "/x/1"}, "EAGAIN"},
        {{'r', "/x/1"}, {'d', "/x/1"}, "EAGAIN"},   {{'r', "/x/1"}, {'d', "/x"}, "EAGAIN"},
        {{'r', "/x/1"}, {'w', "/x/2"}, "OK"},       {{'r', "/x/1"}, {'m', "/x/1/child"}, "OK"},
        {{'r', "/x/1"}, {'m', "/x/3"}, "OK"},       {{'r', "/x"}, {'w', "/x/1"}, "OK"},
        {{'r', "/x/9"}, {'w', "/x/9"}, "EAGAIN"},   {{'r', "/x/9"}, {'w', "/x/8"}, "OK"},
        {{'l', "/x"}, {'m', "/x/3"}, "EAGAIN"},     {{'l', "/x"}, {'d', "/x/1"}, "EAGAIN"},
        {{'l', "/x"}, {'w', "/x/1"}, "OK"},         {{'l', "/x"}, {'m', "/x/1/child"}, "OK"},
        {{'w', "/x/1"}, {'w', "/x/1"}, "EAGAIN"},   {{'w', "/x/1"}, {'w', "/x/2"}, "OK"},
        {{'w', "/x/3"}, {'w', "/x/3"}, "EAGAIN"},   {{'w', "/x/3"}, {'w', "/x/4"}, "OK"},
        {{'w', "/n/a"}, {'w', "/n/b"}, "EAGAIN"},   {{'w', "/x/3"}, {'p', "/x"}, "EAGAIN"},
        {{'w', "/x/3"}, {'d', "/x"}, "EAGAIN"},     {{'d', "/x"}, {'w', "/x/1"}, "EAGAIN"},
        {{'d', "/x"}, {'m', "/x/1/2/3"}, "EAGAIN"}, {{'d', "/x"}, {'w', "/y/z"}, "OK"},
        {{'d', "/x/1"}, {'d', "/x/1"}, "EAGAIN"},   {{'d', "/x/1"}, {'d', "/x/2"}, "OK"},
        {{'d', "/x/9"}, {'m', "/x/9"}, "EAGAIN"},   {{'p', "/x/1"}, {'p', "/x/1"}, "EAGAIN"},
        {{'p', "/x/1"}, {'w', "/x/2"}, "OK"},
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        uint32_t t;

        prepare();
        t = do_start(a);
        run_step(a, t, &row[i].mine);
        run_step(b, 0, &row[i].other);
        EXPECT(do_end(a, t, true), row[i].end);
        /* and never because of one's own */
        t = do_start(a);
        run_step(a, t, &row[i].mine);
        run_step(a, t, &row[i].other);
        EXPECT(do_end(a, t, true), "OK");
    }
}

/* Remove and create again inside one transaction: exactly what is there at its end is committed. */
static void test_remove_and_create(void)
{
    uint32_t t;

    prepare();
    t = do_start(a);
    do_write(a, t, "/x/3", "three");
    do_rm(a, t, "/x");
    do_write(a, t, "/x/4", "four");
    do_perms(a, t, "/x/4|n2|b3");
    EXPECT(do_end(a, t, true), "OK");
    EXPECT(do_list(a, 0, "/x"), "4");
    EXPECT(do_read(a, 0, "/x/4"), "four");
    ask_args(a, XS_GET_PERMS, 0, "/x/4");
    CU_ASSERT_EQUAL(memcmp(a->reply, "n2\0b3", 6), 0);
    t = do_start(a);
    do_write(a, t, "/q/r", "1");
    do_rm(a, t, "/q");
    EXPECT(do_end(a, t, true), "OK");
    EXPECT(do_read(a, 0, "/q"), "ENOENT");
}

/* Reads of a name that does not exist yet come before the writes that create it. */
static void test_created_after_read(void)
{
    uint32_t t;

    prepare();
    t = do_start(a);
    EXPECT(do_read(a, t, "/n/m/o"), "ENOENT");
    EXPECT(do_write(a, t, "/n/m/o", "v"), "OK");
    EXPECT(do_perms(a, t, "/n/m|n4"), "OK");
    EXPECT(do_end(a, t, true), "OK");
    EXPECT(do_read(a, 0, "/n/m/o"), "v");
    CU_ASSERT_EQUAL(node_owner(store_find(&store_main, "/n/m/o")), 0);
    CU_ASSERT_EQUAL(node_owner(store_find(&store_main, "/n/m")), 4);
}

static void test_events_after_commit(void)
{
    uint32_t t;

    prepare();
    do_watch(b, "/x", "tx");
    do_watch(b, "/y/z", "tz");
    forget_events(b);
    t = do_start(a);
    do_write(a, t, "/x/1", "1");
    do_write(a, t, "/x/1", "2");
    do_rm(a, t, "/y");
    CU_ASSERT_EQUAL(events(b), 0);
    do_end(a, t, true);
    CU_ASSERT_TRUE(heard(b, "/x/1 tx"));
    CU_ASSERT_TRUE(heard(b, "/y/z tz"));
    CU_ASSERT_EQUAL(events(b), 2);
    forget_events(b);
    t = do_start(a);
    do_write(a, t, "/x/1", "1");
    do_end(a, t, false);
    CU_ASSERT_EQUAL(events(b), 0);
}

static void test_many_touches(void)
{
    char path[32];
    uint32_t t;

    prepare();
    t = do_start(a);
    for (int i = 0; i < 3000; i++) {
        snprintf(path, sizeof(path), "/m/%d", i);
        do_write(a, t, path, "v");
    }
    EXPECT(do_end(a, t, true), "OK");
    CU_ASSERT_EQUAL(store_find(&store_main, "/m")->child_count, 3000);
}

/* The client leaves in the middle, or forgets everything (XS-14). */
static void test_client_leaves(void)
{
    uint32_t t;

    prepare();
    t = do_start(b);
    do_write(b, t, "/x/1", "changed");
    client_end(b);
    EXPECT(do_read(a, 0, "/x/1"), "one");
    CU_ASSERT_EQUAL(domain_of(0)->transactions, 0);
    t = do_start(a);
    do_write(a, t, "/x/1", "changed");
    EXPECT(ask_args(a, XS_RESET_WATCHES, 0, ""), "OK");
    EXPECT(do_end(a, t, true), "ENOENT");
    EXPECT(ask_args(a, XS_RESET_WATCHES, do_start(a), ""), "OK");
}

/* A removed domain's id must not come back through a transaction that was open meanwhile (XS-8). */
static void test_domain_dies_meanwhile(void)
{
    uint32_t t, u;

    prepare();
    client_new(3);
    t = do_start(a);
    EXPECT(do_perms(a, t, "/x/1|n3"), "OK");
    u = do_start(a);
    EXPECT(do_write(a, u, "/x/2", "fine"), "OK");
    fake_domain(3, false);
    life_check_deaths();
    EXPECT(do_end(a, t, true), "EAGAIN");
    EXPECT(do_end(a, u, true), "OK");
    CU_ASSERT_EQUAL(domain_of(3)->nodes, 0);
}

/* A guest that keeps writing cannot starve the toolstack: after three lost commits it waits. */
static void test_floor(void)
{
    struct client *guest;
    uint32_t t;

    prepare();
    guest = client_new(1);
    do_perms(a, 0, "/x/1|n1");
    for (int i = 0; i < 3; i++) {
        t = do_start(a);
        do_read(a, t, "/x/1");
        do_write(guest, 0, "/x/1", "again");
        EXPECT(do_end(a, t, true), "EAGAIN");
        CU_ASSERT_FALSE(transaction_must_wait(&guest->conn));
    }
    t = do_start(a);
    CU_ASSERT_TRUE(transaction_must_wait(&guest->conn));
    CU_ASSERT_FALSE(transaction_must_wait(&b->conn));
    CU_ASSERT_TRUE(ops_changes_store(XS_WRITE));
    CU_ASSERT_FALSE(ops_changes_store(XS_READ));
    do_read(a, t, "/x/1");
    EXPECT(do_end(a, t, true), "OK");
    CU_ASSERT_FALSE(transaction_must_wait(&guest->conn));
    /* a guest never gets the floor */
    for (int i = 0; i < 5; i++) {
        t = do_start(guest);
        do_read(guest, t, "/x/1");
        do_write(a, 0, "/x/1", "again");
        EXPECT(do_end(guest, t, true), "EAGAIN");
    }
    do_start(guest);
    CU_ASSERT_FALSE(transaction_must_wait(&guest->conn));
}

/* Old snapshots of guests are let go when they keep too much memory alive. */
static void test_trim(void)
{
    static char value[2000];
    struct client *guest;
    uint32_t t, u;

    prepare();
    guest = client_new(1);
    memset(value, 'v', sizeof(value) - 1);
    do_mkdir(a, 0, "/g");
    do_perms(a, 0, "/g|b1");
    for (int i = 0; i < 50; i++) {
        char path[16];

        snprintf(path, sizeof(path), "/g/%d", i);
        do_write(a, 0, path, value);
    }
    t = do_start(guest);
    u = do_start(a);
    do_rm(a, 0, "/g");
    CU_ASSERT(node_bytes_total() > 100000);
    transaction_trim(50000);
    EXPECT(do_end(guest, t, true), "EAGAIN");
    EXPECT(do_end(a, u, true), "OK");
    CU_ASSERT(node_bytes_total() < 10000);
}

void suite_transaction(void)
{
    CU_pSuite s = CU_add_suite("transactions", NULL, NULL);

    ADD(s, test_isolation);
    ADD(s, test_abort);
    ADD(s, test_snapshot_stays);
    ADD(s, test_conflicts);
    ADD(s, test_remove_and_create);
    ADD(s, test_created_after_read);
    ADD(s, test_events_after_commit);
    ADD(s, test_many_touches);
    ADD(s, test_client_leaves);
    ADD(s, test_domain_dies_meanwhile);
    ADD(s, test_floor);
    ADD(s, test_trim);
}
