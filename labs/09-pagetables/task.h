/* SPDX-License-Identifier: MIT */
/* Lab 9: the functions that you write, and what the lab gives you. README.md explains them. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include <lab.h>

u64 my_walk(u64 root, u64 va);
int my_map(u64 va, u64 mfn, u64 flags);
int my_unmap(u64 va);

/* A page to make a table of, with something in it, and mapped for writing; and one back, which must
 * be mapped for writing again. */
u64 *lab_page_take(void);
void lab_page_give(u64 *page);

#define ENTRIES 512u

#endif
