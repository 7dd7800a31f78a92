/* SPDX-License-Identifier: MIT */
/*
 * Formatted text into a buffer: the subset that lib.h lists. No allocation, no locale, no floating
 * point; an unknown conversion is copied as it stands, so a mistake shows in the output.
 */
#include "lib.h"

struct out {
    char *buf;
    size_t size, len; /* len counts what would be written without the limit */
};

struct spec {
    bool left, zero, alt, plus;
    int width, precision; /* precision -1: not given */
    int size;             /* bytes of an integer argument */
};

static void out_char(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void out_repeat(struct out *o, char c, int n)
{
    while (n-- > 0)
        out_char(o, c);
}

static void out_text(struct out *o, const struct spec *s, const char *text, size_t len)
{
    int pad = s->width - (int)len;

    if (!s->left)
        out_repeat(o, ' ', pad);
    for (size_t i = 0; i < len; i++)
        out_char(o, text[i]);
    if (s->left)
        out_repeat(o, ' ', pad);
}

/* prefix: sign or 0x; zeros between it and the digits come from precision or the 0 flag. */
static void out_number(struct out *o, const struct spec *s, uint64_t value, unsigned base,
                       const char *prefix, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[24];
    int n = 0, prefix_len = (int)strlen(prefix), zeros = 0, pad;

    while (value || n == 0) {
        text[n++] = digits[value % base];
        value /= base;
    }
    if (s->precision > n)
        zeros = s->precision - n;
    else if (s->zero && !s->left && s->precision < 0 && s->width > n + prefix_len)
        zeros = s->width - n - prefix_len;
    pad = s->width - n - prefix_len - zeros;
    if (!s->left)
        out_repeat(o, ' ', pad);
    while (*prefix)
        out_char(o, *prefix++);
    out_repeat(o, '0', zeros);
    while (n)
        out_char(o, text[--n]);
    if (s->left)
        out_repeat(o, ' ', pad);
}

static const char *parse_flags(const char *f, struct spec *s)
{
    for (;; f++) {
        if (*f == '-')
            s->left = true;
        else if (*f == '0')
            s->zero = true;
        else if (*f == '#')
            s->alt = true;
        else if (*f == '+')
            s->plus = true;
        else
            return f;
    }
}

static const char *parse_int(const char *f, int *value)
{
    *value = 0;
    while (*f >= '0' && *f <= '9' && *value < 100000)
        *value = *value * 10 + (*f++ - '0');
    return f;
}

static const char *parse_size(const char *f, int *size)
{
    *size = sizeof(int);
    if (*f == 'h')
        return f[1] == 'h' ? (*size = 1, f + 2) : (*size = 2, f + 1);
    if (*f == 'l' || *f == 'z') {
        *size = 8;
        return f[1] == 'l' ? f + 2 : f + 1;
    }
    return f;
}

static uint64_t truncate_to(uint64_t v, int size)
{
    return size == 8 ? v : v & ((1ull << (8 * size)) - 1);
}

static int64_t sign_extend(uint64_t v, int size)
{
    unsigned shift = 64 - 8 * (unsigned)size;

    return (int64_t)(v << shift) >> shift;
}

static void out_signed(struct out *o, const struct spec *s, uint64_t raw)
{
    int64_t v = sign_extend(raw, s->size);

    if (v < 0)
        out_number(o, s, 0 - (uint64_t)v, 10, "-", false);
    else
        out_number(o, s, (uint64_t)v, 10, s->plus ? "+" : "", false);
}

int fmt_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = {.buf = buf, .size = size};

    for (; *fmt; fmt++) {
        struct spec s = {.precision = -1};
        const char *start = fmt, *text;
        char c;

        if (*fmt != '%') {
            out_char(&o, *fmt);
            continue;
        }
        fmt = parse_flags(fmt + 1, &s);
        if (*fmt == '*') {
            s.width = va_arg(ap, int);
            fmt++;
        } else {
            fmt = parse_int(fmt, &s.width);
        }
        if (*fmt == '.') {
            if (fmt[1] == '*') {
                s.precision = va_arg(ap, int);
                fmt += 2;
            } else {
                fmt = parse_int(fmt + 1, &s.precision);
            }
        }
        fmt = parse_size(fmt, &s.size);
        switch (*fmt) {
        case '%':
            out_char(&o, '%');
            break;
        case 'c':
            c = (char)va_arg(ap, int);
            out_text(&o, &s, &c, 1);
            break;
        case 's':
            text = va_arg(ap, const char *);
            if (!text)
                text = "(null)";
            out_text(&o, &s, text,
                     s.precision < 0 ? strlen(text) : strnlen(text, (size_t)s.precision));
            break;
        case 'd':
        case 'i':
            out_signed(&o, &s, s.size == 8 ? va_arg(ap, uint64_t) : va_arg(ap, unsigned));
            break;
        case 'u':
        case 'x':
        case 'X': {
            uint64_t v =
                truncate_to(s.size == 8 ? va_arg(ap, uint64_t) : va_arg(ap, unsigned), s.size);
            bool hex = *fmt != 'u';

            out_number(&o, &s, v, hex ? 16 : 10, hex && s.alt && v ? "0x" : "", *fmt == 'X');
            break;
        }
        case 'p':
            out_number(&o, &s, (uint64_t)va_arg(ap, void *), 16, "0x", false);
            break;
        default:
            while (start <= fmt && *start)
                out_char(&o, *start++);
            if (!*fmt)
                fmt--;
        }
    }
    if (size)
        buf[o.len < size ? o.len : size - 1] = 0;
    return (int)o.len;
}

int fmt_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = fmt_vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return len;
}

void str_copy(char *dst, const char *src, size_t size)
{
    size_t n = strnlen(src, size - 1);

    memcpy(dst, src, n);
    dst[n] = 0;
}

size_t str_number(const char *s, size_t len, uint64_t *value)
{
    const bool hex = len > 2 && s[0] == '0' && (s[1] | 0x20) == 'x';
    const unsigned base = hex ? 16 : 10, first = hex ? 2 : 0;
    uint64_t v = 0;
    size_t n;

    *value = 0;
    for (n = first; n < len; n++) {
        unsigned digit = (unsigned)(s[n] - '0');

        if (digit > 9)
            digit = (unsigned)((s[n] | 0x20) - 'a') + 10;
        if (digit >= base)
            break;
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, digit, &v))
            return 0;
    }
    *value = v;
    return n == first ? 0 : n;
}
