/* SPDX-License-Identifier: MIT */
/* hostile.c - the input, and memory that changes between two reads of it: clang calls us before
 * each load that a driver makes. */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEN 4096u /* addresses read in this call, hashed */

static struct input in;
static const u8 *seen[SEEN];
static u32 lying;
static bool (*is_shared)(const u8 *at);
static bool inside;

void input_is(const u8 *data, size_t size)
{
    in = (struct input){data, size};
}

bool input_left(void)
{
    return in.left != 0;
}

u8 take8(void)
{
    return (u8)input_take(&in, 1);
}

u16 take16(void)
{
    return (u16)input_take(&in, 2);
}

u32 take32(void)
{
    return (u32)input_take(&in, 4);
}

void take(void *to, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((u8 *)to)[i] = take8();
}

void demand(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "demanded: %s\n", what);
        abort();
    }
}

const char *odd_text(void)
{
    static const char *const texts[] = {"0",
                                        "1",
                                        "2",
                                        "4",
                                        "5",
                                        "6",
                                        "12000",
                                        "65535",
                                        "65536",
                                        "4294967296",
                                        "18446744073709551615",
                                        "99999999999999999999999",
                                        "-1",
                                        "x",
                                        "",
                                        "00:16:3e:00:00:00:00"};

    return texts[take8() % FRONT_ARRAY_SIZE(texts)];
}

void poke(u8 *at, size_t size)
{
    size_t offset = take16() % size, len = 1 + take8() % 8;

    for (; len && offset < size; len--)
        at[offset++] = take8();
}

/* ---- lies ---- */

void lies(u32 seed, bool (*shared)(const u8 *at))
{
    lying = seed;
    is_shared = shared;
}

void driver_enter(void)
{
    memset(seen, 0, sizeof(seen));
    inside = true;
}

void driver_leave(void)
{
    inside = false;
}

bool driver_pause(void)
{
    bool was = inside;

    inside = false;
    return was;
}

void driver_resume(bool was)
{
    inside = was;
}

#ifdef __clang__
#define UNSEEN __attribute__((no_sanitize("coverage", "address")))

UNSEEN static void about_to_read(u8 *at, size_t len)
{
    if (!inside || !lying || !is_shared(at))
        return;
    for (size_t i = 0; i < len; i++) {
        const u8 **slot = &seen[(unsigned long)(at + i) % SEEN];

        if (*slot != at + i) {
            *slot = at + i;
            continue;
        }
        lying = lying * 1664525u + 1013904223u;
        if (lying >> 30 == 0)
            at[i] ^= (u8)(lying >> 22);
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
    about_to_read((u8 *)(unsigned long)from, len);
    return __real___asan_memcpy(to, from, len);
}
#endif
