/* SPDX-License-Identifier: MIT */
/*
 * A small vsnprintf: %d %i %u %x %p %s %c %% with `-`, `0`, a width, `l`, `ll`, `z`, and a
 * precision for strings. Always terminates the buffer; returns the length it wanted.
 */
#include <tenue-front/front.h>

struct out {
    char *buf;
    size_t size, len;
};

struct spec {
    bool left, zero;
    unsigned width;
    int precision;
    unsigned longs;
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->size)
        o->buf[o->len] = c;
    o->len++;
}

static void pad(struct out *o, char c, int n)
{
    for (; n > 0; n--)
        put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text)
{
    size_t len = 0;
    int fill;

    while (text[len] && (s->precision < 0 || len < (size_t)s->precision))
        len++;
    fill = (int)s->width - (int)len;
    if (!s->left)
        pad(o, ' ', fill);
    for (size_t i = 0; i < len; i++)
        put(o, text[i]);
    if (s->left)
        pad(o, ' ', fill);
}

static void put_number(struct out *o, const struct spec *s, u64 value, unsigned base, bool minus)
{
    char digits[24];
    int n = 0, fill;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    fill = (int)s->width - n - minus;
    if (!s->left && !s->zero)
        pad(o, ' ', fill);
    if (minus)
        put(o, '-');
    if (!s->left && s->zero)
        pad(o, '0', fill);
    while (n)
        put(o, digits[--n]);
    if (s->left)
        pad(o, ' ', fill);
}

static const char *parse_spec(const char *f, struct spec *s)
{
    *s = (struct spec){.precision = -1};
    for (;; f++) {
        if (*f == '-')
            s->left = true;
        else if (*f == '0')
            s->zero = true;
        else
            break;
    }
    for (; *f >= '0' && *f <= '9'; f++)
        s->width = s->width * 10 + (unsigned)(*f - '0');
    if (*f == '.') {
        s->precision = 0;
        for (f++; *f >= '0' && *f <= '9'; f++)
            s->precision = s->precision * 10 + (*f - '0');
    }
    for (; *f == 'l' || *f == 'z'; f++)
        s->longs++;
    return f;
}

int front_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = {.buf = buf, .size = size};

    for (const char *f = fmt; *f; f++) {
        struct spec s;

        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        f = parse_spec(f + 1, &s);
        if (*f == 's') {
            put_text(&o, &s, va_arg(ap, const char *));
        } else if (*f == 'c') {
            put(&o, (char)va_arg(ap, int));
        } else if (*f == 'd' || *f == 'i') {
            s64 v = s.longs ? va_arg(ap, long) : va_arg(ap, int);

            put_number(&o, &s, v < 0 ? 0 - (u64)v : (u64)v, 10, v < 0);
        } else if (*f == 'u' || *f == 'x') {
            u64 v = s.longs ? va_arg(ap, unsigned long) : va_arg(ap, unsigned);

            put_number(&o, &s, v, *f == 'u' ? 10 : 16, false);
        } else if (*f == 'p') {
            put_number(&o, &s, (u64)va_arg(ap, void *), 16, false);
        } else {
            put(&o, *f);
        }
        if (!*f)
            break;
    }
    if (size)
        buf[o.len < size ? o.len : size - 1] = '\0';
    return (int)o.len;
}

int front_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = front_vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

int front_printf(const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = front_vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    front_console_write(line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
    return n;
}
