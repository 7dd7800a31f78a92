/* SPDX-License-Identifier: MIT */
/* guest.c - the input, and which pages are the guest's. */
#include "guest.h"

#include "../../../backends/common/gntdev.h"

#define RANGES 64

static struct {
    uint8_t *base;
    size_t len;
} ranges[RANGES];

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

UNSEEN bool guest_writes(const uint8_t *at)
{
    for (unsigned i = 0; i < RANGES; i++) {
        if (ranges[i].base && at >= ranges[i].base && at < ranges[i].base + ranges[i].len)
            return true;
    }
    return false;
}
