/* SPDX-License-Identifier: MIT */
/*
 * recorder.c - see recorder.h. Invariants: `used` is ours, the file's copy is only written, save
 * once at the start, when it is a predecessor's and is checked; a record is complete before `used`
 * includes it, so a death between any two instructions leaves whole records.
 */
#include "recorder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "log.h"
#include "ring.h"

#define ROOM (CAPTURE_BYTES - sizeof(struct capture_head))

static bool usable(const struct capture_head *h, uint32_t kind)
{
    return !memcmp(h->magic, CAPTURE_MAGIC, sizeof(h->magic)) && h->version == CAPTURE_VERSION &&
           h->kind == kind && h->used <= ROOM && h->used % 8 == 0;
}

struct capture *capture_open(int fd, uint32_t kind)
{
    struct capture *c = calloc(1, sizeof(*c));
    void *map = MAP_FAILED;
    struct stat st;

    if (!fstat(fd, &st) && st.st_size == CAPTURE_BYTES) {
        map = mmap(NULL, CAPTURE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    close(fd);
    if (!c || map == MAP_FAILED || !usable(map, kind)) {
        log_line("capture: the file is none any more; requests are not recorded");
        if (map != MAP_FAILED) {
            munmap(map, CAPTURE_BYTES);
        }
        free(c);
        return NULL;
    }
    c->head = map;
    c->used = c->head->used;
    c->origin = c->head->origin;
    return c;
}

void capture_close(struct capture *c)
{
    if (c) {
        munmap(c->head, CAPTURE_BYTES);
        free(c);
    }
}

void *capture_room(struct capture *c, uint32_t bytes)
{
    if (!READ_ONCE(c->head->on)) {
        return NULL;
    }
    if (ROOM - c->used < bytes) {
        c->head->dropped++;
        return NULL;
    }
    return (uint8_t *)(c->head + 1) + c->used;
}

void capture_commit(struct capture *c, uint32_t bytes)
{
    c->used += bytes;
    journal_order();
    WRITE_ONCE(c->head->used, c->used);
}
