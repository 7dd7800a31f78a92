/* SPDX-License-Identifier: MIT */
/* Other programs of the control domain, run to their end: nft, dnsmasq. */
#ifndef TENUE_PROGRAM_H
#define TENUE_PROGRAM_H

#include "diag.h"

#include <stddef.h>

/*
 * Runs a program to its end with text as its input. What it says is the complaint, or goes to out,
 * unless that is NULL.
 */
int program_run(const char *const argv[], const char *input, char *out, size_t room,
                struct diag *d) MUST_CHECK;

/* Has nftables take these rules, all or none, and frees them; NULL is memory that was not there. */
int nft_load(char *rules, struct diag *d) MUST_CHECK;

#endif
