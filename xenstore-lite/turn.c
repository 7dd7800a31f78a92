/* SPDX-License-Identifier: MIT */
/*
 * Turns.
 *
 * Owns: nothing that lasts.
 * Invariants: nothing leaves the process before the commit of the turn that caused it; the state is
 *   written anew at the end of a turn only.
 * Locks: none, one thread.
 */
#include "turn.h"

#include "client.h"
#include "conn.h"
#include "domains.h"
#include "journal.h"
#include "resume.h"

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
