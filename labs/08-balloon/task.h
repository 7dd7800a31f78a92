/* SPDX-License-Identifier: MIT */
/* Lab 8: the functions that you write, and what the lab gives you. README.md explains them. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include <lab.h>

unsigned my_give(void *const *pages, unsigned n);
unsigned my_take(void *const *pages, unsigned n);
u64 my_balloon(u64 target);

/* Pages that nobody uses: the balloon's. At the beginning each has its frame. */
#define LAB_PAGES 64
extern void *lab_pages[LAB_PAGES];

/* In front_p2m[], of a page number that has no frame. */
#define LAB_NO_FRAME (~0UL)

/* How many frames the domain has, as the hypervisor says. */
u64 lab_frames(void);

#endif
