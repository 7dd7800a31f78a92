/* SPDX-License-Identifier: MIT */
/*
 * Messages to the serial console and the log ring that `dmesg` reads (sysctl readconsole).
 * Whatever a guest can cause goes through guest_log(), which is rate limited (HC-9).
 */
#ifndef TENUE_LOG_H
#define TENUE_LOG_H

#include <tenue/abi.h>

struct domain;

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_printf(enum log_level level, const char *fmt, ...) printf_like(2, 3);
/* Prefixed "(dN) "-style with d's id; filtered by guest_loglvl and rate limited. */
void guest_log(const struct domain *d, enum log_level level, const char *fmt, ...)
    printf_like(3, 4);

#define log_err(...) log_printf(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_printf(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_printf(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_printf(LOG_DEBUG, __VA_ARGS__)

/* Options as Xen names them: loglvl=, guest_loglvl=. */
extern enum log_level log_threshold, log_guest_threshold;
struct option;
bool log_set_level(const char *value, const struct option *o);
#define LOG_LEVEL_NAMES "none, error, warning, info, debug or all"

/* Raw text as if a guest had written the line, prefixed "(dN) " and rate limited (console_io). */
void guest_console_line(const struct domain *d, const char *text);
/* Copy what the log ring holds from position idx on, 0: from the start; moves *idx past what was
 * lost or copied. */
size_t log_ring_read(uint32_t *idx, char *buf, size_t len);
void log_ring_clear(void);

/* Serial console (core/console.c). */
void console_write(const char *s, size_t len); /* raw, with \n -> \r\n */
void console_rx(char c);                       /* from the serial interrupt or poll; any time */
void console_work(void);                       /* SOFTIRQ_WORK: debug keys typed */
void debug_key(char key);                      /* one debug key (diag/debugkey.c) */

/* In panic: no more waiting for the console lock. */
void console_force_unlock(void);

#endif
