/* SPDX-License-Identifier: MIT */
/* Lab 3: the functions that you write, and what the lab gives you. README.md explains them. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include <shared.h>

/* The grant table, shared with the hypervisor: entries FIRST_REF to LAST_REF are yours. */
extern grant_entry_v1_t *lab_table;
#define FIRST_REF 8
#define LAST_REF 511

int my_grant(domid_t to, u64 frame, bool readonly);
int my_revoke(int ref);
int my_read(domid_t from, grant_ref_t ref, u64 *value);

/* An address where nothing of yours is, for my_read() to map at. */
#define LAB_WINDOW 0x0000100000000000UL

#endif
