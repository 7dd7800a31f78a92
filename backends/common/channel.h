/* SPDX-License-Identifier: MIT */
/*
 * channel.h - the protocol between a backend process and its host, and the keys each may name.
 *
 * One SOCK_SEQPACKET socket, inherited by the backend as descriptor CHANNEL_FD. One datagram is one
 * message: a fixed header, then `count` pairs "key\0value\0" and nothing after them. Both ends
 * decode with channel_decode(), which accepts exactly the well-formed messages; whatever else
 * arrives ends the connection. Keys are [a-z0-9-/]{1,48}, values printable ASCII up to 256 bytes,
 * no key twice.
 *
 * Host to backend:
 *   start   first and once: domid, devid and the options of the class
 *   front   the guest's keys, whole, each time its state changed; "state" always present, "0" if
 *           absent
 *   close   no pairs: unplug in an orderly way
 *   resize  no pairs: look at the image's size again
 * Backend to host:
 *   back    keys for the backend directory, written in one transaction
 *   fail    reason=TEXT: the device was stopped, and why
 *
 *   link    backend to host, no pairs: the image's server has gone, connect again; host to backend:
 *           here is the connection, as a descriptor that comes with the message
 *
 * The host's side treats the backend as hostile (it eats guest data); the backend's side trusts the
 * host for "start" and treats "front" values as the guest's own words.
 */
#ifndef BACKENDS_COMMON_CHANNEL_H
#define BACKENDS_COMMON_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Descriptors in the backend. */
#define CHANNEL_FD 3
#define CHANNEL_JOURNAL_FD 4 /* journal.h */
#define CHANNEL_LIFE_FD 5    /* a pipe's end: closed when nothing of the process is left */
#define CHANNEL_METER_FD 6   /* tenue/meter.h */
#define CHANNEL_GROUP_FD 7   /* the limit that the device shares, if "group" is 1 */
#define CHANNEL_DEVICE_FD 8  /* first of the device's own; the order is the class's */

#define CHANNEL_MAGIC 0x54444556u /* "TDEV" */
#define CHANNEL_VERSION 1
#define CHANNEL_MAX_PAIRS 192
#define CHANNEL_MAX_QUEUES 8 /* "queue-0/" to "queue-7/": directories of a front with several */
#define CHANNEL_KEY_MAX 48
#define CHANNEL_VALUE_MAX 256
#define CHANNEL_MAX_BYTES 8192

enum channel_type {
    CHANNEL_START = 1,
    CHANNEL_FRONT = 2,
    CHANNEL_CLOSE = 3,
    CHANNEL_BACK = 4,
    CHANNEL_FAIL = 5,
    CHANNEL_RESIZE = 6,
    CHANNEL_LINK = 7,
};

struct channel_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type;
    uint32_t count;
};

struct channel_msg {
    enum channel_type type;
    unsigned count;
    size_t used;
    struct channel_pair {
        uint16_t key, value; /* offsets into text */
    } pairs[CHANNEL_MAX_PAIRS];
    char text[CHANNEL_MAX_BYTES];
};

void channel_init(struct channel_msg *m, enum channel_type type);

/* -EINVAL for a key or value outside the rules above, -ENOSPC when the message is full, -EEXIST. */
int channel_add(struct channel_msg *m, const char *key, const char *value);
int channel_addf(struct channel_msg *m, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

const char *channel_key(const struct channel_msg *m, unsigned i);
const char *channel_value(const struct channel_msg *m, unsigned i);

/* The value of a key, NULL if it is not there. */
const char *channel_get(const struct channel_msg *m, const char *key);

/* Strict decimal within [0, max]: no sign, no space, no leading zero save "0" itself. */
bool channel_parse_u64(const char *text, uint64_t max, uint64_t *out);

/* A decimal value: false when missing, malformed or above max; *out is then left alone. */
bool channel_get_u64(const struct channel_msg *m, const char *key, uint64_t max, uint64_t *out);
/* The number, or `otherwise` where there is none up to max. max is below 2^32. */
unsigned channel_get_or(const struct channel_msg *m, const char *key, unsigned max,
                        unsigned otherwise);

/* A "0"/"1" feature; anything else, or nothing, is false. */
bool channel_get_flag(const struct channel_msg *m, const char *key);

/* Into a buffer of CHANNEL_MAX_BYTES; returns the length. */
size_t channel_encode(const struct channel_msg *m, void *buf);
/* 0 or -EBADMSG; never reads past len. */
int channel_decode(struct channel_msg *m, const void *buf, size_t len);

/* One message. send: 0, or -errno (-EAGAIN on a full socket). recv: 1, 0 at end of file, -errno. */
int channel_send(int fd, const struct channel_msg *m);
int channel_recv(int fd, struct channel_msg *m);
/* The same with a descriptor; received: -1 if there was none, else the caller's to close. */
int channel_send_fd(int fd, const struct channel_msg *m, int passed);
int channel_recv_fd(int fd, struct channel_msg *m, int *passed);

/* Allow-lists, per class name ("vbd", "vif", "console"): what the host relays, either way. */
bool channel_key_allowed(const char *const *list, const char *key);
/* Keys of one queue's directory: "queue-N/KEY". */
const char *const *channel_queue_keys(const char *class_name);
const char *const *channel_front_keys(const char *class_name);
const char *const *channel_back_keys(const char *class_name);

#endif
