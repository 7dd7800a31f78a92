/* SPDX-License-Identifier: MIT */
/*
 * xsclient.h - a client of the store's socket, for programs that have one thread.
 *
 * libxenstore writes a request in three pieces and reads by a thread of its own: each request cost
 * a dozen switches between client and store. Here a request is one send, and requests that need no
 * answer before the next one go out together (xsc_batch).
 *
 * Functions that fail set errno, to the store's word if it was the store that refused. The values
 * they return are the caller's to free.
 */
#ifndef TENUE_XSCLIENT_H
#define TENUE_XSCLIENT_H

#include <stdbool.h>
#include <stdint.h>

#define XSC_NO_TRANSACTION 0u

enum { XSC_EVENT_PATH, XSC_EVENT_TOKEN };

struct xsc;

/* To $XENSTORED_PATH, else /run/xenstored/socket. NULL if nobody listens there. */
struct xsc *xsc_open(void);
void xsc_close(struct xsc *x);

/* Readable when xsc_event() may have something, or the store has gone. */
int xsc_fd(const struct xsc *x);
/*
 * An event that arrives while an answer is waited for leaves the socket. Then this is called, from
 * within that wait: it should see to it that xsc_event() is called soon, no more.
 */
void xsc_on_queued(struct xsc *x, void (*queued)(void *), void *arg);
/* {path, token}, in one block; NULL with EAGAIN if there is none now, else the store has gone. */
char **xsc_event(struct xsc *x);

/* Closed by a NUL that *len does not count. */
char *xsc_read(struct xsc *x, uint32_t t, const char *path, unsigned *len);
/* Names of children, in one block. */
char **xsc_directory(struct xsc *x, uint32_t t, const char *path, unsigned *n);
bool xsc_write(struct xsc *x, uint32_t t, const char *path, const char *value);
bool xsc_mkdir(struct xsc *x, uint32_t t, const char *path);
bool xsc_rm(struct xsc *x, uint32_t t, const char *path);
/* `owner` may do all, `reader` (unless it is the owner) may read, others nothing. */
bool xsc_set_access(struct xsc *x, uint32_t t, const char *path, unsigned owner, unsigned reader);
bool xsc_watch(struct xsc *x, const char *path, const char *token);
bool xsc_unwatch(struct xsc *x, const char *path, const char *token);
/* XSC_NO_TRANSACTION if refused. */
uint32_t xsc_transaction_start(struct xsc *x);
bool xsc_transaction_end(struct xsc *x, uint32_t t, bool abort);
bool xsc_introduce(struct xsc *x, unsigned domid, uint64_t mfn, unsigned port);
bool xsc_release(struct xsc *x, unsigned domid);
/* A domain that was shut down runs on: its next shutdown is told of again. */
bool xsc_resume(struct xsc *x, unsigned domid);

/*
 * From here on functions that return bool return true without an answer, until xsc_batch_end()
 * has waited for all of them: 0, or the errno of the first that failed. Removing what is not there
 * is no failure here. Functions that return a value work as ever.
 */
void xsc_batch(struct xsc *x);
int xsc_batch_end(struct xsc *x);

#endif
