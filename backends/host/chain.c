/* SPDX-License-Identifier: MIT */
/*
 * chain.c - see chain.h. Bases are opened read-only and through the page cache, so that the guests
 * that stand on one share what was read of it.
 */
#include "chain.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "qcow2.h"

static int read_at(int fd, void *buf, size_t len, uint64_t offset)
{
    ssize_t n = pread(fd, buf, len, (off_t)offset);

    return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}

/* The places that a table holds, in pieces. */
static int check_table(const struct chain_file *f, const struct qcow2_header *h, uint64_t offset,
                       uint64_t entries, uint64_t file_size, const char *what, char *why,
                       size_t why_len)
{
    static uint8_t piece[65536];
    int rc = 0;

    for (uint64_t done = 0; done < entries && !rc; done += sizeof(piece) / 8) {
        uint64_t n = entries - done < sizeof(piece) / 8 ? entries - done : sizeof(piece) / 8;

        rc = read_at(f->fd, piece, n * 8, offset + done * 8);
        if (rc) {
            snprintf(why, why_len, "%s: %s", what, strerror(-rc));
            return rc;
        }
        rc = qcow2_check_table(piece, (uint32_t)n, h, file_size, what, why, why_len);
    }
    return rc;
}

static int examine(const struct chain_file *f, struct qcow2_header *h, char *err, size_t err_len)
{
    static uint8_t head[QCOW2_HEAD_MAX];
    char why[160] = "";
    struct stat st;
    ssize_t n = pread(f->fd, head, sizeof(head), 0);
    int rc;

    if (n < 0 || fstat(f->fd, &st)) {
        return err_set(err, err_len, -errno, "image %s: %s", f->path, strerror(errno));
    }
    if (S_ISBLK(st.st_mode)) {
        st.st_size = lseek(f->fd, 0, SEEK_END);
    }
    rc = qcow2_parse(head, (size_t)n, (uint64_t)st.st_size, h, why, sizeof(why));
    if (!rc) {
        rc = check_table(f, h, h->l1_offset, h->l1_size, (uint64_t)st.st_size, "L1 entry", why,
                         sizeof(why));
    }
    if (!rc) {
        rc = check_table(f, h, h->refcount_offset,
                         (uint64_t)h->refcount_clusters << (h->cluster_bits - 3),
                         (uint64_t)st.st_size, "refcount table entry", why, sizeof(why));
    }
    return rc ? err_set(err, err_len, rc, "image %s: qcow2 header: %s", f->path, why) : 0;
}

static bool below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    return !strncmp(path, folder, n) && path[n] == '/';
}

/* Both resolved: no link and no ".." leads anywhere else. */
static bool allowed(const struct devhost_spec *spec, const char *overlay, bool first,
                    const char *base)
{
    char folder[PATH_MAX], named[PATH_MAX];

    if (spec->block.base && realpath(spec->block.base, named) && !strcmp(named, base)) {
        return true;
    }
    if (spec->block.base && first) {
        return false; /* what was written is what is meant */
    }
    snprintf(folder, sizeof(folder), "%s", overlay);
    return below(base, dirname(folder)) || below(base, CHAIN_IMAGES);
}

/* The base's name as the overlay has it, made whole. */
static int find_base(const struct devhost_spec *spec, const struct chain_file *overlay, bool first,
                     const char *name, char *base, char *err, size_t err_len)
{
    char folder[PATH_MAX], joined[2 * PATH_MAX];

    if (strstr(name, "://") || !strncmp(name, "json:", 5)) {
        return err_set(err, err_len, -EINVAL,
                       "image %s: backing_file \"%.80s\" is no file; only files are followed",
                       overlay->path, name);
    }
    snprintf(folder, sizeof(folder), "%s", overlay->path);
    snprintf(joined, sizeof(joined), "%s%s%s", name[0] == '/' ? "" : dirname(folder),
             name[0] == '/' ? "" : "/", name);
    if (!realpath(joined, base)) {
        return err_set(err, err_len, -errno, "image %s: backing_file %.200s: %s", overlay->path,
                       name, strerror(errno));
    }
    if (!allowed(spec, overlay->path, first, base)) {
        return err_set(err, err_len, -EACCES,
                       "image %s: backing_file %.120s is %s; write base=%.120s if it is meant",
                       overlay->path, base,
                       spec->block.base ? "not the base= of the guest file" : "elsewhere", base);
    }
    return 0;
}

