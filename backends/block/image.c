/* SPDX-License-Identifier: MIT */
/*
 * image.c - geometry, modes and operations of a raw image. The descriptor belongs to the caller; a
 * guest cannot influence anything here but where in the image an operation goes, which was checked.
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/log.h"
#include "remote.h"
#include "uring.h"

const struct image_remote *image_remote; /* set by the program that has one */

/* Some file systems take O_DIRECT at open and refuse it at I/O: go on without. */
static void clear_direct(struct image *img)
{
    int flags = fcntl(img->fd, F_GETFL);

    img->direct = false;
    if (flags >= 0) {
        fcntl(img->fd, F_SETFL, flags & ~O_DIRECT);
    }
}

static int init_block(struct image *img)
{
    uint64_t bytes;
    int logical;
    unsigned physical;

    if (ioctl(img->fd, BLKGETSIZE64, &bytes) || ioctl(img->fd, BLKSSZGET, &logical) ||
        ioctl(img->fd, BLKPBSZGET, &physical)) {
        return -errno;
    }
    img->is_block = true;
    img->sectors = bytes / 512;
    img->sector_size = (uint32_t)logical;
    img->physical_sector_size = physical;
    return 0;
}

static int init_file(struct image *img, const struct stat *st)
{
    struct statx sx;

    img->is_block = false;
    img->sectors = (uint64_t)st->st_size / 512;
    img->sector_size = 512;
    img->physical_sector_size = 4096;
    /*
     * A file system on a disk of 4 KiB sectors takes no direct 512-byte I/O; the page cache does.
     */
    if (!statx(img->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) && (sx.stx_mask & STATX_DIOALIGN) &&
        (sx.stx_dio_offset_align > 512 || sx.stx_dio_mem_align > 4096)) {
        clear_direct(img);
    }
    return 0;
}

int image_init(struct image *img, int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    int rc = -EINVAL;

    if (flags < 0 || fstat(fd, &st)) {
        return -errno;
    }
    img->fd = fd;
    img->poll_fd = -1;
    img->direct = flags & O_DIRECT;
    if (S_ISBLK(st.st_mode)) {
        rc = init_block(img);
    } else if (S_ISREG(st.st_mode)) {
        rc = init_file(img, &st);
    }
    if (!rc && (!img->sectors || img->sector_size < 512 || img->sector_size > 4096)) {
        rc = -EINVAL;
    }
    return rc;
}

int image_init_remote(struct image *img, int socket, const struct remote_options *opt)
{
    img->fd = -1;
    img->poll_fd = -1;
    if (!image_remote) {
        close(socket);
        return -EOPNOTSUPP;
    }
    return image_remote->open(img, socket, opt);
}

void image_fini(struct image *img)
{
    if (img->remote) {
        image_remote->close(img);
    }
}

int image_wait(struct image *img)
{
    return img->remote ? image_remote->wait(img) : 0;
}

void image_link(struct image *img, int socket)
{
    if (img->remote) {
        image_remote->link(img, socket);
    } else {
        close(socket);
    }
}

void image_turn(struct image *img)
{
    image_remote->turn(img);
}

bool image_completed(struct image *img, void **tag, int *res)
{
    return img->remote && image_remote->completed(img, tag, res);
}

void image_attach(struct image *img, struct uring *uring)
{
    img->uring = uring;
}

void image_read(struct image *img, void *tag, void *buf, uint32_t len, uint64_t offset)
{
    if (img->remote) {
        image_remote->submit(img, REMOTE_READ, tag, buf, len, offset);
    } else {
        uring_read(img->uring, tag, buf, len, offset);
    }
}

void image_write(struct image *img, void *tag, const void *buf, uint32_t len, uint64_t offset)
{
    if (img->remote) {
        image_remote->submit(img, REMOTE_WRITE, tag, (void *)(uintptr_t)buf, len, offset);
    } else {
        uring_write(img->uring, tag, buf, len, offset);
    }
}

void image_flush(struct image *img, void *tag)
{
    if (img->remote) {
        image_remote->submit(img, REMOTE_FLUSH, tag, NULL, 0, 0);
    } else {
        uring_fdatasync(img->uring, tag);
    }
}

bool image_discard(struct image *img, void *tag, uint64_t offset, uint64_t len, int *rc)
{
    uint64_t range[2] = {offset, len};

    if (img->remote) {
        image_remote->submit(img, REMOTE_TRIM, tag, NULL, len, offset);
        return true;
    }
    if (img->is_block) {
        *rc = ioctl(img->fd, BLKDISCARD, range) ? -errno : 0;
        return false;
    }
    uring_punch(img->uring, tag, offset, len);
    return true;
}

bool image_retry(struct image *img, int res)
{
    if (img->remote) {
        return false; /* what it could be repeated for was repeated */
    }
    if (res == -EINVAL && img->direct) {
        log_line("image refuses direct I/O, going on through the page cache");
        clear_direct(img);
        return true;
    }
    return res == -EAGAIN || res == -EINTR;
}

int image_refresh(struct image *img)
{
    uint64_t before = img->sectors;
    struct stat st;

    if (img->remote) {
        image_remote->refresh(img);
        return img->sectors != before;
    }
    if (img->is_block) {
        uint64_t bytes;

        if (ioctl(img->fd, BLKGETSIZE64, &bytes)) {
            return -errno;
        }
        img->sectors = bytes / 512;
    } else {
        if (fstat(img->fd, &st)) {
            return -errno;
        }
        img->sectors = (uint64_t)st.st_size / 512;
    }
    return img->sectors != before;
}
