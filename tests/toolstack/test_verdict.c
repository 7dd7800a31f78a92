/* SPDX-License-Identifier: MIT */
/*
 * Contract: what the examiner said of a kernel file is recalled for that very file as it was, and
 * for no other; nothing is kept of a file that changed just now or while it was looked into.
 *
 * Sabotage tried and seen to fail: in verdict.c same(), sizeof(of_a) less the last 16 bytes (the
 * time of change); left_alone() that is always true.
 */
#include "tests.h"

#include "../../toolstack/verdict.h"

#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64], slot[96];

static void remove_all(void)
{
    char command[96];

    snprintf(command, sizeof(command), "rm -rf %s", dir);
    CU_ASSERT(system(command) == 0);
}

static struct elf_image some_elf(void)
{
    struct elf_image elf = {.nr_segments = 1, .entry = 0x1234, .guest_os = "linux"};

    elf.segments[0] = (struct elf_segment){.offset = 64, .filesz = 100, .memsz = 200};
    return elf;
}

/* A file that has been left alone for long, whatever was built just now. */
static int old_file(struct stat *st)
{
    int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);

    CU_ASSERT_FATAL(fd >= 0 && fstat(fd, st) == 0);
    strcpy(dir, "/tmp/test-verdict-XXXXXX");
    CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
    snprintf(slot, sizeof(slot), "%s/%u", dir, (unsigned)(st->st_ino % 64));
    return fd;
}

static void test_recalled(void)
{
    struct elf_image elf = some_elf(), back;
    struct stat st;
    int fd = old_file(&st);

    CU_ASSERT_FALSE(verdict_recall(dir, &st, &back));
    verdict_keep(dir, fd, &st, &elf);
    CU_ASSERT_TRUE_FATAL(verdict_recall(dir, &st, &back));
    CU_ASSERT(memcmp(&elf, &back, sizeof(elf)) == 0);
    elf.entry++; /* another's turn in the same slot */
    verdict_keep(dir, fd, &st, &elf);
    CU_ASSERT(verdict_recall(dir, &st, &back) && back.entry == elf.entry);
    close(fd);
    remove_all();
}

static void test_another_file(void)
{
    struct elf_image elf = some_elf(), back;
    struct stat st, other[7];
    int fd = old_file(&st);

    verdict_keep(dir, fd, &st, &elf);
    for (size_t i = 0; i < 7; i++)
        other[i] = st;
    other[0].st_dev++;
    other[1].st_ino += 64; /* the same slot */
    other[2].st_size++;
    other[3].st_mtim.tv_sec++;
    other[4].st_mtim.tv_nsec++;
    other[5].st_ctim.tv_sec++;
    other[6].st_ctim.tv_nsec++;
    for (size_t i = 0; i < 7; i++)
        CU_ASSERT_FALSE(verdict_recall(dir, &other[i], &back));
    CU_ASSERT_TRUE(verdict_recall(dir, &st, &back));
    CU_ASSERT(truncate(slot, 100) == 0);
    CU_ASSERT_FALSE(verdict_recall(dir, &st, &back));
    CU_ASSERT(unlink(slot) == 0 && symlink("/bin/sh", slot) == 0);
    CU_ASSERT_FALSE(verdict_recall(dir, &st, &back));
    close(fd);
    remove_all();
}

static void test_not_kept(void)
{
    char path[] = "/tmp/test-verdict-file-XXXXXX";
    struct elf_image elf = some_elf(), back;
    struct stat st, before;
    int fd = old_file(&st), fresh = mkstemp(path);

    CU_ASSERT_FATAL(fresh >= 0 && write(fresh, "x", 1) == 1 && fstat(fresh, &before) == 0);
    verdict_keep(dir, fresh, &before, &elf); /* changed just now */
    CU_ASSERT_FALSE(verdict_recall(dir, &before, &back));
    before = st;
    before.st_size--; /* has grown while it was looked into */
    verdict_keep(dir, fd, &before, &elf);
    CU_ASSERT_FALSE(verdict_recall(dir, &before, &back));
    CU_ASSERT_FALSE(verdict_recall(dir, &st, &back));
    verdict_keep("/nonexistent/kernels", fd, &st, &elf); /* not kept, and no complaint */
    close(fd);
    close(fresh);
    unlink(path);
    remove_all();
}

const struct test tests_verdict[] = {
    {"verdict: recalled for the same file", test_recalled},
    {"verdict: for no other file", test_another_file},
    {"verdict: not kept of what changes", test_not_kept},
    {NULL, NULL},
};
