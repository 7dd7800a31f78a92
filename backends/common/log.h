/* SPDX-License-Identifier: MIT */
/*
 * log.h - one-line messages to standard error (the host gives them a name and a place),
 * rate-limited: a guest that provokes messages gets a burst of 20, then two a second; what was left
 * out is counted.
 */
#ifndef BACKENDS_COMMON_LOG_H
#define BACKENDS_COMMON_LOG_H

void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
