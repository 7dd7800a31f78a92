/* SPDX-License-Identifier: MIT */
/*
 * One complaint, carried from where a thing went wrong to the place that prints it.
 *
 * Every fallible function of the toolstack takes a struct diag and returns 0, or -1 after storing
 * one line that names the file, the line, the key and what would help. The first complaint is
 * kept: undo paths that fail too must not hide the cause.
 */
#ifndef TENUE_DIAG_H
#define TENUE_DIAG_H

#define MUST_CHECK __attribute__((warn_unused_result))

struct diag {
    char text[1024];
};

/* Stores the complaint unless one is there already; always returns -1. */
int diag_set(struct diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same with ": <strerror(errno)>" behind it. */
int diag_errno(struct diag *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
