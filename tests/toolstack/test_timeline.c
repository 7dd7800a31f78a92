/* SPDX-License-Identifier: MIT */
/*
 * Contract: whatever records come, the file is JSON, and on every track each begin has its end, in
 * order and nested: also when records are missing at the start, the end, or in between, and when
 * CPUs' rings are interleaved. An element of a multicall lies within it; an exception that was
 * something to emulate bears that name.
 *
 * Sabotage tried and seen to fail: in timeline.c, no track_close() at the end of write_vcpu();
 * in track_part(), never take the branch of an element; in by_time(), compare nr first.
 */
#include "tests.h"

#include "../../toolstack/timeline.h"

#include <CUnit/CUnit.h>
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

enum { XEN_VERSION = TENUE_PART_HYPERCALL + 17, MULTICALL = TENUE_PART_HYPERCALL + 13 };

static struct timeline t;
static struct part_names names;

static const char *domain_name(void *arg, uint32_t domid)
{
    (void)arg;
    return domid ? "web\"1" : "Domain-0";
}

static void begin(void)
{
    memset(&t, 0, sizeof(t));
    for (unsigned i = 0; i < TENUE_PARTS; i++)
        snprintf(names.name[i], sizeof(names.name[i]), "part %u", i);
}

static void put(uint32_t cpu, uint64_t ns, uint16_t domid, uint8_t event, uint32_t arg)
{
    struct tenue_trace_record r = {.ns = ns, .domid = domid, .event = event, .arg = arg};

    CU_ASSERT(timeline_add(&t, cpu, &r, 0) == 0);
}

static const char *text_of(const cJSON *e, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(e, key);

    return item && item->valuestring ? item->valuestring : "";
}

static double number_of(const cJSON *e, const char *key)
{
    const cJSON *item = cJSON_GetObjectItem(e, key);

    return item ? item->valuedouble : -1;
}

static int deepest;

/* Depth and time of each track stay right all along; how many begins. */
static unsigned check_track(const cJSON *events, double pid, double tid)
{
    unsigned begins = 0;
    double last = 0;
    int depth = 0;

    const cJSON *e;

    deepest = 0;

    cJSON_ArrayForEach(e, events)
    {
        const char kind = text_of(e, "ph")[0];

        if (number_of(e, "pid") != pid || number_of(e, "tid") != tid || kind == 'M')
            continue;
        depth += kind == 'B' ? 1 : kind == 'E' ? -1 : 0;
        begins += kind == 'B';
        CU_ASSERT(depth >= 0 && depth <= 2);
        deepest = depth > deepest ? depth : deepest;
        CU_ASSERT(number_of(e, "ts") >= last);
        last = number_of(e, "ts");
    }
    CU_ASSERT(depth == 0);
    return begins;
}

static cJSON *written(void)
{
    const struct timeline_account account = {.domid = 3, .from = 1, .to = 2, .hypercalls = 9};
    const struct timeline_extra extra = {domain_name, NULL, &account, 1};
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    CU_ASSERT_FATAL(to != NULL);
    timeline_write(&t, &names, &extra, to);
    fclose(to);
    cJSON *json = cJSON_Parse(text);

    if (!json)
        test_note("not JSON: %s", text);
    CU_ASSERT_FATAL(json != NULL);
    free(text);
    timeline_free(&t);
    return json;
}

static unsigned named(const cJSON *json, const char *name)
{
    const cJSON *e;
    unsigned n = 0;

    cJSON_ArrayForEach(e, cJSON_GetObjectItem(json, "traceEvents"))
        n += text_of(e, "ph")[0] == 'B' && strcmp(text_of(e, "name"), name) == 0;
    return n;
}

static void test_simple(void)
{
    begin();
    put(0, 1000, 3, TENUE_TRACE_PART, TENUE_PART_SWITCH);
    put(0, 2000, 3, TENUE_TRACE_PART, TENUE_PART_KERNEL);
    put(0, 3001, 3, TENUE_TRACE_PART, XEN_VERSION | 6u << 16);
    put(0, 3500, 3, TENUE_TRACE_PART, TENUE_PART_KERNEL);
    put(0, 3600, 3, TENUE_TRACE_PART, TENUE_PART_EXCEPTION + 13);
    put(0, 3650, 3, TENUE_TRACE_RENAME, TENUE_PART_EMUL_MSR);
    put(0, 3700, 3, TENUE_TRACE_PART, TENUE_PART_KERNEL);
    put(0, 3800, 3, TENUE_TRACE_SEND, 9);
    cJSON *json = written(), *events = cJSON_GetObjectItem(json, "traceEvents");

    CU_ASSERT(check_track(events, 1003, 0) == 6);
    CU_ASSERT(check_track(events, 1, 0) == 1);
    CU_ASSERT(named(json, "part 81 get_features") == 1); /* by its first argument */
    CU_ASSERT(named(json, "part 17") == 1);              /* the emulated instruction */
    CU_ASSERT(named(json, "part 45") == 0);              /* and not what it looked like */
    CU_ASSERT(named(json, "web\"1 v0") == 1);
    cJSON_Delete(json);
}

