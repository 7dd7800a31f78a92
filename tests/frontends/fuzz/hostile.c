/* SPDX-License-Identifier: MIT */
/* hostile.c - the input, and what is made of it. */
#include "hostile.h"

static struct input in;

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
