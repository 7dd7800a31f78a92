/* SPDX-License-Identifier: MIT */
/*
 * The little of a C library that the hypervisor uses. mem* and str* keep their standard names and
 * meaning (the compiler emits calls to some of them): lib/string.c on metal, libc in the hosted
 * build. fmt_* and bitmap_* are ours in both.
 */
#ifndef TENUE_LIB_H
#define TENUE_LIB_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/*
 * printf subset: %% c s d i u x X p, flags 0 - # +, width and precision (also *), length h hh l ll
 * z. Always terminates the text when size > 0; returns the length it would have without the limit.
 */
int fmt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
int fmt_snprintf(char *buf, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Copy at most size - 1 characters and terminate; for fixed text fields. */
void str_copy(char *dst, const char *src, size_t size);
/* The number that s begins with, decimal or, after 0x, hexadecimal: characters taken, 0 when it is
 * none or too large (*value is 0 then). */
size_t str_number(const char *s, size_t len, uint64_t *value);

/* Atomic bit operations on words that a guest or another CPU changes too. True: it was set. */
static inline bool bit_test_and_set(uint64_t *words, unsigned bit)
{
    bool was;

    __asm__ volatile("lock btsq %2, %0"
                     : "+m"(words[bit / 64]), "=@ccc"(was)
                     : "r"((uint64_t)(bit % 64))
                     : "memory");
    return was;
}
static inline bool bit_test_and_clear(uint64_t *words, unsigned bit)
{
    bool was;

    __asm__ volatile("lock btrq %2, %0"
                     : "+m"(words[bit / 64]), "=@ccc"(was)
                     : "r"((uint64_t)(bit % 64))
                     : "memory");
    return was;
}
static inline bool bit_test(const uint64_t *words, unsigned bit)
{
    return (*(const volatile uint64_t *)&words[bit / 64] >> (bit % 64)) & 1;
}

#endif
