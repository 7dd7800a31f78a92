/* SPDX-License-Identifier: MIT */
/* JSON values, their text, and back: see json.h. */
#include "json.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32 };
enum kind { NOTHING, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT };

struct json {
    enum kind kind;
    char *key, *text;
    double number;
    struct json *next, *first, *last;
};

/* ---- making ---- */

static struct json *make(enum kind kind)
{
    struct json *j = calloc(1, sizeof(*j));

    if (j)
        j->kind = kind;
    return j;
}

struct json *json_object(void)
{
    return make(OBJECT);
}

struct json *json_array(void)
{
    return make(ARRAY);
}

struct json *json_string(const char *text)
{
    struct json *j = make(STRING);

    if (j && (j->text = strdup(text)) == NULL) {
        free(j);
        return NULL;
    }
    return j;
}

void json_append(struct json *array, struct json *item)
{
    if (!array || !item) {
        json_free(item);
        return;
    }
    if (array->last)
        array->last->next = item;
    else
        array->first = item;
    array->last = item;
}

void json_add(struct json *object, const char *key, struct json *item)
{
    if (item && (item->key = strdup(key)) == NULL) {
        json_free(item);
        return;
    }
    json_append(object, item);
}

void json_add_number(struct json *object, const char *key, double number)
{
    struct json *j = make(NUMBER);

    if (j)
        j->number = number;
    json_add(object, key, j);
}

void json_add_string(struct json *object, const char *key, const char *text)
{
    json_add(object, key, json_string(text));
}

void json_add_bool(struct json *object, const char *key, bool value)
{
    json_add(object, key, make(value ? TRUE : FALSE));
}

void json_add_null(struct json *object, const char *key)
{
    json_add(object, key, make(NOTHING));
}

static struct json *add_made(struct json *object, const char *key, struct json *item)
{
    json_add(object, key, item);
    return object && object->last == item ? item : NULL;
}

struct json *json_add_array(struct json *object, const char *key)
{
    return add_made(object, key, json_array());
}

struct json *json_add_object(struct json *object, const char *key)
{
    return add_made(object, key, json_object());
}

void json_free(struct json *j)
{
    if (!j)
        return;
    for (struct json *item = j->first, *next; item; item = next) {
        next = item->next;
        json_free(item);
    }
    free(j->key);
    free(j->text);
    free(j);
}

/* ---- text ---- */

static void put_text(FILE *to, const char *text)
{
    static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* a character, and its letter */

    fputc('"', to);
    for (const char *p = text; *p; p++) {
        const char *known = NULL;

        for (const char *l = letters; *l && !known; l += 2)
            known = *l == *p ? l + 1 : NULL;
        if (known)
            fprintf(to, "\\%c", *known);
        else if ((unsigned char)*p < 0x20)
            fprintf(to, "\\u%04x", (unsigned)*p);
        else
            fputc(*p, to);
    }
    fputc('"', to);
}

static void put_number(FILE *to, double number)
{
    char text[32];

    if (!isfinite(number)) {
        fputs("null", to);
        return;
    }
    snprintf(text, sizeof(text), "%.15g", number);
    if (strtod(text, NULL) != number)
        snprintf(text, sizeof(text), "%.17g", number);
    fputs(text, to);
}

static void put_value(FILE *to, const struct json *j, bool flat, unsigned depth);

static void put_line(FILE *to, bool flat, unsigned depth)
{
    if (flat)
        return;
    fputc('\n', to);
    while (depth--)
        fputc('\t', to);
}

static void put_object(FILE *to, const struct json *j, bool flat, unsigned depth)
{
    fputc('{', to);
    for (const struct json *item = j->first; item; item = item->next) {
        put_line(to, flat, depth + 1);
        put_text(to, item->key);
        fputs(flat ? ":" : ":\t", to);
        put_value(to, item, flat, depth + 1);
        if (item->next)
            fputc(',', to);
    }
    put_line(to, flat, depth);
    fputc('}', to);
}

static void put_array(FILE *to, const struct json *j, bool flat, unsigned depth)
{
    fputc('[', to);
    for (const struct json *item = j->first; item; item = item->next) {
        put_value(to, item, flat, depth + 1);
        if (item->next)
            fputs(flat ? "," : ", ", to);
    }
    fputc(']', to);
}

static void put_value(FILE *to, const struct json *j, bool flat, unsigned depth)
{
    switch (j->kind) {
    case NOTHING:
        fputs("null", to);
        break;
    case FALSE:
        fputs("false", to);
        break;
    case TRUE:
        fputs("true", to);
        break;
    case NUMBER:
        put_number(to, j->number);
        break;
    case STRING:
        put_text(to, j->text);
        break;
    case ARRAY:
        put_array(to, j, flat, depth);
        break;
    case OBJECT:
        put_object(to, j, flat, depth);
        break;
    }
}

static char *print(const struct json *j, bool flat)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = j ? open_memstream(&text, &len) : NULL;

    if (!to)
        return NULL;
    put_value(to, j, flat, 0);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

