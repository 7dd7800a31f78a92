/* SPDX-License-Identifier: MIT */
/*
 * What the device drivers of core/ share, and nobody else sees: where a device and its other end
 * are in the store, and the states both go through. Values that the other end writes are checked
 * as numbers here; what they mean is checked by the driver.
 */
#ifndef TENUE_FRONT_DEVICE_H
#define TENUE_FRONT_DEVICE_H

#include <tenue-front/front.h>

#define DEV_PATH_MAX 128

struct front_dev {
    char node[DEV_PATH_MAX];    /* device/<class>/<id> */
    char backend[DEV_PATH_MAX]; /* its other end */
    domid_t backend_id;
};

/* The store and the grant table made ready, and the device found. */
int front_dev_find(struct front_dev *dev, const char *class, unsigned id);
int front_dev_get(const char *dir, const char *leaf, u64 *value);
/* 1 exactly is yes; anything else, and nothing at all, is no. */
bool front_dev_flag(const char *dir, const char *leaf);
int front_dev_set(const struct front_dev *dev, const char *leaf, u64 value);
int front_dev_wait(const struct front_dev *dev, u64 low, u64 high);
/* Announce that we begin, and wait until the other end does. */
int front_dev_begin(const struct front_dev *dev);
/* Through Closing to Closed, together with the other end. What is shared may be taken back then. */
int front_dev_close(const struct front_dev *dev);

#endif
