/* SPDX-License-Identifier: MIT */
/* Lab 5: the functions that you write, and what the lab gives you. README.md explains them. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include <shared.h>
#include <xen/io/console.h>

/* The page that both ends see, and the port that wakes the other one: shared_notify(). */
extern struct xencons_interface *lab_console;
extern evtchn_port_t lab_port;

void my_init(void);
void my_write(const char *text, size_t len);
size_t my_read(char *buf, size_t size);
size_t my_getline(char *line, size_t size);

/* Sleeps until the other end has done something. It does what it was woken for. */
void lab_sleep(void);

#endif