char *json_print(const struct json *j)
{
    return print(j, false);
}

char *json_print_flat(const struct json *j)
{
    return print(j, true);
}

/* ---- back ---- */

static struct json *parse_value(const char **at, unsigned depth);

static void skip_blanks(const char **at)
{
    *at += strspn(*at, " \t\r\n");
}

static bool take(const char **at, const char *word)
{
    const size_t len = strlen(word);

    if (strncmp(*at, word, len) != 0)
        return false;
    *at += len;
    skip_blanks(at);
    return true;
}

/* UTF-8; the halves of a pair one by one, as nothing of ours writes any. */
static char *put_rune(char *to, unsigned rune)
{
    if (rune < 0x80) {
        *to++ = (char)rune;
    } else if (rune < 0x800) {
        *to++ = (char)(0xc0 | rune >> 6);
        *to++ = (char)(0x80 | (rune & 0x3f));
    } else {
        *to++ = (char)(0xe0 | rune >> 12);
        *to++ = (char)(0x80 | (rune >> 6 & 0x3f));
        *to++ = (char)(0x80 | (rune & 0x3f));
    }
    return to;
}

static char *parse_escape(const char **at, char *to)
{
    static const char letters[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    unsigned rune = 0;
    int used = 0;

    if (**at == 'u') {
        if (strspn(*at + 1, "0123456789abcdefABCDEF") < 4 ||
            sscanf(*at + 1, "%4x%n", &rune, &used) != 1 || used != 4 || !rune)
            return NULL;
        *at += 5;
        return put_rune(to, rune);
    }
    for (const char *l = letters; *l; l += 2) {
        if (*l == **at) {
            ++*at;
            *to++ = l[1];
            return to;
        }
    }
    return NULL;
}

/* *at is behind the opening quote. A text never grows by being read. */
static char *parse_text(const char **at)
{
    char *text = malloc(strlen(*at) + 1), *to = text;

    while (to && **at && **at != '"') {
        if (*(*at)++ == '\\')
            to = parse_escape(at, to);
        else
            *to++ = (*at)[-1];
    }
    if (!to || **at != '"') {
        free(text);
        return NULL;
    }
    *to = 0;
    ++*at;
    skip_blanks(at);
    return text;
}

static bool parse_item(const char **at, struct json *into, unsigned depth)
{
    char *key = NULL;

    if (into->kind == OBJECT) {
        if (*(*at)++ != '"' || (key = parse_text(at)) == NULL)
            return false;
    }
    struct json *item = !key || take(at, ":") ? parse_value(at, depth) : NULL;

    if (!item) {
        free(key);
        return false;
    }
    item->key = key;
    json_append(into, item);
    return true;
}

static bool parse_items(const char **at, struct json *into, const char *end, unsigned depth)
{
    if (take(at, end))
        return true;
    do
        if (!parse_item(at, into, depth))
            return false;
    while (take(at, ","));
    return take(at, end);
}

static struct json *parse_number(const char **at)
{
    char *end;
    double number = strtod(*at, &end);
    struct json *j = strchr("-0123456789", **at) && end != *at ? make(NUMBER) : NULL;

    if (j) {
        j->number = number;
        *at = end;
        skip_blanks(at);
    }
    return j;
}

static struct json *parse_many(const char **at, enum kind kind, const char *end, unsigned depth)
{
    struct json *j = make(kind);

    if (j && parse_items(at, j, end, depth + 1))
        return j;
    json_free(j);
    return NULL;
}

static struct json *parse_string(const char **at)
{
    struct json *j = make(STRING);

    ++*at;
    if (j && (j->text = parse_text(at)) != NULL)
        return j;
    free(j);
    return NULL;
}

static struct json *parse_value(const char **at, unsigned depth)
{
    if (!**at || depth > DEPTH_MAX)
        return NULL;
    if (take(at, "{"))
        return parse_many(at, OBJECT, "}", depth);
    if (take(at, "["))
        return parse_many(at, ARRAY, "]", depth);
    if (**at == '"')
        return parse_string(at);
    if (take(at, "null"))
        return make(NOTHING);
    if (take(at, "true"))
        return make(TRUE);
    if (take(at, "false"))
        return make(FALSE);
    return parse_number(at);
}

struct json *json_parse(const char *text)
{
    struct json *j;

    skip_blanks(&text);
    j = parse_value(&text, 0);
    if (j && *text) {
        json_free(j);
        return NULL;
    }
    return j;
}

const struct json *json_get(const struct json *j, const char *key)
{
    const struct json *item = j && j->kind == OBJECT ? j->first : NULL;

    while (item && strcmp(item->key, key) != 0)
        item = item->next;
    return item;
}

const char *json_get_text(const struct json *j)
{
    return j && j->kind == STRING ? j->text : NULL;
}

double json_get_number(const struct json *j, double otherwise)
{
    return j && j->kind == NUMBER ? j->number : otherwise;
}

const struct json *json_first(const struct json *j)
{
    return j ? j->first : NULL;
}

const struct json *json_next(const struct json *item)
{
    return item->next;
}
