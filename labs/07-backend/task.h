/* SPDX-License-Identifier: MIT */
/* Lab 7: the functions that you write, and what the lab gives you. README.md explains them. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include <lab.h>

#include <tenue-front/port.h>
#define xen_mb() front_mb()
#define xen_rmb() front_rmb()
#define xen_wmb() front_wmb()
#include <xen/io/blkif.h>

int my_check(const blkif_request_t *req);
int my_move(const blkif_request_t *req);
int my_serve(blkif_back_ring_t *ring);

/* The disk: its contents, page after page, and its length. */
#define SECTOR 512u
extern u8 *lab_disk;
extern u64 lab_sectors;

/* Slot `i` of the ring is copied to `to`. The frontend can write it at any time. */
void lab_fetch(const blkif_back_ring_t *ring, RING_IDX i, blkif_request_t *to);
/* An event for the frontend. */
void lab_notify(void);

#endif
