/* SPDX-License-Identifier: MIT */
/*
 * What the meters of disks and network interfaces say (<tenue/meter.h>), for tenue top: sums for
 * its table, all of it as JSON and as Prometheus' text.
 */
#ifndef TENUE_DEVMETER_H
#define TENUE_DEVMETER_H

#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <tenue/meter.h>

struct json;

struct disk_sums {
    uint64_t reads, writes, read_bytes, written_bytes;
};

/* False: the disk has no meter; another backend serves it. */
bool devmeter_disk_sums(uint32_t domid, unsigned devid, struct disk_sums *to);

/* What is metered, and the words for it. */
struct device_class;
extern const struct device_class devmeter_disks, devmeter_nics;

/* One of a domain's devices. */
struct device_name {
    const char *cls; /* vbd, vif */
    unsigned domid, devid;
    char name[40]; /* xvda, vif0 */
};
typedef int device_fn(const struct device_name *dev, const struct meter *m, void *arg);
/* Calls act for each device of the class that has a meter, until it is not 0; returns the last. */
int devmeter_each(const struct device_class *c, struct store *st, uint32_t domid, device_fn *act,
                  void *arg) MUST_CHECK;

/* A domain's devices of a class: counters, latencies and limits. */
struct json *devmeter_json(const struct device_class *c, struct store *st, uint32_t domid);

/* All domains' devices of a class at one moment, for Prometheus, which wants a metric's samples
 * together. */
struct device_table {
    const struct device_class *cls;
    size_t nr;
    struct device_row *rows;
};
/* -1: out of memory. */
int devmeter_add(struct device_table *t, struct store *st, const char *domain,
                 uint32_t domid) MUST_CHECK;
void devmeter_prometheus(const struct device_table *t, FILE *to);
void devmeter_free(struct device_table *t);

#endif
