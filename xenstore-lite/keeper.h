/* SPDX-License-Identifier: MIT */
/*
 * The keeper: a second, tiny process for the few things that need more rights than a program should
 * have that reads what guests write. It holds /dev/xen/privcmd, with which one can do anything to
 * any domain, and answers one question about it; it holds the names of the log, the socket and the
 * pid file.
 *
 * A request is four bytes, an answer one struct and perhaps a descriptor. No request names a file.
 */
#ifndef XSL_KEEPER_H
#define XSL_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "hv.h"

struct keeper_job {
    const char *log, *socket, *pid_file; /* NULL when there is none */
    bool hypervisor;                     /* whether to open privcmd */
    bool keeps_stderr;
};

/* Forks; returns when the keeper serves. 0, or -errno after telling why. */
int keeper_start(const struct keeper_job *job);

/* As struct hv's. */
int keeper_domain_info(uint16_t domid, struct hv_domain_info *info);

/* A descriptor of the log, made anew or in place of one that is too long; or -errno. */
int keeper_new_log(bool rotate);

/* The store ends in order: the socket and the pid file go. */
void keeper_end(void);

#endif
