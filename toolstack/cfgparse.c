/* SPDX-License-Identifier: MIT */
/*
 * Reader of xl.cfg syntax: see cfgparse.h. One pass, no recursion (lists do not nest), every
 * count capped. The text need not be NUL-terminated; a NUL inside it is refused.
 */
#include "cfgparse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *name;
    const char *pos, *end;
    unsigned line;
    struct diag *d;
};

static int peek(const struct reader *r)
{
    return r->pos < r->end ? (unsigned char)*r->pos : -1;
}

static int fail(struct reader *r, const char *what)
{
    return diag_set(r->d, "%s:%u: %s", r->name, r->line, what);
}

/* Skips blanks and comments; newlines too when the caller is inside a list. */
static void skip_blanks(struct reader *r, bool newlines)
{
    while (r->pos < r->end) {
        if (*r->pos == '#') {
            while (r->pos < r->end && *r->pos != '\n')
                r->pos++;
        } else if (*r->pos == '\n' && newlines) {
            r->line++;
            r->pos++;
        } else if (*r->pos == '\\' && r->end - r->pos > 1 && r->pos[1] == '\n') {
            r->line++;
            r->pos += 2;
        } else if (*r->pos == ' ' || *r->pos == '\t' || *r->pos == '\r') {
            r->pos++;
        } else {
            return;
        }
    }
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Reads what follows a backslash; returns the character it means, or -1 with a complaint. */
static int read_escape(struct reader *r)
{
    int c = peek(r);

    if (c < 0)
        return fail(r, "the file ends inside a string");
    r->pos++;
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case '\\':
    case '\'':
    case '"':
        return c;
    case 'x': {
        int hi = r->pos < r->end ? hex_digit((unsigned char)r->pos[0]) : -1;
        int lo = r->end - r->pos > 1 ? hex_digit((unsigned char)r->pos[1]) : -1;

        if (hi < 0 || lo < 0 || hi + lo == 0)
            return fail(r, "\\x in a string needs two hexadecimal digits that are not 00");
        r->pos += 2;
        return hi * 16 + lo;
    }
    }
    return fail(r, "unknown escape in a string; write \\\\ for a backslash");
}

static char *read_string(struct reader *r)
{
    char quote = *r->pos++;
    char *buf = malloc((size_t)(r->end - r->pos) + 1);
    size_t len = 0;

    if (!buf) {
        fail(r, "out of memory");
        return NULL;
    }
    for (;;) {
        int c = peek(r);

        if (c < 0 || c == '\n' || c == 0) {
            fail(r, "this string is not closed on its line");
            goto bad;
        }
        r->pos++;
        if (c == quote)
            break;
        if (c == '\\') {
            c = read_escape(r);
            if (c < 0)
                goto bad;
        }
        buf[len++] = (char)c;
    }
    buf[len] = 0;

    char *fit = realloc(buf, len + 1);
    return fit ? fit : buf;
bad:
    free(buf);
    return NULL;
}

static bool is_word_char(int c)
{
    return c >= 0 && (isalnum(c) || c == '_' || c == '-' || c == '.');
}

static char *read_word(struct reader *r)
{
    const char *start = r->pos;

    while (is_word_char(peek(r)))
        r->pos++;

    char *word = strndup(start, (size_t)(r->pos - start));
    if (!word)
        fail(r, "out of memory");
    return word;
}

/* One string or number. */
static int read_scalar(struct reader *r, struct cfg_item *item)
{
    int c = peek(r);

    item->line = r->line;
    if (c == '"' || c == '\'') {
        item->text = read_string(r);
    } else if (c >= 0 && (isdigit(c) || c == '-')) {
        item->text = read_word(r);
    } else if (c >= 0 && isalpha(c)) {
        return fail(r, "a word stands where a value is expected; put it in quotes");
    } else {
        return fail(r, "a value is expected here: \"text\", a number or a [list]");
    }
    return item->text ? 0 : -1;
}

static int add_item(struct reader *r, struct cfg_entry *entry)
{
    if (entry->nr_items == CFG_MAX_ITEMS)
        return fail(r, "this list is too long");

    struct cfg_item *grown = realloc(entry->items, (entry->nr_items + 1) * sizeof(*grown));
    if (!grown)
        return fail(r, "out of memory");
    entry->items = grown;
    entry->items[entry->nr_items] = (struct cfg_item){0};
    if (read_scalar(r, &entry->items[entry->nr_items]) != 0)
        return -1;
    entry->nr_items++;
    return 0;
}

static int read_list(struct reader *r, struct cfg_entry *entry)
{
    entry->is_list = true;
    r->pos++;
    for (;;) {
        skip_blanks(r, true);
        if (peek(r) == ']')
            break;
        if (peek(r) == '[')
            return fail(r, "a list inside a list means nothing here");
        if (add_item(r, entry) != 0)
            return -1;
        skip_blanks(r, true);
        if (peek(r) == ',')
            r->pos++;
        else if (peek(r) != ']')
            return fail(r, "expected , or ] after a list element");
    }
    r->pos++;
    return 0;
}

static int read_assignment(struct reader *r, struct cfg_entry *entry)
{
    entry->line = r->line;
    entry->key = read_word(r);
    if (!entry->key)
        return -1;
    skip_blanks(r, false);
    if (peek(r) != '=')
        return diag_set(r->d, "%s:%u: expected = after \"%s\"", r->name, r->line, entry->key);
    r->pos++;
    skip_blanks(r, false);
    if (peek(r) == '[' ? read_list(r, entry) : add_item(r, entry))
        return -1;
    skip_blanks(r, false);
    if (r->pos < r->end && *r->pos != '\n' && *r->pos != ';')
        return diag_set(r->d,
                        "%s:%u: there is something behind the value of \"%s\"; one assignment"
                        " a line, or a ; between two",
                        r->name, r->line, entry->key);
    return 0;
}

static int next_entry(struct reader *r, struct cfg_file *file)
{
    if (!isalpha(peek(r)) && peek(r) != '_')
        return fail(r, "expected key = value");
    if (file->nr_entries == CFG_MAX_ENTRIES)
        return fail(r, "too many assignments");

    struct cfg_entry *grown =
        realloc(file->entries, (file->nr_entries + 1) * sizeof(*file->entries));
    if (!grown)
        return fail(r, "out of memory");
    file->entries = grown;

    struct cfg_entry *entry = &file->entries[file->nr_entries++];
    *entry = (struct cfg_entry){0};
    return read_assignment(r, entry);
}

int cfg_parse(const char *name, const char *text, size_t len, struct cfg_file *out, struct diag *d)
{
    struct reader r = {.name = name, .pos = text, .end = text + len, .line = 1, .d = d};

    *out = (struct cfg_file){0};
    if (len > CFG_MAX_FILE)
        return diag_set(d, "%s: longer than %d KiB; this is no guest file", name,
                        CFG_MAX_FILE / 1024);
    for (;;) {
        skip_blanks(&r, true);
        if (peek(&r) == ';') {
            r.pos++;
            continue;
        }
        if (r.pos == r.end)
            return 0;
        if (next_entry(&r, out) != 0) {
            cfg_free(out);
            return -1;
        }
    }
}

void cfg_free(struct cfg_file *file)
{
    for (size_t i = 0; i < file->nr_entries; i++) {
        struct cfg_entry *entry = &file->entries[i];

        for (size_t j = 0; j < entry->nr_items; j++)
            free(entry->items[j].text);
        free(entry->items);
        free(entry->key);
    }
    free(file->entries);
    *file = (struct cfg_file){0};
}
