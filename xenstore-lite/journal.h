/* SPDX-License-Identifier: MIT */
/*
 * The store's memory beyond its death: a file without a name, held by the guard (guard.c), into
 * which the store notes what it does. Whoever is started after a store that was killed reads it
 * and goes on from there (resume.c), so that a client notices nothing but a pause.
 *
 * A turn of the event loop notes its changes with journal_put() and ends with journal_commit(),
 * one store of one word: after a death a turn has happened as a whole or not at all. Nothing
 * leaves the process before the commit of the turn that caused it. What the kernel does between
 * two commits, taking bytes from a socket and giving bytes to one, is in the two slots: their
 * lengths are written by the kernel itself, within the system call (recvmmsg, sendmmsg).
 *
 * When the notes have grown much beyond what they say, the present state is written into the other
 * half, and that one counts from the next commit on. Without journal_open() nothing is noted.
 *
 * Locks: none, one thread. Read back by a store of the same version only, which trusts it as itself
 * but for lengths.
 */
#ifndef XSL_JOURNAL_H
#define XSL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The guard's list of clients: descriptors that a store inherits, each under a number of its own.
 */
#define JOURNAL_CLIENTS 4096u

/* Connections have numbers: a ring its domain's, clients of the socket those from here on. */
#define CONN_SOCKET (1ull << 32)

enum journal_type {
    JOURNAL_COMMIT,  /* struct journal_turn */
    JOURNAL_CREATE,  /* int32_t owner; path; value */
    JOURNAL_VALUE,   /* -; path; value */
    JOURNAL_PERMS,   /* -; path or special name; entries */
    JOURNAL_REMOVE,  /* -; path */
    JOURNAL_DOMAIN,  /* struct domain_state */
    JOURNAL_CONN,    /* struct conn_state; input; output */
    JOURNAL_SENT,    /* struct journal_sent */
    JOURNAL_GONE,    /* uint64_t connection */
    JOURNAL_RESET,   /* uint64_t connection: neither watches nor transactions any more */
    JOURNAL_WATCH,   /* struct watch_state; path; token */
    JOURNAL_UNWATCH, /* uint64_t connection; path; token */
    JOURNAL_START,   /* struct journal_transaction */
    JOURNAL_END,     /* struct journal_transaction */
    JOURNAL_QUOTA,   /* struct journal_quota */
};

/* What one commit says besides its notes. */
struct journal_turn {
    uint64_t generation;
    uint64_t received, sent; /* numbers of the slots' last uses that the notes speak of */
};

struct journal_sent {
    uint64_t conn;
    uint64_t bytes;
};

struct journal_transaction {
    uint64_t conn;
    uint32_t id, reserved;
};

struct journal_quota {
    uint32_t id, reserved;
    uint64_t limit;
};

/* A transfer to or from a socket that is under way, or was when the store died. */
struct journal_slot {
    uint64_t conn;
    uint64_t number; /* of this use */
    struct mmsghdr message;
    struct iovec bytes;
};

struct journal_client {
    _Atomic uint64_t id; /* 0: free */
    int32_t fd;          /* in the guard, and in every store that was started since he came */
    uint32_t came;       /* how many stores had been started by then */
};

struct journal_area; /* the file, mapped */

/* Makes the file: its descriptor, or -errno. For the guard. */
int journal_make(void);
struct journal_client *journal_clients(int fd); /* the guard's view of its list; NULL: cannot map */
uint64_t journal_turns(int fd);                 /* how many turns were committed, for the guard */
void journal_blame(int fd);                    /* who was served at the death is not served again */
void journal_blame_in(struct journal_area *a); /* the same where it is mapped */

/* Maps it, and closes fd: 1 if there is a state to go on from, 0 if not, or -errno. */
int journal_open(int fd);
/* The same over memory of the caller's, of journal_size() bytes, zero at first: for tests. */
int journal_attach(void *memory);
size_t journal_size(void);
void journal_detach(void);
bool journal_is_on(void);
/* The i-th client whose descriptor the store numbered `store` inherited; false when it is none. */
bool journal_inherited(unsigned i, uint32_t store, uint64_t *id, int *fd);

/* Notes something: up to three parts, one behind the other. */
void journal_put(enum journal_type type, const void *a, size_t a_len, const void *b, size_t b_len,
                 const void *c, size_t c_len);

/* JOURNAL_CREATE to JOURNAL_REMOVE; owner as store_create()'s, else unused. */
void journal_put_node(enum journal_type type, int32_t owner, const char *path, const void *bytes,
                      size_t len);

/* What was noted since the mark is forgotten. */
size_t journal_mark(void);
void journal_forget(size_t mark);

/* The notes have become long; then the next ones may begin anew, and say all that there is. */
bool journal_is_long(void);
void journal_begin_anew(void);

/* The turn has happened. */
void journal_commit(uint64_t generation);

/* Whose request is being served, 0 for nobody's: known to the guard if it is our last. */
void journal_serving(uint64_t conn);
/* Whom earlier stores died over, again and again; 0: nobody. */
uint64_t journal_blamed(void);

/* Calls apply for each note of all turns that were committed, in order; the first error ends it. */
int journal_replay(int (*apply)(enum journal_type type, const char *data, size_t len));

/* As recv() and send(), with MSG_DONTWAIT, through the slots; to is in the receive room. */
char *journal_receive_room(size_t *size);
ssize_t journal_receive(uint64_t conn, int fd, char *to, size_t len);
ssize_t journal_send(uint64_t conn, int fd, const char *from, size_t len);

/* What a dead store received, or sent, after the use that its last turn speaks of; 0: nothing. */
size_t journal_unnoted_received(uint64_t noted, uint64_t *conn, const char **bytes);
size_t journal_unnoted_sent(uint64_t noted, uint64_t *conn);

#endif