static void test_elements(void)
{
    begin();
    put(0, 10, 0, TENUE_TRACE_PART, MULTICALL);
    for (unsigned i = 0; i < 3; i++) {
        put(0, 20 + 10 * i, 0, TENUE_TRACE_PART, XEN_VERSION);
        put(0, 25 + 10 * i, 0, TENUE_TRACE_BACK, MULTICALL);
    }
    put(0, 60, 0, TENUE_TRACE_PART, TENUE_PART_KERNEL);
    cJSON *json = written(), *events = cJSON_GetObjectItem(json, "traceEvents");

    CU_ASSERT(check_track(events, 1000, 0) == 5);
    CU_ASSERT(deepest == 2);
    CU_ASSERT(named(json, "part 77") == 1);
    CU_ASSERT(named(json, "part 81 version") == 3);
    cJSON_Delete(json);
}

/* Two CPUs, read one after the other: a vCPU leaves one, is woken there, and runs on the other. */
static void test_migration(void)
{
    begin();
    put(0, 100, 3, TENUE_TRACE_PART, TENUE_PART_KERNEL);
    put(0, 200, 3, TENUE_TRACE_PART, TENUE_PART_BLOCKED);
    put(0, 210, 4, TENUE_TRACE_PART, TENUE_PART_SWITCH);
    put(0, 300, 3, TENUE_TRACE_PART, TENUE_PART_WAITING); /* woken by 4 */
    put(0, 900, 4, TENUE_TRACE_PART, TENUE_PART_USER);
    put(1, 310, 3, TENUE_TRACE_PART, TENUE_PART_SWITCH);
    put(1, 320, 3, TENUE_TRACE_PART, TENUE_PART_KERNEL);
    cJSON *json = written(), *events = cJSON_GetObjectItem(json, "traceEvents");

    CU_ASSERT(check_track(events, 1003, 0) == 5);
    CU_ASSERT(check_track(events, 1004, 0) == 2);
    CU_ASSERT(check_track(events, 1, 0) == 2);
    CU_ASSERT(check_track(events, 1, 1) == 1);
    cJSON_Delete(json);
}

static void test_lost(void)
{
    struct tenue_trace_record r = {.ns = 500, .domid = 3, .arg = TENUE_PART_KERNEL};

    begin();
    put(0, 90, 3, TENUE_TRACE_BACK, MULTICALL); /* the beginning is missing */
    put(0, 100, 3, TENUE_TRACE_PART, MULTICALL);
    put(0, 110, 3, TENUE_TRACE_PART, XEN_VERSION);
    CU_ASSERT(timeline_add(&t, 0, &r, 77) == 0);
    put(0, 600, 3, TENUE_TRACE_PART, XEN_VERSION); /* and the end */
    cJSON *json = written(), *events = cJSON_GetObjectItem(json, "traceEvents");

    CU_ASSERT(check_track(events, 1003, 0) == 4);
    check_track(events, 1, 0);
    CU_ASSERT(number_of(cJSON_GetObjectItem(json, "otherData"), "lost") == 77);
    cJSON_Delete(json);
}

/* Anything at all. */
static void test_random(void)
{
    unsigned seed = 1;

    for (unsigned round = 0; round < 50; round++) {
        begin();
        for (unsigned i = 0; i < 300; i++) {
            struct tenue_trace_record r = {.ns = (unsigned)rand_r(&seed) % 5000,
                                           .domid = (uint16_t)(rand_r(&seed) % 3),
                                           .vcpu = (uint8_t)(rand_r(&seed) % 2),
                                           .event = (uint8_t)(rand_r(&seed) % 5),
                                           .arg = (uint32_t)rand_r(&seed) % 140};

            CU_ASSERT(
                timeline_add(&t, (uint32_t)rand_r(&seed) % 2, &r, rand_r(&seed) % 20 ? 0 : 5) == 0);
        }
        cJSON *json = written(), *events = cJSON_GetObjectItem(json, "traceEvents");

        for (unsigned domid = 0; domid < 3; domid++)
            for (unsigned vcpu = 0; vcpu < 2; vcpu++)
                check_track(events, 1000 + domid, vcpu);
        check_track(events, 1, 0);
        check_track(events, 1, 1);
        cJSON_Delete(json);
    }
}

const struct test tests_timeline[] = {
    {"a timeline", test_simple},           {"elements of a multicall", test_elements},
    {"a vCPU that moves", test_migration}, {"lost records", test_lost},
    {"any records", test_random},          {0}};
