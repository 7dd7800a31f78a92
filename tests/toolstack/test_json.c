/* SPDX-License-Identifier: MIT */
/*
 * Contract: what json.c prints another reader (libcjson) reads as what was put in, whatever the
 * characters; what it reads back it reads as that one does, and text that is no JSON is refused
 * without a step beyond its end.
 *
 * Sabotage tried and seen to fail: in json.c put_text(), the test for control characters removed;
 * in parse_items(), `take(at, ",")` made `take(at, "")`; in parse_text(), the test for the end
 * removed (caught by the sanitized build).
 */
#include "tests.h"

#include "../../toolstack/json.h"

#include <CUnit/CUnit.h>
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

static struct json *sample(void)
{
    struct json *j = json_object(), *list, *inner;
    char odd[128];

    for (unsigned i = 0; i < sizeof(odd) - 1; i++)
        odd[i] = (char)(i + 1);
    odd[sizeof(odd) - 1] = 0;
    json_add_string(j, "odd \"key\"", odd);
    json_add_number(j, "negative", -17);
    json_add_number(j, "large", 1234567890123456789.0);
    json_add_number(j, "fraction", 0.1);
    json_add_bool(j, "yes", true);
    json_add_bool(j, "no", false);
    json_add_null(j, "nothing");
    list = json_add_array(j, "list");
    json_append(list, json_string("a"));
    inner = json_object();
    json_add_number(inner, "n", 3);
    json_append(list, inner);
    json_append(list, json_array());
    json_add_object(j, "empty");
    return j;
}

static void test_other_reader(void)
{
    struct json *j = sample();
    char *texts[] = {json_print(j), json_print_flat(j)};

    for (const char *c = texts[1]; *c; c++)
        CU_ASSERT((unsigned char)*c >= 0x20);
    for (unsigned i = 0; i < 2; i++) {
        cJSON *read = cJSON_Parse(texts[i]);

        CU_ASSERT_FATAL(read != NULL);
        const char *odd = cJSON_GetObjectItem(read, "odd \"key\"")->valuestring;

        CU_ASSERT(strlen(odd) == 127 && odd[0] == 1 && odd[126] == 127);
        CU_ASSERT(cJSON_GetObjectItem(read, "negative")->valuedouble == -17);
        CU_ASSERT(cJSON_GetObjectItem(read, "large")->valuedouble == 1234567890123456789.0);
        CU_ASSERT(cJSON_GetObjectItem(read, "fraction")->valuedouble == 0.1);
        CU_ASSERT(cJSON_IsTrue(cJSON_GetObjectItem(read, "yes")));
        CU_ASSERT(cJSON_IsFalse(cJSON_GetObjectItem(read, "no")));
        CU_ASSERT(cJSON_IsNull(cJSON_GetObjectItem(read, "nothing")));
        CU_ASSERT_EQUAL(cJSON_GetArraySize(cJSON_GetObjectItem(read, "list")), 3);
        CU_ASSERT_EQUAL(cJSON_GetArraySize(cJSON_GetObjectItem(read, "empty")), 0);
        cJSON_Delete(read);
        free(texts[i]);
    }
    json_free(j);
}

static void test_back(void)
{
    struct json *j = sample();
    char *text = json_print(j), *again;
    struct json *read = json_parse(text);
    const struct json *list = json_get(read, "list");

    CU_ASSERT_FATAL(read != NULL);
    again = json_print(read);
    CU_ASSERT_STRING_EQUAL(text, again);
    CU_ASSERT_STRING_EQUAL(json_get_text(json_first(list)), "a");
    CU_ASSERT(json_get_number(json_get(json_next(json_first(list)), "n"), 0) == 3);
    CU_ASSERT(json_get_number(list, 9) == 9 && !json_get_text(list) && !json_get(read, "other"));
    free(text);
    free(again);
    json_free(read);
    json_free(j);
}

/* Of a good text every beginning, and every one with a character changed. */
static void test_bad(void)
{
    static const char good[] = "{\"a\": [1, -2.5e3, \"x\\u00e4\\n\"], \"b\": {\"c\": null}}";
    static const char others[] = "\"\\{}[],:x0\t\x01";
    unsigned refused = 0;

    for (size_t len = 0; len < sizeof(good) - 1; len++) {
        char *cut = strndup(good, len);

        CU_ASSERT(json_parse(cut) == NULL);
        free(cut);
        for (const char *c = others; *c; c++) {
            char *changed = strdup(good);

            changed[len] = *c;
            struct json *j = json_parse(changed);
            cJSON *judge = cJSON_ParseWithOpts(changed, NULL, 1);

            if (j)
                CU_ASSERT(judge != NULL);
            refused += !j;
            cJSON_Delete(judge);
            json_free(j);
            free(changed);
        }
    }
    CU_ASSERT(refused > 100);
    json_free(json_parse(good));
}

static void test_deep(void)
{
    char text[2001];

    memset(text, '[', 1000);
    memset(text + 1000, ']', 1000);
    text[2000] = 0;
    CU_ASSERT(json_parse(text) == NULL);
}

const struct test tests_json[] = {
    {"json: another reads what we print", test_other_reader},
    {"json: back again", test_back},
    {"json: what is none", test_bad},
    {"json: too deep", test_deep},
    {NULL, NULL},
};
