/* SPDX-License-Identifier: MIT */
/*
 * image.c - geometry and modes of a raw image. The descriptor belongs to the caller; a guest cannot
 * influence anything here.
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

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
        image_clear_direct(img);
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

void image_clear_direct(struct image *img)
{
    int flags = fcntl(img->fd, F_GETFL);

    img->direct = false;
    if (flags >= 0) {
        fcntl(img->fd, F_SETFL, flags & ~O_DIRECT);
    }
}

int image_discard_block(const struct image *img, uint64_t sector, uint64_t nr_sectors)
{
    uint64_t range[2] = {sector * 512, nr_sectors * 512};

    return ioctl(img->fd, BLKDISCARD, range) ? -errno : 0;
}
