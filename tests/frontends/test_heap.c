/* SPDX-License-Identifier: MIT */
/*
 * The SDK's heap, hosted, over an area that ends.
 *
 * Contract: blocks are aligned, apart from each other, and keep their bytes, whatever is taken and
 * given back in between; all of it given back is one block again; what cannot be had is NULL; a
 * block given back twice ends the guest.
 *
 * Sabotage: in heap.c, do not join with the lower neighbour ("one block again"); let a split keep
 * the block's old size ("apart"); leave out the look at the mark in front_free() ("twice").
 */
#include "check.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenue-front/front.h>
#include <tenue-front/port.h>

#define AREA (4UL << 20)
#define BLOCKS 500
#define ROUNDS 200000

static u8 area[AREA] __attribute__((aligned(4096)));
static size_t given;
unsigned passed, failed;
static jmp_buf out;
static struct {
    u8 *p;
    size_t n;
    u8 fill;
} blocks[BLOCKS];

void *front_port_more(size_t bytes)
{
    void *p = area + given;

    if (bytes > AREA - given)
        return NULL;
    given += bytes;
    return memset(p, 0x99, bytes);
}

void front_panic(const char *fmt, ...)
{
    (void)fmt;
    longjmp(out, 1);
}

static bool whole(unsigned i)
{
    for (size_t k = 0; k < blocks[i].n; k++) {
        if (blocks[i].p[k] != blocks[i].fill)
            return false;
    }
    return true;
}

static bool one_round(unsigned round)
{
    unsigned i = (unsigned)rand() % BLOCKS;
    bool ok = true;

    if (blocks[i].p) {
        ok = whole(i);
        front_free(blocks[i].p);
        blocks[i].p = NULL;
        return ok;
    }
    blocks[i].n = (size_t)rand() % (round % 50 ? 300 : 20000);
    blocks[i].fill = (u8)rand();
    blocks[i].p = front_malloc(blocks[i].n);
    if (blocks[i].p)
        memset(blocks[i].p, blocks[i].fill, blocks[i].n);
    return (u64)blocks[i].p % 16 == 0;
}

static void test_random(void)
{
    unsigned good = 0;

    srand(4711);
    for (unsigned r = 0; r < ROUNDS; r++)
        good += one_round(r);
    CHECK("apart, aligned, and keep their bytes", good == ROUNDS);
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (blocks[i].p) {
            CHECK("apart to the end", whole(i));
            front_free(blocks[i].p);
        }
    }
    CHECK("nothing in use", front_heap_used() == 0);
    good = (unsigned)given;
    blocks[0].p = front_malloc(given - 64);
    CHECK("one block again", blocks[0].p == area + 16 && given == good);
    front_free(blocks[0].p);
}

static void test_limits(void)
{
    void *p;

    CHECK("more than there is", !front_malloc(AREA));
    CHECK("absurd", !front_malloc(~0UL) && !front_malloc(~0UL - 15));
    CHECK("a product that wraps", !front_calloc(1UL << 33, 1UL << 33));
    p = front_calloc(3, 100);
    CHECK("zeroed", p && !memcmp(p, (char[300]){0}, 300));
    front_free(p);
    front_free(NULL);
    p = front_malloc(0);
    CHECK("nothing is something", p != NULL);
    front_free(p);
    if (!setjmp(out)) {
        front_free(p);
        CHECK("twice", false);
    } else {
        CHECK("twice", true);
    }
}

int main(void)
{
    test_random();
    test_limits();
    printf("heap: %u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
