/* SPDX-License-Identifier: MIT */
/*
 * meter.c - the files of meter.h: made by the host, mapped by a backend, read by whoever asks.
 *
 * They are root's; a backend has only the descriptor, and neither its filter nor its ring lets it
 * change a file's size. A file that was made by another version is no file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tenue/meter.h>
#include <unistd.h>

#define PAGE 4096ul
_Static_assert(offsetof(struct meter, limit_in) + sizeof(struct limit) <= PAGE,
               "on the first page");
_Static_assert(offsetof(struct meter_group, limit) < offsetof(struct meter, queue), "likewise");

void meter_path(char *path, size_t len, const char *cls, unsigned domid, unsigned devid)
{
    snprintf(path, len, METER_DIR "/%u-%s-%u", domid, cls, devid);
}

bool meter_group_name_valid(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    return *name && *name != '.' && strlen(name) <= METER_GROUP_NAME_MAX &&
           !name[strspn(name, allowed)];
}

static void group_path(char *path, size_t len, const char *name)
{
    snprintf(path, len, METER_GROUP_DIR "/%s", name);
}

bool meter_read(const char *cls, unsigned domid, unsigned devid, struct meter *to)
{
    char path[96];
    ssize_t n;
    int fd;

    meter_path(path, sizeof(path), cls, domid, devid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    n = read(fd, to, sizeof(*to));
    close(fd);
    to->group[sizeof(to->group) - 1] = 0;
    if (to->queues > METER_QUEUES) {
        to->queues = METER_QUEUES;
    }
    return n == (ssize_t)sizeof(*to) && to->magic == METER_MAGIC && to->version == METER_VERSION;
}

/* The first page of a file with the right head; `offset` is where its limit lies. */
static struct limit *map_limit(const char *path, size_t offset)
{
    const struct meter_group *head;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char *at;

    if (fd < 0) {
        return NULL;
    }
    at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at == MAP_FAILED) {
        return NULL;
    }
    head = (const struct meter_group *)(const void *)at;
    if (head->magic != METER_MAGIC || head->version != METER_VERSION) {
        munmap(at, PAGE);
        errno = EINVAL;
        return NULL;
    }
    return (struct limit *)(void *)(at + offset);
}

struct limit *meter_map_limit(const char *cls, unsigned domid, unsigned devid, bool in)
{
    char path[96];

    meter_path(path, sizeof(path), cls, domid, devid);
    return map_limit(path, in ? offsetof(struct meter, limit_in) : offsetof(struct meter, limit));
}

struct limit *meter_map_group(const char *name)
{
    char path[96];

    group_path(path, sizeof(path), name);
    return map_limit(path, offsetof(struct meter_group, limit));
}

void meter_unmap_limit(struct limit *l)
{
    munmap((void *)((uintptr_t)l & ~(PAGE - 1)), PAGE);
}

static int make_directory(const char *dir)
{
    mkdir("/run/tenue", 0755);
    return mkdir(dir, 0755) && errno != EEXIST ? -errno : 0;
}

int meter_create(const char *cls, unsigned domid, unsigned devid, const struct limit_rates *rates,
                 const struct limit_rates *in, const char *group)
{
    struct meter *m = calloc(1, sizeof(*m));
    char path[96];
    int fd, rc = m ? make_directory(METER_DIR) : -ENOMEM;

    meter_path(path, sizeof(path), cls, domid, devid);
    unlink(path); /* a supervisor's that was killed */
    fd = rc ? rc : open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        free(m);
        return rc ? rc : -errno;
    }
    m->magic = METER_MAGIC;
    m->version = METER_VERSION;
    limit_set(&m->limit, rates);
    limit_set(&m->limit_in, in);
    snprintf(m->group, sizeof(m->group), "%s", group ? group : "");
    if (write(fd, m, sizeof(*m)) != (ssize_t)sizeof(*m)) {
        close(fd);
        unlink(path);
        fd = -ENOSPC;
    }
    free(m);
    return fd;
}

void meter_remove(const char *cls, unsigned domid, unsigned devid)
{
    char path[96];

    meter_path(path, sizeof(path), cls, domid, devid);
    unlink(path);
}

int meter_open_group(const char *name, const struct limit_rates *rates)
{
    struct meter_group head = {.magic = METER_MAGIC, .version = METER_VERSION};
    char path[96];
    struct limit *l;
    int fd, rc = make_directory(METER_GROUP_DIR);

    group_path(path, sizeof(path), name);
    fd = rc ? rc : open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return rc ? rc : -errno;
    }
    /* Of the size that is mapped, and with a head: written again it is the same. */
    if (ftruncate(fd, PAGE) ||
        pwrite(fd, &head, offsetof(struct meter_group, limit), 0) < (ssize_t)sizeof(uint64_t)) {
        close(fd);
        return -ENOSPC;
    }
    l = rates ? meter_map_group(name) : NULL;
    if (l) {
        limit_set(l, rates);
        meter_unmap_limit(l);
    }
    return fd;
}
