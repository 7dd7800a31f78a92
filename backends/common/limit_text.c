/* SPDX-License-Identifier: MIT */
/* limit_text.c - limits as people write them: see limit.h. Pure. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tenue/limit.h>

struct unit {
    const char *name;
    uint64_t factor, divisor;
};

/* Longer names before those that they begin with. Decimal as in xl.cfg(5). */
static const struct unit byte_units[] = {
    {"KiB", 1ull << 10, 1},
    {"MiB", 1ull << 20, 1},
    {"GiB", 1ull << 30, 1},
    {"KB", 1000, 1},
    {"MB", 1000000, 1},
    {"GB", 1000000000, 1},
    {"Kb", 1000, 8},
    {"Mb", 1000000, 8},
    {"Gb", 1000000000, 8},
    {"B", 1, 1},
    {"b", 1, 8},
    {NULL, 0, 0},
};
static const struct unit time_units[] = {
    {"us", 1, 1000000}, {"ms", 1, 1000}, {"s", 1, 1}, {NULL, 0, 0}};

static int fail(char *why, size_t len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int fail(char *why, size_t len, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, len, fmt, ap);
    va_end(ap);
    return -1;
}

/* Digits only; too many of them stand for a number that is too large. */
static bool take_number(const char **text, uint64_t *out)
{
    const char *p = *text;
    uint64_t v = 0;
    bool large = false;

    for (; *p >= '0' && *p <= '9'; p++) {
        large |= __builtin_mul_overflow(v, 10, &v) ||
                 __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v);
    }
    if (p == *text) {
        return false;
    }
    *text = p;
    *out = large ? UINT64_MAX : v;
    return true;
}

static const struct unit *take_unit(const char **text, const struct unit *u)
{
    for (; u->name; u++) {
        if (!strncmp(*text, u->name, strlen(u->name))) {
            *text += strlen(u->name);
            return u;
        }
    }
    return NULL;
}

static uint64_t scale(uint64_t v, uint64_t factor, uint64_t divisor)
{
    unsigned __int128 x = (unsigned __int128)v * factor / divisor;

    return x > UINT64_MAX ? UINT64_MAX : (uint64_t)x;
}

static bool ends(const char *p)
{
    return !*p || *p == '+';
}

/* Behind the @. `bytes`: of a rate of bytes. */
static int take_burst(const char **text, bool bytes, uint64_t rate, uint64_t *burst, char *why,
                      size_t len)
{
    const char *from = *text;
    const struct unit *u;
    uint64_t v = 0;

    if (!take_number(text, &v)) {
        return fail(why, len, "behind @ comes a burst, such as @%s or @20ms",
                    bytes ? "1MB" : "100");
    }
    u = take_unit(text, time_units);
    if (u) {
        *burst = scale(v, rate, u->divisor);
    } else if (bytes) {
        u = take_unit(text, byte_units);
        *burst = u ? scale(v, u->factor, u->divisor) : v;
    } else {
        *burst = v;
    }
    if (!ends(*text)) {
        return fail(why, len, "burst \"%s\" is no number with one of the units us ms s%s", from,
                    bytes ? " B KB MB GB KiB MiB GiB" : "");
    }
    if (!*burst) {
        return fail(why, len, "a burst of zero lets nothing pass; leave @... away");
    }
    if (*burst / rate >= LIMIT_BURST_SECONDS_MAX) {
        return fail(why, len, "burst \"%s\" is more than %llu seconds' worth", from,
                    LIMIT_BURST_SECONDS_MAX);
    }
    return 0;
}

static int check_rate(const char *from, uint64_t rate, uint64_t most, const char *unit, char *why,
                      size_t len)
{
    if (!rate) {
        return fail(why, len, "\"%s\": a limit of zero lets nothing pass; write none for no limit",
                    from);
    }
    if (rate > most) {
        return fail(why, len, "\"%s\" is above what can be counted, %llu %s a second", from,
                    (unsigned long long)most, unit);
    }
    return 0;
}

static int take_term(const char **text, struct limit_rates *r, char *why, size_t len)
{
    const char *from = *text;
    bool ops, bytes = false;
    const struct unit *u;
    uint64_t v;

    if (!take_number(text, &v)) {
        return fail(why, len, "\"%s\" is no limit; write 2000iops, 20MB/s, or 2000iops+20MB/s",
                    from);
    }
    ops = !strncmp(*text, "iops", 4);
    if (ops) {
        *text += 4;
    } else {
        u = take_unit(text, byte_units);
        bytes = u && !strncmp(*text, "/s", 2);
        *text += bytes ? 2 : 0;
        v = bytes && v ? scale(v, u->factor, u->divisor) : v;
    }
    if ((!ops && !bytes) || !(ends(*text) || **text == '@')) {
        return fail(why, len,
                    "\"%s\" has no unit that is known: iops, or B KB MB GB KiB MiB GiB b Kb Mb Gb "
                    "with /s",
                    from);
    }
    if (ops ? r->ops : r->bytes) {
        return fail(why, len, "\"%s\": %s are limited twice; keep one", from,
                    ops ? "operations" : "bytes");
    }
    if (check_rate(from, v, ops ? LIMIT_OPS_MAX : LIMIT_BYTES_MAX, ops ? "operations" : "bytes",
                   why, len)) {
        return -1;
    }
    *(ops ? &r->ops : &r->bytes) = v;
    if (**text != '@') {
        return 0;
    }
    ++*text;
    return take_burst(text, bytes, v, ops ? &r->ops_burst : &r->bytes_burst, why, len);
}

int limit_parse(const char *text, struct limit_rates *r, char *why, size_t why_len)
{
    const char *p = text;

    *r = (struct limit_rates){0};
    if (!strcmp(text, "none")) {
        return 0;
    }
    for (;;) {
        if (take_term(&p, r, why, why_len)) {
            return -1;
        }
        if (!*p) {
            return 0;
        }
        p++;
    }
}

/* The largest unit that divides it. */
static int print_bytes(char *text, size_t len, uint64_t v)
{
    static const char *const names[] = {"GB", "GiB", "MB", "MiB", "KB", "KiB"};
    static const uint64_t factors[] = {1000000000, 1ull << 30, 1000000,
                                       1ull << 20, 1000,       1ull << 10};

    for (unsigned i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        if (v % factors[i] == 0) {
            return snprintf(text, len, "%llu%s", (unsigned long long)(v / factors[i]), names[i]);
        }
    }
    return snprintf(text, len, "%lluB", (unsigned long long)v);
}

void limit_print(const struct limit_rates *r, char *text, size_t len)
{
    char parts[5][32] = {"", "", "", "", ""};

    if (r->ops) {
        snprintf(parts[0], sizeof(parts[0]), "%lluiops", (unsigned long long)r->ops);
    }
    if (r->ops && r->ops_burst) {
        snprintf(parts[1], sizeof(parts[1]), "@%llu", (unsigned long long)r->ops_burst);
    }
    if (r->bytes) {
        print_bytes(parts[2], sizeof(parts[2]), r->bytes);
        strcat(parts[2], "/s");
    }
    if (r->bytes && r->bytes_burst) {
        parts[3][0] = '@';
        print_bytes(parts[3] + 1, sizeof(parts[3]) - 1, r->bytes_burst);
    }
    snprintf(text, len, "%s%s%s%s%s", parts[0], parts[1], r->ops && r->bytes ? "+" : "", parts[2],
             parts[3]);
    if (!r->ops && !r->bytes) {
        snprintf(text, len, "none");
    }
}
