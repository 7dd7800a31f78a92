/* SPDX-License-Identifier: MIT */
/*
 * The daemon's log: one line per event, to standard error or a file.
 * log_client() is for what a client can cause at will, and is limited to a few lines a second
 * (HC-9).
 */
#ifndef XSL_LOG_H
#define XSL_LOG_H

#include <stdbool.h>

/* NULL means standard error; the path is remembered for log_reopen(). 0 or -errno. */
int log_open(const char *path);
int log_reopen(void);

/* Opens the log's file, after giving an old one another name if so asked; descriptor or -errno. */
int log_make(const char *path, bool rotate);
/* How log_reopen() comes by its file where this process cannot reach it; NULL: log_make(). */
extern int (*log_fetch)(bool rotate);

/* This process has no log of its own. */
void log_to_stderr(void);

/* Requests are logged only while tracing is on (xenstore-control log on). */
extern bool log_tracing;

void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_client(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
