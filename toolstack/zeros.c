/* SPDX-License-Identifier: MIT */
/* Zeros in kernel images: see zeros.h. Looks at whole blocks, at addresses that are theirs. */
#include "zeros.h"

#include <string.h>

enum { BLOCK = 16 * 4096 };

struct walk {
    const struct elf_source *src;
    struct elf_image *out; /* what was split already */
    unsigned left;         /* segments that still want a place there */
    uint8_t block[BLOCK];
};

static bool all_zeros(const uint8_t *data, size_t len)
{
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

static void put(struct walk *w, const struct elf_segment *seg)
{
    w->out->segments[w->out->nr_segments++] = *seg;
}

/*
 * The part of seg up to `zeros` from its start has contents, that up to `stop` has none. Both come
 * off seg. False, and seg stays as it is, if there is no room.
 */
static bool split(struct walk *w, struct elf_segment *seg, uint64_t zeros, uint64_t stop)
{
    struct elf_segment head = {
        .offset = seg->offset, .filesz = zeros, .phys = seg->phys, .memsz = stop};

    if (w->out->nr_segments + w->left + 1 >= ELF_MAX_SEGMENTS)
        return false;
    put(w, &head);
    seg->offset += stop;
    seg->phys += stop;
    seg->filesz -= stop;
    seg->memsz -= stop;
    return true;
}

/* The first run of zeros, [*zeros, *stop) from seg's start; false if there is none. */
static bool find_run(struct walk *w, const struct elf_segment *seg, uint64_t *zeros, uint64_t *stop,
                     int *rc)
{
    uint64_t at = (BLOCK - seg->phys % BLOCK) % BLOCK;
    bool found = false;

    for (; at < seg->filesz && seg->filesz - at >= BLOCK; at += BLOCK) {
        if (w->src->read(w->src->ctx, seg->offset + at, w->block, BLOCK) != 0) {
            *rc = -1;
            return false;
        }
        bool zero = all_zeros(w->block, BLOCK);

        if (zero && !found)
            *zeros = at;
        if (!zero && found)
            break;
        found |= zero;
    }
    *stop = at;
    return found;
}

static int split_segment(struct walk *w, struct elf_segment seg)
{
    uint64_t zeros, stop;
    int rc = 0;

    while (find_run(w, &seg, &zeros, &stop, &rc) && split(w, &seg, zeros, stop))
        ;
    if (seg.memsz)
        put(w, &seg);
    return rc;
}

int zeros_split(const struct elf_source *src, struct elf_image *elf)
{
    static struct walk w; /* too large for a stack */
    const struct elf_image whole = *elf;

    w.src = src;
    w.out = elf;
    elf->nr_segments = 0;
    for (unsigned i = 0; i < whole.nr_segments; i++) {
        w.left = whole.nr_segments - i - 1;
        if (split_segment(&w, whole.segments[i]) != 0)
            return -1;
    }
    return 0;
}
