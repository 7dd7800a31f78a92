/* SPDX-License-Identifier: MIT */
/*
 * Memory, as guests and their processors use it (threads.h); built without the thread sanitizer. By
 * one instruction, so that the compiler puts in no call of memcpy, which the sanitizer would watch.
 */
#include "threads.h"

#include "../unit/fake/tlb.h"

/* Words are read and written whole. */
void raw_copy(void *to, const void *from, uint64_t bytes)
{
    uint64_t words = bytes / 8, rest = bytes % 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest)::"memory");
}

void raw_clear(void *to, uint64_t bytes)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(0) : "memory");
}

/* A grant copy: from one guest's frame to another's, while both may write. */
void *__real_memmove(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n)
{
    uint8_t copy[PAGE_SIZE];
    const uint64_t at = (uint64_t)((const uint8_t *)from - hal_direct_map);

    if (n > PAGE_SIZE || at >= frame_count << PAGE_SHIFT)
        return __real_memmove(to, from, n);
    raw_copy(copy, from, n);
    raw_copy(to, copy, n);
    return to;
}

/* Page by page through this CPU's TLB; `here` NULL: zeros. Bytes not copied. */
static uint64_t copy_pages(uint8_t *here, uint64_t va, uint64_t bytes, bool to_guest)
{
    const struct cpu *c = this_cpu();

    while (bytes) {
        const uint64_t n = MIN(bytes, PAGE_SIZE - va % PAGE_SIZE);
        uint8_t *p = fake_translate(c->id, c->root, va, to_guest);

        if (!p)
            break;
        if (to_guest)
            raw_copy(p, here, n);
        else
            raw_copy(here, p, n);
        here += n;
        va += n;
        bytes -= n;
    }
    return bytes;
}

uint64_t hal_copy_from_guest(void *dst, uint64_t src, uint64_t bytes)
{
    return copy_pages(dst, src, bytes, false);
}

uint64_t hal_copy_to_guest(uint64_t dst, const void *src, uint64_t bytes)
{
    union {
        const void *in;
        void *out;
    } from = {src};

    return copy_pages(from.out, dst, bytes, true);
}

bool fake_load(uint64_t va, uint64_t *value)
{
    return copy_pages((uint8_t *)value, va, sizeof(*value), false) == 0;
}

bool fake_store(uint64_t va, uint64_t value)
{
    return copy_pages((uint8_t *)&value, va, sizeof(value), true) == 0;
}