static bool same_file(int a, int b)
{
    struct stat sa, sb;

    return !fstat(a, &sa) && !fstat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static int open_base(struct chain *c, const char *path, char *err, size_t err_len)
{
    struct flock fl = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    struct chain_file *f = &c->files[c->count];
    struct stat st;

    if (c->count == CHAIN_MAX) {
        return err_set(err, err_len, -ELOOP, "image %s: it stands on more than %u others",
                       c->files[0].path, CHAIN_MAX - 1);
    }
    f->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (f->fd < 0) {
        return err_set(err, err_len, -errno, "image %s: base %s: %s", c->files[0].path, path,
                       strerror(errno));
    }
    snprintf(f->path, sizeof(f->path), "%s", path);
    c->count++;
    if (fstat(f->fd, &st) || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))) {
        return err_set(err, err_len, -EINVAL, "image %s: base %s: neither file nor block device",
                       c->files[0].path, path);
    }
    for (unsigned i = 0; i + 1 < c->count; i++) {
        if (same_file(c->files[i].fd, f->fd)) {
            return err_set(err, err_len, -ELOOP, "image %s: backing_file: %s stands on itself",
                           c->files[0].path, path);
        }
    }
    if (fcntl(f->fd, F_OFD_SETLK, &fl)) {
        return err_set(err, err_len, -EBUSY,
                       "image %s: base %s: in use by a guest that writes to it", c->files[0].path,
                       path);
    }
    return 0;
}

/* Opens what the last file stands on. 1: nothing, the chain is whole. */
static int follow(const struct devhost_spec *spec, struct chain *c, char *err, size_t err_len)
{
    struct chain_file *f = &c->files[c->count - 1];
    struct qcow2_header h;
    char base[PATH_MAX];
    int rc;

    if (!f->qcow2) {
        return 1;
    }
    rc = examine(f, &h, err, err_len);
    if (rc || !h.backing[0]) {
        return rc ? rc : 1;
    }
    if (strcmp(h.backing_format, "raw") && strcmp(h.backing_format, "qcow2")) {
        return err_set(err, err_len, -EINVAL,
                       "image %s: backing file format: %s; nothing is guessed, say raw or qcow2 "
                       "(qemu-img rebase -u -F FORMAT -b BASE IMAGE)",
                       f->path, h.backing_format[0] ? h.backing_format : "not said");
    }
    rc = find_base(spec, f, c->count == 1, h.backing, base, err, err_len);
    if (!rc) {
        rc = open_base(c, base, err, err_len);
    }
    if (!rc) {
        c->files[c->count - 1].qcow2 = !strcmp(h.backing_format, "qcow2");
    }
    return rc;
}

int chain_open(const struct devhost_spec *spec, struct chain *c, char *err, size_t err_len)
{
    struct devhost_spec buffered = *spec;
    int rc;

    c->count = 0;
    buffered.block.force_buffered = true;
    c->files[0].fd = imagefile_open(&buffered, err, err_len);
    if (c->files[0].fd < 0) {
        return c->files[0].fd;
    }
    c->count = 1;
    c->files[0].qcow2 = true;
    if (!realpath(spec->block.path, c->files[0].path)) {
        rc = err_set(err, err_len, -errno, "image %s: %s", spec->block.path, strerror(errno));
    } else {
        do {
            rc = follow(spec, c, err, err_len);
        } while (!rc);
    }
    if (rc > 0 && spec->block.base && c->count == 1) {
        rc = err_set(err, err_len, -EINVAL, "image %s: base=%s, but the image stands on nothing",
                     spec->block.path, spec->block.base);
    }
    if (rc < 0) {
        chain_close(c);
        return rc;
    }
    return 0;
}

void chain_close(struct chain *c)
{
    while (c->count) {
        close(c->files[--c->count].fd);
    }
}
