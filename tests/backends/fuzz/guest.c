/* SPDX-License-Identifier: MIT */
/*
 * guest.c - the input, and the lying memory (BE-1): clang calls us before each load that the
 * backend makes; one from a mapped page that was made before in this turn finds the page changed.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../backends/common/gntdev.h"

#define RANGES 64
#define SEEN 4096u /* a page's worth of addresses, hashed */

static struct {
    uint8_t *base;
    size_t len;
} ranges[RANGES];
static uintptr_t seen[SEEN];
static uint32_t lying;

uint8_t take8(struct input *in)
{
    return (uint8_t)input_take(in, 1);
}

uint16_t take16(struct input *in)
{
    return (uint16_t)input_take(in, 2);
}

uint32_t take32(struct input *in)
{
    return (uint32_t)input_take(in, 4);
}

void take(struct input *in, void *to, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)to)[i] = take8(in);
}

void demand(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "demanded: %s\n", what);
        abort();
    }
}

/* ---- which pages are the guest's ---- */

void *__real_gntdev_map(struct gntdev *g, unsigned count, uint32_t *refs, bool writable);
void *__wrap_gntdev_map(struct gntdev *g, unsigned count, uint32_t *refs, bool writable);
void __real_gntdev_unmap(struct gntdev *g, void *addr, unsigned count);
void __wrap_gntdev_unmap(struct gntdev *g, void *addr, unsigned count);

void *__wrap_gntdev_map(struct gntdev *g, unsigned count, uint32_t *refs, bool writable)
{
    uint8_t *base = __real_gntdev_map(g, count, refs, writable);

    for (unsigned i = 0; base && i < RANGES; i++) {
        if (!ranges[i].base) {
            ranges[i].base = base;
            ranges[i].len = writable ? count * (size_t)GNT_PAGE : 0;
            break;
        }
    }
    return base;
}

void __wrap_gntdev_unmap(struct gntdev *g, void *addr, unsigned count)
{
    for (unsigned i = 0; i < RANGES; i++) {
        if (ranges[i].base == addr)
            ranges[i].base = NULL;
    }
    __real_gntdev_unmap(g, addr, count);
}

int __real_gntdev_copy(struct gntdev *g, bool to_guest, const struct gnt_copy *pieces,
                       unsigned count, bool *bad);
int __wrap_gntdev_copy(struct gntdev *g, bool to_guest, const struct gnt_copy *pieces,
                       unsigned count, bool *bad);

/* What crosses a page's end must have been refused before. */
int __wrap_gntdev_copy(struct gntdev *g, bool to_guest, const struct gnt_copy *pieces,
                       unsigned count, bool *bad)
{
    for (unsigned i = 0; i < count; i++)
        demand(pieces[i].len && pieces[i].offset + pieces[i].len <= GNT_PAGE,
               "copies within pages");
    return __real_gntdev_copy(g, to_guest, pieces, count, bad);
}

/* ---- lies ---- */

void lie_begin(uint32_t seed)
{
    lying = seed;
    lie_next_turn();
}

void lie_next_turn(void)
{
    memset(seen, 0, sizeof(seen));
}

void lie_end(void)
{
    lying = 0;
}

#ifdef __clang__
#define UNSEEN __attribute__((no_sanitize("coverage", "address")))

UNSEEN static bool is_shared(const uint8_t *at)
{
    for (unsigned i = 0; i < RANGES; i++) {
        if (ranges[i].base && at >= ranges[i].base && at < ranges[i].base + ranges[i].len)
            return true;
    }
    return false;
}

UNSEEN static void about_to_read(void *addr, size_t len)
{
    uint8_t *at = addr;

    if (!lying || !is_shared(at))
        return;
    for (size_t i = 0; i < len; i++) {
        uintptr_t *slot = &seen[(uintptr_t)(at + i) % SEEN];

        if (*slot != (uintptr_t)(at + i)) {
            *slot = (uintptr_t)(at + i);
            continue;
        }
        lying = lying * 1664525u + 1013904223u;
        at[i] ^= (uint8_t)(lying >> 24);
    }
}

#define LOAD(bytes)                                                                                \
    void __sanitizer_cov_load##bytes(void *addr);                                                  \
    UNSEEN void __sanitizer_cov_load##bytes(void *addr)                                            \
    {                                                                                              \
        about_to_read(addr, bytes);                                                                \
    }
LOAD(1)
LOAD(2)
LOAD(4)
LOAD(8)
LOAD(16)

void *__real___asan_memcpy(void *to, const void *from, size_t len);
void *__wrap___asan_memcpy(void *to, const void *from, size_t len);
UNSEEN void *__wrap___asan_memcpy(void *to, const void *from, size_t len)
{
    about_to_read((void *)(uintptr_t)from, len < SEEN ? len : 0);
    return __real___asan_memcpy(to, from, len);
}
#endif
