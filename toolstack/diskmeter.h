/* SPDX-License-Identifier: MIT */
/*
 * What disks' meters say (<tenue/meter.h>), for tenue top: sums for its table, all of it as JSON
 * and as Prometheus' text.
 */
#ifndef TENUE_DISKMETER_H
#define TENUE_DISKMETER_H

#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <tenue/meter.h>

struct cJSON;

struct disk_sums {
    uint64_t reads, writes, read_bytes, written_bytes;
};

/* False: the disk has no meter; another backend serves it. */
bool diskmeter_sums(uint32_t domid, unsigned devid, struct disk_sums *to);

/* A domain's disks: counters, latencies and limits. */
struct cJSON *diskmeter_json(struct store *st, uint32_t domid);

/* All domains' disks at one moment, for Prometheus, which wants a metric's samples together. */
struct disk_table {
    size_t nr;
    struct disk_row *rows;
};
void diskmeter_add(struct disk_table *t, struct store *st, const char *domain, uint32_t domid);
void diskmeter_prometheus(const struct disk_table *t, FILE *to);
void diskmeter_free(struct disk_table *t);

#endif
