/* SPDX-License-Identifier: MIT */
/*
 * Contract: however a kernel's zeros are split off its segments, what the segments put into memory
 * is the same, every long run of zeros is out of the file's part, and there are never more segments
 * than fit.
 *
 * Sabotage tried and seen to fail: in zeros.c find_run(), `*stop = at` made `*stop = at + BLOCK`
 * (memory differs); in split(), `>= ELF_MAX_SEGMENTS` made `>` (one segment too many).
 */
#include "tests.h"

#include "../../toolstack/zeros.h"

#include <CUnit/CUnit.h>
#include <string.h>

enum { BLOCK = 64 * 1024, ROOM = 130 * BLOCK };

static uint8_t file[ROOM], before[ROOM], after[ROOM];

static int read_file(void *ctx, uint64_t offset, void *to, size_t len)
{
    (void)ctx;
    if (offset > ROOM || len > ROOM - offset)
        return -1;
    memcpy(to, file + offset, len);
    return 0;
}

static const struct elf_source source = {.read = read_file, .size = ROOM};

static void load(const struct elf_image *elf, uint8_t *memory)
{
    memset(memory, 0xaa, ROOM);
    for (unsigned i = 0; i < elf->nr_segments; i++) {
        const struct elf_segment *s = &elf->segments[i];

        CU_ASSERT_FATAL(s->filesz <= s->memsz && s->phys + s->memsz <= ROOM);
        memcpy(memory + s->phys, file + s->offset, s->filesz);
        memset(memory + s->phys + s->filesz, 0, s->memsz - s->filesz);
    }
}

/* Splits, compares what memory holds, and returns how many bytes of the file are still read. */
static uint64_t split(struct elf_image *elf)
{
    uint64_t bytes = 0;

    load(elf, before);
    CU_ASSERT_FATAL(zeros_split(&source, elf) == 0);
    CU_ASSERT_FATAL(elf->nr_segments <= ELF_MAX_SEGMENTS);
    load(elf, after);
    CU_ASSERT(memcmp(before, after, ROOM) == 0);
    for (unsigned i = 0; i < elf->nr_segments; i++)
        bytes += elf->segments[i].filesz;
    return bytes;
}

static void test_kernel(void)
{
    /* File and memory are 4 KiB apart, as if by a header. */
    struct elf_image elf = {.nr_segments = 2,
                            .segments = {{4096, 40 * BLOCK, 0, 40 * BLOCK},
                                         {50 * BLOCK, 5 * BLOCK, 45 * BLOCK, 9 * BLOCK}}};

    memset(file, 0x55, ROOM);
    memset(file + 4096 + 3 * BLOCK, 0, 7 * BLOCK);      /* blocks 3 to 9 */
    memset(file + 4096 + 20 * BLOCK + 99, 0, BLOCK);    /* no whole block */
    memset(file + 4096 + 30 * BLOCK - 9, 0, BLOCK + 9); /* block 30 */
    memset(file + 53 * BLOCK, 0, 2 * BLOCK);            /* the second's end */
    CU_ASSERT_EQUAL(split(&elf), (32 + 3) * BLOCK);
    CU_ASSERT_EQUAL(elf.nr_segments, 5);
}

static void test_nothing_but_zeros(void)
{
    struct elf_image elf = {.nr_segments = 1, .segments = {{0, 8 * BLOCK, 0, 9 * BLOCK}}};

    memset(file, 0, ROOM);
    CU_ASSERT_EQUAL(split(&elf), 0);
}

static void test_more_runs_than_room(void)
{
    struct elf_image elf = {
        .nr_segments = 2,
        .segments = {{0, 120 * BLOCK, 0, 120 * BLOCK}, {120 * BLOCK, BLOCK, 120 * BLOCK, BLOCK}}};

    for (unsigned i = 0; i < 130; i++)
        memset(file + i * BLOCK, i & 1, BLOCK);
    split(&elf);
    CU_ASSERT_EQUAL(elf.nr_segments, ELF_MAX_SEGMENTS);
}

/* Any segments, any contents; they may overlap as far as one follows the other in memory. */
static void test_any(void)
{
    uint32_t rnd = 11;

    for (unsigned round = 0; round < 200; round++) {
        struct elf_image elf = {.nr_segments = 1 + round % 3};

        for (unsigned i = 0; i < ROOM / 16384; i++) {
            rnd = rnd * 1664525 + 1013904223;
            memset(file + i * 16384, rnd >> 30 ? 0 : 7, 16384);
        }
        for (unsigned i = 0; i < elf.nr_segments; i++) {
            rnd = rnd * 1664525 + 1013904223;
            elf.segments[i] = (struct elf_segment){.offset = rnd >> 13,
                                                   .filesz = rnd >> 11 & 0xfffff,
                                                   .phys = i * 40 * BLOCK + (rnd >> 12 & 0xffff)};
            elf.segments[i].memsz = elf.segments[i].filesz + (rnd >> 20);
        }
        split(&elf);
    }
}

static void test_unreadable(void)
{
    struct elf_image elf = {.nr_segments = 1,
                            .segments = {{ROOM - BLOCK, 3 * BLOCK, 0, 3 * BLOCK}}};

    CU_ASSERT(zeros_split(&source, &elf) != 0);
}

const struct test tests_zeros[] = {
    {"zeros of a kernel's shape are split off", test_kernel},
    {"a segment of zeros is nothing in the file", test_nothing_but_zeros},
    {"more runs than segments fit", test_more_runs_than_room},
    {"any segments put the same into memory", test_any},
    {"an image that ends early", test_unreadable},
    {NULL, NULL},
};
