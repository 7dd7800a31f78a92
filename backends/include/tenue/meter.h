/* SPDX-License-Identifier: MIT */
/*
 * meter.h - what a device has done, and its limit: one file for each device, on /run, that its
 * backend maps and everybody with the right to may read.
 *
 * The host makes it (METER_DIR/DOMID-CLASS-DEVID) and hands it to each process of the device, so
 * counters and limits outlive a process that dies. One process writes the counters. A reader takes
 * what is there with meter_read() and believes none of it beyond its own arithmetic: the writer
 * eats guest data. The limit may be changed through meter_map().
 *
 * Groups share a limit: METER_GROUP_DIR/NAME.
 */
#ifndef TENUE_METER_H
#define TENUE_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tenue/limit.h>

#define METER_DIR "/run/tenue/meters"
#define METER_GROUP_DIR "/run/tenue/groups"
#define METER_GROUP_NAME_MAX 32

#define METER_MAGIC 0x54524d54u /* "TMRT" */
#define METER_VERSION 2u
#define METER_QUEUES 8u

/*
 * Latencies, log-linear: four steps for each doubling, from 1024 ns to 137 s, so a value is known
 * within a quarter. Bucket 0 is what was faster, the last what was slower.
 */
#define METER_FIRST_OCTAVE 10u
#define METER_OCTAVES 27u
#define METER_BUCKETS (METER_OCTAVES * 4 + 2)

struct meter_latency {
    uint64_t count, sum_ns;
    uint64_t bucket[METER_BUCKETS];
};

/* Of a network interface: READ is what the guest gets, WRITE what it sends. */
enum meter_op { METER_READ, METER_WRITE, METER_FLUSH, METER_DISCARD, METER_OPS };

struct meter_queue {
    struct meter_latency latency[METER_OPS]; /* counts whole requests, failed ones included */
    uint64_t bytes[METER_OPS];
    uint64_t errors;        /* answered otherwise than well */
    uint64_t events;        /* times that the guest rang */
    uint64_t notifications; /* times that it was rung */
    uint64_t rounds;        /* times that something was taken: requests / rounds is the batch */
};

struct meter {
    uint32_t magic, version;
    uint32_t queues; /* of the present connection */
    uint32_t reserved;
    struct limit limit;
    uint64_t throttled;    /* requests that had to wait for the limit, or the group's */
    uint64_t throttled_ns; /* time during which one did */
    /* Of a network interface, for what the guest gets; the others are for what it sends. */
    struct limit limit_in;
    uint64_t throttled_in, throttled_in_ns;
    char group[METER_GROUP_NAME_MAX + 8]; /* "": none */
    struct meter_queue queue[METER_QUEUES];
};

/* A group's file. */
struct meter_group {
    uint32_t magic, version;
    struct limit limit;
};

static inline unsigned meter_bucket(uint64_t ns)
{
    unsigned e;

    if (ns < 1ull << METER_FIRST_OCTAVE) {
        return 0;
    }
    e = 63u - (unsigned)__builtin_clzll(ns);
    if (e >= METER_FIRST_OCTAVE + METER_OCTAVES) {
        return METER_BUCKETS - 1;
    }
    return 1 + (e - METER_FIRST_OCTAVE) * 4 + (unsigned)((ns >> (e - 2)) & 3);
}

/* Everything in the bucket is below so many ns; UINT64_MAX for the last. */
static inline uint64_t meter_bucket_end(unsigned bucket)
{
    unsigned step = bucket ? bucket - 1 : 0;

    if (bucket == 0) {
        return 1ull << METER_FIRST_OCTAVE;
    }
    return bucket >= METER_BUCKETS - 1 ? UINT64_MAX
                                       : (5ull + step % 4) << (step / 4 + METER_FIRST_OCTAVE - 2);
}

static inline void meter_count(struct meter_latency *l, uint64_t ns)
{
    l->count++;
    l->sum_ns += ns;
    l->bucket[meter_bucket(ns)]++;
}

/* The path of a device's file; `cls` is "vbd" or "vif". */
void meter_path(char *path, size_t len, const char *cls, unsigned domid, unsigned devid);
/* False: there is none, or it is not one. */
bool meter_read(const char *cls, unsigned domid, unsigned devid, struct meter *to);
/* The limit of a device (in: limit_in), or of a group, to be changed; NULL with errno. Undo with
 * meter_unmap_limit(). */
struct limit *meter_map_limit(const char *cls, unsigned domid, unsigned devid, bool in);
struct limit *meter_map_group(const char *name);
void meter_unmap_limit(struct limit *l);

/* 1 to 32 letters, digits and _ . -, not . first. */
bool meter_group_name_valid(const char *name);

/* For the host. A descriptor, or -errno. */
int meter_create(const char *cls, unsigned domid, unsigned devid, const struct limit_rates *rates,
                 const struct limit_rates *in, const char *group);
void meter_remove(const char *cls, unsigned domid, unsigned devid);
/* Made if it is not there; `rates` (NULL: leave them) are set. */
int meter_open_group(const char *name, const struct limit_rates *rates);

#endif
