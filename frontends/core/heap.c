/* SPDX-License-Identifier: MIT */
/*
 * A heap: first fit over a list of free blocks that is kept in the order of addresses, so that
 * neighbours join when one is given back. It grows by what the port adds behind its end, and never
 * shrinks. Owns every byte between blocks; each block begins with its length and a mark, which
 * tell a block given back twice, or one that was written past, from one in order.
 *
 * Not locked: one vCPU at a time.
 */
#include <tenue-front/front.h>
#include <tenue-front/port.h>

#define ALIGN 16UL
#define MARK_USED 0x64657375UL
#define MARK_FREE 0x65657266UL
#define GROW (16 * FRONT_PAGE_SIZE)

struct block {
    u64 size; /* with this head; a multiple of ALIGN */
    u64 mark;
    struct block *next; /* of a free one: the next by address. A used one's bytes begin here. */
};

#define HEAD offsetof(struct block, next)
#define SMALLEST (2 * ALIGN)

static struct block *free_list;
static u64 in_use;

static bool joins(const struct block *low, const struct block *high)
{
    return (const char *)low + low->size == (const char *)high;
}

static void insert(struct block *b)
{
    struct block **at = &free_list, *low = NULL;

    while (*at && *at < b) {
        low = *at;
        at = &low->next;
    }
    b->mark = MARK_FREE;
    b->next = *at;
    *at = b;
    if (b->next && joins(b, b->next)) {
        b->size += b->next->size;
        b->next = b->next->next;
    }
    if (low && joins(low, b)) {
        low->size += b->size;
        low->next = b->next;
    }
}

static bool grow(u64 size)
{
    u64 bytes = (size + GROW - 1) / GROW * GROW;
    struct block *b = front_port_more(bytes);

    if (!b)
        return false;
    b->size = bytes;
    insert(b);
    return true;
}

static struct block *first_fit(u64 size)
{
    for (struct block **at = &free_list; *at; at = &(*at)->next) {
        struct block *b = *at;

        if (b->mark != MARK_FREE)
            front_panic("heap: the free block at %p was written to", (void *)b);
        if (b->size < size)
            continue;
        *at = b->next;
        if (b->size - size >= SMALLEST) {
            struct block *rest = (struct block *)((char *)b + size);

            rest->size = b->size - size;
            rest->mark = MARK_FREE;
            rest->next = b->next;
            *at = rest;
            b->size = size;
        }
        b->mark = MARK_USED;
        return b;
    }
    return NULL;
}

void *front_malloc(size_t bytes)
{
    u64 size = (bytes + HEAD + ALIGN - 1) & ~(ALIGN - 1);
    struct block *b;

    if (bytes > 1UL << 40)
        return NULL;
    if (size < SMALLEST)
        size = SMALLEST;
    b = first_fit(size);
    if (!b && grow(size))
        b = first_fit(size);
    if (!b)
        return NULL;
    in_use += b->size;
    return (char *)b + HEAD;
}

void *front_calloc(size_t count, size_t bytes)
{
    void *p;

    if (bytes && count > ~0UL / bytes)
        return NULL;
    p = front_malloc(count * bytes);
    return p ? memset(p, 0, count * bytes) : NULL;
}

void front_free(void *p)
{
    struct block *b = p ? (struct block *)((char *)p - HEAD) : NULL;

    if (!b)
        return;
    if (b->mark != MARK_USED)
        front_panic("heap: %p was given back before, or never taken", p);
    in_use -= b->size;
    insert(b);
}

u64 front_heap_used(void)
{
    return in_use;
}
