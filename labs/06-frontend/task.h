/* SPDX-License-Identifier: MIT */
/* Lab 6: the functions that you write, and what the lab gives you. README.md explains them. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include <lab.h>

#include <tenue-front/port.h>
#define xen_mb() front_mb()
#define xen_rmb() front_rmb()
#define xen_wmb() front_wmb()
#include <xen/io/blkif.h>
#include <xen/io/xenbus.h>

int my_connect(void);
int my_transfer(unsigned op, u64 sector, u8 *data, unsigned sectors);
int my_close(void);

#define SECTOR 512u
#define PAGE_SECTORS 8u
/* my_transfer() is asked for this many at most. */
#define MOST_SECTORS (64 * PAGE_SECTORS)
/* The backend's domain. */
#define LAB_BACKEND 0

/* The store: what you tell the backend by a key of your folder, what it told by one of its own (~0:
 * nothing), your state (enum xenbus_state), and sleep until the backend's is this one. */
void lab_write(const char *key, u64 value);
u64 lab_read(const char *key);
void lab_state(unsigned state);
void lab_wait_state(unsigned state);

/* An event for the backend; and sleep until one comes from it. One that has come already ends the
 * sleep at once. */
void lab_notify(void);
void lab_sleep(void);

#endif
