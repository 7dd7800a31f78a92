/* SPDX-License-Identifier: MIT */
/* Lab 2: the functions that you write, and what the lab gives you. README.md explains them. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include <lab.h>

int my_channel(evtchn_port_t *near, evtchn_port_t *far);
void my_upcall(void);
void my_unmask(evtchn_port_t port);
void my_wait(void);

/* What an event is for: the upcall calls it, once for each. */
void lab_handle(evtchn_port_t port);
/* Whether that which my_wait() waits for has happened. An event comes when it has. */
bool lab_done(void);

#endif
