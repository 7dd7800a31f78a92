/* SPDX-License-Identifier: MIT */
/*
 * JSON as the verbs print it, and as we read our own files back. A library would do, but none has a
 * static form, and to look up and map one costs each `tenue create` a tenth of a small guest.
 *
 * A value belongs to what it was added to. Without memory a value is NULL, and to add to NULL, or
 * NULL to something, does nothing: json_print() then lacks it.
 */
#ifndef TENUE_JSON_H
#define TENUE_JSON_H

#include <stdbool.h>
#include <stddef.h>

struct json;

struct json *json_object(void);
struct json *json_array(void);
struct json *json_string(const char *text);

void json_append(struct json *array, struct json *item);
void json_add(struct json *object, const char *key, struct json *item);
void json_add_number(struct json *object, const char *key, double number);
void json_add_string(struct json *object, const char *key, const char *text);
void json_add_bool(struct json *object, const char *key, bool value);
void json_add_null(struct json *object, const char *key);
struct json *json_add_array(struct json *object, const char *key);
struct json *json_add_object(struct json *object, const char *key);

void json_free(struct json *j);

/* To be freed by the caller; NULL without memory. The first has a line for each key. */
char *json_print(const struct json *j);
char *json_print_flat(const struct json *j);

/* NULL if the text is no JSON. */
struct json *json_parse(const char *text);
/* NULL if j is no object or has no such key; of two with one key the first. */
const struct json *json_get(const struct json *j, const char *key);
/* NULL if j is no string. */
const char *json_get_text(const struct json *j);
/* `otherwise` if j is no number. */
double json_get_number(const struct json *j, double otherwise);
/* The first of an array or object, and the one after item; NULL: none. */
const struct json *json_first(const struct json *j);
const struct json *json_next(const struct json *item);

#endif
