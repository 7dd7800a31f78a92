/* SPDX-License-Identifier: MIT */
/* lies.c - shared memory that changes between two reads of it. */
#include "lies.h"

#include <string.h>

#define SEEN 4096u /* addresses read in this turn, hashed: a page's worth */

static const uint8_t *seen[SEEN];
static uint32_t lying;
static unsigned one_in_bits;
static bool (*is_shared)(const uint8_t *at);
static bool inside;

void lies(uint32_t seed, unsigned rarity, bool (*shared)(const uint8_t *at))
{
    lying = seed;
    one_in_bits = rarity;
    is_shared = shared;
}

void reader_enter(void)
{
    memset(seen, 0, sizeof(seen));
    inside = true;
}

void reader_leave(void)
{
    inside = false;
}

bool reader_pause(void)
{
    bool was = inside;

    inside = false;
    return was;
}

void reader_resume(bool was)
{
    inside = was;
}

#ifdef __clang__
UNSEEN static void about_to_read(uint8_t *at, size_t len)
{
    if (!inside || !lying || !is_shared(at))
        return;
    for (size_t i = 0; i < len; i++) {
        const uint8_t **slot = &seen[(uintptr_t)(at + i) % SEEN];

        if (*slot != at + i) {
            *slot = at + i;
            continue;
        }
        lying = lying * 1664525u + 1013904223u;
        if ((uint64_t)lying << one_in_bits >> 32 == 0)
            at[i] ^= (uint8_t)(lying >> 16);
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
/* Whole pages and more are payload, whatever it is. */
UNSEEN void *__wrap___asan_memcpy(void *to, const void *from, size_t len)
{
    about_to_read((uint8_t *)(uintptr_t)from, len < SEEN ? len : 0);
    return __real___asan_memcpy(to, from, len);
}
#endif
