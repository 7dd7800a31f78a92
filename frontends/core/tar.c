/* SPDX-License-Identifier: MIT */
/*
 * Files of a tar archive on a disk (ustar, as `tar --format=ustar` or GNU tar without long names
 * makes it), read only: the simplest file system there is, and every machine can write it. The
 * names and places of all files are read once; bytes are read from the disk when asked for.
 *
 * The disk is not trusted: an archive whose lengths lead out of it is refused whole. What is no
 * ordinary file (directories, links, extended headers) is passed over; names that need an extended
 * header are not found.
 */
#include <tenue-front/front.h>
#include <xen/errno.h>

#define SECTOR 512u
#define NAME_AT 0u
#define NAME_LEN 100u
#define SIZE_AT 124u
#define SUM_AT 148u
#define TYPE_AT 156u
#define MAGIC_AT 257u
#define PREFIX_AT 345u
#define PREFIX_LEN 155u

struct front_tar {
    struct front_blk *blk;
    const struct front_tar_file *files; /* the last one of the archive first */
    u64 total;
};

/* Octal digits, then a blank or nothing; false if it is none. */
static bool octal(const u8 *p, unsigned len, u64 *value)
{
    unsigned i = 0;

    *value = 0;
    while (i < len && p[i] == ' ')
        i++;
    if (i == len)
        return false;
    for (; i < len && p[i] && p[i] != ' '; i++) {
        if (p[i] < '0' || p[i] > '7')
            return false;
        *value = *value * 8 + (u64)(p[i] - '0');
    }
    return true;
}

static bool sum_right(const u8 *head)
{
    u64 sum = 0, said;

    for (unsigned i = 0; i < SECTOR; i++)
        sum += i >= SUM_AT && i < SUM_AT + 8 ? ' ' : head[i];
    return octal(head + SUM_AT, 8, &said) && said == sum;
}

static bool all_zero(const u8 *head)
{
    for (unsigned i = 0; i < SECTOR; i++) {
        if (head[i])
            return false;
    }
    return true;
}

static unsigned append(char *to, unsigned at, const u8 *from, unsigned max)
{
    for (unsigned i = 0; i < max && from[i]; i++)
        to[at++] = (char)from[i];
    return at;
}

/* Without "./" and slashes before it. */
static int add_file(struct front_tar *tar, const u8 *head, u64 sector, u64 size)
{
    struct front_tar_file *f = front_calloc(1, sizeof(*f) + PREFIX_LEN + NAME_LEN + 2);
    char *name;
    unsigned len = 0;

    if (!f)
        return -XEN_ENOMEM;
    name = (char *)(f + 1);
    if (!memcmp(head + MAGIC_AT, "ustar", 6) && head[PREFIX_AT]) {
        len = append(name, 0, head + PREFIX_AT, PREFIX_LEN);
        name[len++] = '/';
    }
    append(name, len, head + NAME_AT, NAME_LEN);
    while (*name == '/' || (*name == '.' && name[1] == '/'))
        name++;
    f->name = name;
    f->sector = sector;
    f->size = size;
    f->next = tar->files;
    tar->files = f;
    return 0;
}

static int read_index(struct front_tar *tar, u8 *head)
{
    u64 at = 0;

    while (at < tar->total) {
        u64 size, sectors;
        int rc = front_blk_read(tar->blk, at, head, 1);

        if (rc)
            return rc;
        if (all_zero(head))
            return 0;
        if (!sum_right(head) || !octal(head + SIZE_AT, 12, &size))
            return -XEN_EINVAL;
        sectors = size / SECTOR + (size % SECTOR != 0);
        at++;
        if (sectors > tar->total - at)
            return -XEN_EINVAL;
        if (head[TYPE_AT] == '0' || head[TYPE_AT] == '\0') {
            rc = add_file(tar, head, at, size);
            if (rc)
                return rc;
        }
        at += sectors;
    }
    return 0;
}

int front_tar_open(struct front_blk *blk, struct front_tar **tar)
{
    struct front_tar *t = front_calloc(1, sizeof(*t));
    u8 *head = front_malloc(SECTOR);
    int rc = -XEN_ENOMEM;

    if (t && head) {
        t->blk = blk;
        t->total = front_blk_sectors(blk);
        rc = read_index(t, head);
    }
    front_free(head);
    if (rc) {
        front_tar_close(t);
        return rc;
    }
    *tar = t;
    return 0;
}

const struct front_tar_file *front_tar_files(const struct front_tar *tar)
{
    return tar->files;
}

const struct front_tar_file *front_tar_find(const struct front_tar *tar, const char *name)
{
    for (const struct front_tar_file *f = tar->files; f; f = f->next) {
        if (!strcmp(f->name, name))
            return f;
    }
    return NULL;
}

int front_tar_read(struct front_tar *tar, const struct front_tar_file *file, u64 offset, void *page)
{
    u64 left;
    int rc;

    if (offset % FRONT_PAGE_SIZE || offset >= file->size)
        return offset == file->size ? 0 : -XEN_EINVAL;
    left = file->size - offset;
    if (left > FRONT_PAGE_SIZE)
        left = FRONT_PAGE_SIZE;
    rc = front_blk_read(tar->blk, file->sector + offset / SECTOR, page,
                        (unsigned)((left + SECTOR - 1) / SECTOR));
    return rc ? rc : (int)left;
}

void front_tar_close(struct front_tar *tar)
{
    while (tar && tar->files) {
        const struct front_tar_file *f = tar->files;

        tar->files = f->next;
        front_free((void *)f);
    }
    front_free(tar);
}
