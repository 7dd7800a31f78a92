/* SPDX-License-Identifier: MIT */
/*
 * A client that ends after each step of what it does, in each way in which it can (XS-7, XS-8,
 * XS-9, XS-13): its connection closes, its domain dies, it resets its watches. The tree is as
 * before its transaction or as after it; no watch, transaction or byte stays booked to it; nobody
 * else's transaction is disturbed; what fires afterwards fires for others; its number's next user
 * finds nothing of it.
 *
 * Sabotage: in client_reset() (client.c) leave out transaction_abort_all() (transactions and bytes
 * stay booked) or watch_remove_all() (the next event goes to a client that is gone); in
 * purge() (life.c) leave out purge_nodes() (the number's next user may write).
 */
#include "harness.h"

#define COMMITTED_AT 9 /* from so many steps on the first transaction is done */

static const struct step {
    uint32_t type, tx;
    const char *args;
} steps[] = {
    {XS_TRANSACTION_START, 0, ""}, {XS_WRITE, 1, "/g/value|changed"},
    {XS_MKDIR, 1, "/g/new/deep"},  {XS_RM, 1, "/g/old"},
    {XS_WATCH, 0, "/g|token"},     {XS_SET_PERMS, 1, "/g/value|n1|r2"},
    {XS_TRANSACTION_START, 0, ""}, {XS_WRITE, 2, "/g/other|never"},
    {XS_TRANSACTION_END, 1, "T"},  {XS_WRITE, 0, "/g/plain|v"},
    {XS_TRANSACTION_END, 2, "F"},  {XS_UNWATCH, 0, "/g|token"},
};
#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

static struct client *judge, *guest;
static uint32_t own; /* the judge's transaction, open all along */

static void run_steps(size_t count)
{
    harness_reset();
    judge = client_new(0);
    guest = client_new(1);
    guest->conn.last_tx_id = 0;
    do_mkdir(judge, 0, "/g");
    do_perms(judge, 0, "/g|n1");
    do_write(guest, 0, "/g/value", "before");
    do_write(guest, 0, "/g/old", "");
    do_write(judge, 0, "/j", "mine");
    own = do_start(judge);
    EXPECT(do_write(judge, own, "/j", "changed"), "OK");
    for (size_t i = 0; i < count; i++)
        EXPECT(ask_args(guest, steps[i].type, steps[i].tx, steps[i].args), "OK");
}

static void nothing_booked(void)
{
    const struct domain *d = domain_of(1);

    CU_ASSERT_EQUAL(d->transactions, 0);
    CU_ASSERT_EQUAL(d->transaction_bytes, 0);
    CU_ASSERT_EQUAL(d->watches, 0);
    CU_ASSERT_EQUAL(d->watch_bytes, 0);
    CU_ASSERT_EQUAL(audit_books(), 0);
}

/* Whole or not at all; and the judge's own, which touched something else, commits. */
static void look(size_t count)
{
    bool done = count >= COMMITTED_AT;

    EXPECT(do_read(judge, 0, "/g/value"), done ? "changed" : "before");
    EXPECT(do_read(judge, 0, "/g/new/deep"), done ? "" : "ENOENT");
    EXPECT(do_read(judge, 0, "/g/old"), done ? "ENOENT" : "");
    EXPECT(do_read(judge, 0, "/g/other"), "ENOENT");
    EXPECT(do_read(judge, 0, "/g/plain"), count > COMMITTED_AT ? "v" : "ENOENT");
    EXPECT(do_write(judge, 0, "/g/afterwards", "fires"), "OK");
    EXPECT(do_end(judge, own, true), "OK");
    EXPECT(do_read(judge, 0, "/j"), "changed");
}

static void test_connection_closes(void)
{
    for (size_t k = 0; k <= NR_STEPS; k++) {
        run_steps(k);
        client_end(guest);
        nothing_booked();
        look(k);
    }
}

static void test_watches_reset(void)
{
    for (size_t k = 0; k <= NR_STEPS; k++) {
        run_steps(k);
        EXPECT(ask_args(guest, XS_RESET_WATCHES, 0, ""), "OK");
        nothing_booked();
        look(k);
        forget_events(guest);
        do_write(judge, 0, "/g/value", "again");
        CU_ASSERT_EQUAL(events(guest), 0);
        EXPECT(do_read(guest, 0, "/g/value"), "again");
    }
}

static void test_domain_dies(void)
{
    for (size_t k = 0; k <= NR_STEPS; k++) {
        run_steps(k);
        fake_domain(1, false);
        life_check_deaths();
        nothing_booked();
        CU_ASSERT_EQUAL(domain_of(1)->nodes, 0);
        CU_ASSERT_EQUAL(domain_of(1)->bytes, 0);
        EXPECT(do_end(judge, own, true), "OK");
        EXPECT(do_read(judge, 0, "/j"), "changed");
        fake_domain(1, true); /* another one, of the same number */
        guest = client_new(1);
        EXPECT(do_write(guest, 0, "/g/value", "mine now"), "EACCES");
        do_write(judge, 0, "/g/new", "fires");
        CU_ASSERT_EQUAL(events(guest), 0);
        CU_ASSERT_EQUAL(audit_books(), 0);
    }
}

void suite_death(void)
{
    CU_pSuite s = CU_add_suite("death", NULL, NULL);

    ADD(s, test_connection_closes);
    ADD(s, test_watches_reset);
    ADD(s, test_domain_dies);
}
