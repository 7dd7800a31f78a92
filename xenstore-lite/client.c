/* SPDX-License-Identifier: MIT */
/*
 * Clients' ends.
 *
 * Owns: nothing.
 * Locks: none, one thread.
 */
#include "client.h"

#include "journal.h"
#include "transaction.h"
#include "watch.h"

static void forget_requests(struct conn *conn, enum journal_type why)
{
    journal_put(why, &conn->id, sizeof(conn->id), NULL, 0, NULL, 0);
    watch_remove_all(conn);
    transaction_abort_all(conn);
}

void client_reset(struct conn *conn)
{
    forget_requests(conn, JOURNAL_RESET);
}

void client_destroy(struct conn *conn)
{
    forget_requests(conn, JOURNAL_GONE);
    conn_fini(conn);
}

void client_bury_dead(void)
{
    struct conn *conn;

    while ((conn = conn_first_dead()))
        client_destroy(conn);
}
