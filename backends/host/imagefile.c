/* SPDX-License-Identifier: MIT */
/*
 * imagefile.c - a disk's image as a file or a block device: opened, locked, asked what it can.
 *
 * It is locked by an open file description lock, shared by this process and the backend, for
 * writing or for reading; the kernel drops it when both are gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "host.h"

static int lock_image(int fd, bool readonly)
{
    struct flock fl = {.l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_OFD_SETLK, &fl) ? -errno : 0;
}

static int open_plain(const char *path, int flags, bool buffered)
{
    int fd = open(path, flags | (buffered ? 0 : O_DIRECT));

    if (fd < 0 && errno == EINVAL && !buffered) {
        fd = open(path, flags); /* tmpfs, and others without direct I/O */
    }
    return fd;
}

int imagefile_open(const struct devhost_spec *spec, char *err, size_t err_len)
{
    const char *path = spec->block.path;
    bool ro = spec->block.readonly;
    int flags = O_CLOEXEC | O_NONBLOCK | (ro ? O_RDONLY : O_RDWR);
    struct stat st;
    int fd, rc;

    if (!path || stat(path, &st)) {
        return err_set(err, err_len, -ENOENT, "image %s: %s", path ? path : "(none)",
                       path ? strerror(errno) : "no path given");
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        return err_set(err, err_len, -EINVAL,
                       "image %s: neither a raw image file nor a block device", path);
    }
    if (S_ISREG(st.st_mode) && st.st_size < 512) {
        return err_set(err, err_len, -EINVAL, "image %s: smaller than one sector", path);
    }
    if (S_ISBLK(st.st_mode) && !ro) {
        flags |= O_EXCL; /* refused while mounted here */
    }
    fd = open_plain(path, flags, spec->block.force_buffered);
    if (fd < 0) {
        return err_set(err, err_len, -errno, "image %s: %s%s", path, strerror(errno),
                       errno == EBUSY ? " (mounted or used in this domain)"
                       : (errno == EACCES || errno == EROFS) && !ro ? " (attach it read-only?)"
                                                                    : "");
    }
    rc = lock_image(fd, ro);
    if (rc) {
        close(fd);
        return err_set(err, err_len, -EBUSY, "image %s: in use by another guest%s", path,
                       ro ? ", which writes to it"
                          : " (attach it read-only in both, or use a copy)");
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
}

static unsigned long long read_number_file(const char *path)
{
    unsigned long long v = 0;
    FILE *f = fopen(path, "re");

    if (!f) {
        return 0;
    }
    if (fscanf(f, "%llu", &v) != 1) {
        v = 0;
    }
    fclose(f);
    return v;
}

static unsigned long long queue_limit(dev_t rdev, const char *name)
{
    static const char *const where[] = {"", "../"}; /* of a partition: its disk's */
    unsigned long long v = 0;
    char path[96];

    for (unsigned i = 0; i < 2 && !v; i++) {
        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/%s", major(rdev), minor(rdev),
                 where[i], name);
        v = read_number_file(path);
    }
    return v;
}

/* A granularity alone does not mean that the device can discard. */
static uint32_t block_discard_granularity(dev_t rdev)
{
    unsigned long long g = queue_limit(rdev, "discard_granularity");

    return queue_limit(rdev, "discard_max_bytes") && g <= UINT32_MAX ? (uint32_t)g : 0;
}

uint32_t imagefile_discard_granularity(int fd)
{
    struct stat st;
    off_t end;

    if (fstat(fd, &st)) {
        return 0;
    }
    if (S_ISBLK(st.st_mode)) {
        return block_discard_granularity(st.st_rdev);
    }
    /* Punching a hole beyond the end changes nothing, and tells whether the file system can. */
    end = (st.st_size + 4095) & ~(off_t)4095;
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end, 4096) ? 0 : 4096;
}
