/* SPDX-License-Identifier: MIT */
/*
 * The SDK's reader of archives, hosted: archives made by tar itself, and archives that lie.
 *
 * Contract: every file is found by its name and read whole; the last of two of one name counts; an
 * archive whose lengths or sums cannot be is refused, and nothing is read outside the disk; what
 * was taken from the heap goes back.
 *
 * Sabotage: in tar.c, leave out `sectors > tar->total - at` ("longer than the disk"); the sum
 * ("a wrong sum"); front_tar_close() after a failure ("nothing left").
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenue-front/front.h>
#include <xen/errno.h>

#define DISK_MAX (1UL << 20)

static u8 disk[DISK_MAX];
static u64 sectors;
unsigned passed, failed;
static unsigned taken, given_back;

void *front_malloc(size_t bytes)
{
    taken++;
    return malloc(bytes);
}

void *front_calloc(size_t count, size_t bytes)
{
    taken++;
    return calloc(count, bytes);
}

void front_free(void *p)
{
    given_back += p != NULL;
    free(p);
}

u64 front_blk_sectors(const struct front_blk *blk)
{
    (void)blk;
    return sectors;
}

int front_blk_read(struct front_blk *blk, u64 sector, void *page, unsigned n)
{
    (void)blk;
    if (!n || n > 8 || sector >= sectors || n > sectors - sector) {
        CHECK("a read within the disk", false);
        return -XEN_EINVAL;
    }
    memcpy(page, disk + sector * 512, n * 512);
    return 0;
}

static void load(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(disk, 1, DISK_MAX, f) : 0;

    if (f)
        fclose(f);
    sectors = n / 512;
}

static u8 page[4096], whole[DISK_MAX];

static s64 read_all(struct front_tar *t, const char *name)
{
    const struct front_tar_file *f = front_tar_find(t, name);
    u64 at = 0;
    int n;

    if (!f)
        return -XEN_ENOENT;
    while ((n = front_tar_read(t, f, at, page)) > 0) {
        memcpy(whole + at, page, (size_t)n);
        at += (u64)n;
    }
    return n ? n : (s64)at;
}

static void test_honest(const char *dir)
{
    struct front_tar *t;
    char command[1024], deep[160];
    unsigned n = 0;

    snprintf(deep, sizeof(deep), "sub/%040d/%040d/%040d", 1, 2, 3); /* longer than one field */
    snprintf(command, sizeof(command),
             "rm -rf %s && mkdir -p %s/in/%s && cd %s/in && printf hello >index.html && : >empty &&"
             " seq 1 4000 >sub/numbers && seq 1 9 >%s/deep && ln -s empty link &&"
             " tar --format=ustar -cf ../a.tar . && printf again >index.html &&"
             " tar --format=ustar -rf ../a.tar ./index.html",
             dir, dir, deep, dir, deep);
    CHECK("tar runs", system(command) == 0);
    snprintf(command, sizeof(command), "%s/a.tar", dir);
    load(command);
    CHECK("opens", front_tar_open(NULL, &t) == 0);
    CHECK("the last counts", read_all(t, "index.html") == 5 && !memcmp(whole, "again", 5));
    CHECK("an empty one", read_all(t, "empty") == 0);
    CHECK("a long one", read_all(t, "sub/numbers") == 18893 && !memcmp(whole + 18888, "4000\n", 5));
    strcat(deep, "/deep");
    CHECK("a long name", read_all(t, deep) == 18 && !memcmp(whole, "1\n2\n", 4));
    CHECK("none of that name", read_all(t, "index.htm") == -XEN_ENOENT);
    CHECK("a link is no file", read_all(t, "link") == -XEN_ENOENT);
    CHECK("not from the middle", front_tar_read(t, front_tar_files(t), 512, page) == -XEN_EINVAL);
    for (const struct front_tar_file *f = front_tar_files(t); f; f = f->next)
        n++;
    CHECK("five files", n == 5);
    front_tar_close(t);
    CHECK("nothing left", taken == given_back);
}

static void put_head(unsigned at, const char *name, const char *size, bool right)
{
    u8 *h = disk + at * 512UL;
    unsigned sum = 0;

    memset(h, 0, 512);
    strcpy((char *)h, name);
    memcpy(h + 124, size, strlen(size));
    h[156] = '0';
    memcpy(h + 257, "ustar", 6);
    memset(h + 148, ' ', 8);
    for (unsigned i = 0; i < 512; i++)
        sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum + !right);
}

static void test_lies(void)
{
    static const struct {
        const char *what, *size;
        bool right;
    } lies[] = {{"longer than the disk", "00000010001", true},
                {"much longer", "777777777777", true},
                {"no digits", "0000000001x", true},
                {"only blanks", "            ", true},
                {"a wrong sum", "00000000001", false}};
    struct front_tar *t;

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(lies); i++) {
        memset(disk, 0, sizeof(disk));
        sectors = 10;
        put_head(0, "one", "00000000001", true);
        put_head(2, "two", lies[i].size, lies[i].right);
        CHECK(lies[i].what, front_tar_open(NULL, &t) == -XEN_EINVAL);
        CHECK("nothing left", taken == given_back);
    }
    memset(disk, 0, sizeof(disk));
    put_head(0, "one", "00000010000", true); /* 8 sectors: to the very end, no end mark */
    sectors = 9;
    CHECK("to the end", front_tar_open(NULL, &t) == 0 && read_all(t, "one") == 4096);
    front_tar_close(t);
    sectors = 0;
    CHECK("an empty disk", front_tar_open(NULL, &t) == 0 && !front_tar_files(t));
    front_tar_close(t);
}

int main(int argc, char **argv)
{
    test_honest(argc > 1 ? argv[1] : "build/tests/frontends/tar-in");
    test_lies();
    printf("tar: %u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
