/* SPDX-License-Identifier: MIT */
/*
 * Turns.
 *
 * Owns: nothing that lasts. Says which ring is served, and for how long.
 * Invariants: nothing leaves the process before the commit of the turn that caused it; the state is
 *   written anew at the end of a turn only.
 * Locks: none, one thread.
 */
#include "turn.h"

#include "client.h"
#include "conn.h"
#include "domains.h"
#include "journal.h"
#include "ops.h"
#include "resume.h"
#include "ring.h"
#include "transaction.h"

/* Requests served before the others get their turn. */
#define RING_TURN 32

void turn_serve_ring(struct conn *conn)
{
    struct xsd_sockmsg header;
    const char *data;

    if (!ring_begin_turn(conn))
        return;
    for (int served = 0; (data = ring_request(conn, &header)); served++) {
        if (transaction_must_wait(conn) && ops_changes_store(header.type)) {
            ring_wait_for_floor(conn);
            return;
        }
        if (served == RING_TURN) {
            ring_wait_for_turn(conn);
            return;
        }
        ring_take_request(conn);
        ops_dispatch(conn, &header, data);
    }
}

void turn_port_fired(uint32_t port)
{
    struct conn *conn = ring_of_port(port);

    if (conn)
        turn_serve_ring(conn);
}

/*
 * Those that become ready meanwhile queue up behind. To serve one may end other domains, so nothing
 * is remembered across it but how many are left.
 */
void turn_serve_ready(void)
{
    uint32_t left = ring_count_ready();
    struct conn *conn;

    while (left-- && (conn = ring_next_ready()))
        turn_serve_ring(conn);
}

static void commit(void)
{
    if (journal_is_long()) {
        journal_begin_anew();
        resume_write_all();
    }
    journal_commit(store_generation());
}

void turn_end(void)
{
    conn_stage_all();
    domains_note_changes();
    commit();
    conn_publish_all();
    client_bury_dead();
}
