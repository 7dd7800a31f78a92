/* SPDX-License-Identifier: MIT */
/*
 * Contract: what `tenue cost` says is the difference of two accounts, part by part, whose sum is
 * put beside the wall clock; a counter that falls is an error and not a huge number; names cannot
 * break the JSON or the Prometheus text.
 *
 * Sabotage tried and seen to fail: in parts.c parts_add(), dropping `r->all.sum += part->ns`; in
 * difference(), `return 0` for a counter that fell; in prometheus_label(), no backslash.
 */
#include "tests.h"

#include "../../toolstack/parts.h"

#include <CUnit/CUnit.h>
#include "../../toolstack/json.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

static struct part_snapshot before, after;
static struct part_report report;
static struct part_names names;
static struct diag d;

static void setup(void)
{
    memset(&before, 0, sizeof(before));
    memset(&report, 0, sizeof(report));
    memset(&names, 0, sizeof(names));
    report.name = "g\"1\\";
    report.domid = 7;
    strcpy(names.name[TENUE_PART_USER], "guest user");
    strcpy(names.name[TENUE_PART_BLOCKED], "blocked");
    strcpy(names.name[TENUE_PART_HYPERCALL + 17], "xen_version");
    strcpy(names.name[TENUE_PART_EXCEPTION + 14], "#PF");
    before.clock = 5000000000;
    before.parts[TENUE_PART_USER] = (struct tenue_part_time){1000, 5};
    after = before;
    after.clock += 2000000000;
    after.parts[TENUE_PART_USER].ns += 1500000000;
    after.parts[TENUE_PART_USER].count += 10;
    after.parts[TENUE_PART_BLOCKED].ns = 400000000;
    after.parts[TENUE_PART_HYPERCALL + 17] = (struct tenue_part_time){90000000, 9};
    after.parts[TENUE_PART_EXCEPTION + 14] = (struct tenue_part_time){8000000, 2};
    CU_ASSERT(parts_add(&report, &before, &after, &d) == 0);
}

static char *printed(void (*print)(FILE *to))
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    CU_ASSERT_FATAL(to != NULL);
    print(to);
    fclose(to);
    return text;
}

static void table(FILE *to)
{
    parts_print(&report, &names, to);
}

static void has(const char *text, const char *want)
{
    if (!strstr(text, want))
        test_note("expected \"%s\" in:\n%s", want, text);
    CU_ASSERT(strstr(text, want) != NULL);
}

static void test_sums(void)
{
    setup();
    CU_ASSERT(report.all.sum == 1998000000);
    CU_ASSERT(report.all.wall == 2000000000);
    CU_ASSERT(report.vcpu[0].sum == report.all.sum);
    CU_ASSERT(parts_add(&report, &before, &after, &d) == 0);
    CU_ASSERT(report.nr_vcpus == 2 && report.all.wall == 4000000000);
    CU_ASSERT(report.all.parts[TENUE_PART_HYPERCALL + 17].count == 18);
}

static void test_table(void)
{
    setup();
    char *text = printed(table);

    has(text, "guest user                         1.500000   75.00         10  150000000\n");
    has(text, "xen_version                        0.090000    4.50          9   10000000\n");
    has(text, "= in the hypervisor                0.098000    4.90");
    has(text, "= sum                              1.998000   99.90\n");
    has(text, "residue                            0.002000   0.100\n");
    CU_ASSERT(strstr(text, "xen_version") < strstr(text, "#PF")); /* the largest first */
    free(text);
}

static void test_fell(void)
{
    setup();
    after.parts[TENUE_PART_USER].count = 1;
    d.text[0] = 0;
    CU_ASSERT(parts_add(&report, &before, &after, &d) == -1);
    has(d.text, "the counter of part 0 fell");
}

static void test_json(void)
{
    setup();
    struct json *made = parts_json(&report, &names);
    char *text = json_print(made);
    cJSON *read = cJSON_Parse(text);
    cJSON *parts = cJSON_GetObjectItem(read, "parts");

    CU_ASSERT_FATAL(parts != NULL);
    CU_ASSERT_STRING_EQUAL(cJSON_GetObjectItem(read, "name")->valuestring, "g\"1\\");
    CU_ASSERT(cJSON_GetArraySize(parts) == 4);
    CU_ASSERT(cJSON_GetObjectItem(cJSON_GetObjectItem(parts, "#PF"), "count")->valueint == 2);
    CU_ASSERT(cJSON_GetArraySize(cJSON_GetObjectItem(read, "vcpus")) == 1);
    json_free(made);
    cJSON_Delete(read);
    free(text);
}

static void prometheus(FILE *to)
{
    for (enum part_metric metric = 0; metric < PART_METRICS; metric++) {
        parts_prometheus_head(metric, to);
        parts_prometheus(metric, "a\"b\\\n", 7, 0, &after, &names, to);
    }
}

static void test_prometheus(void)
{
    setup();
    char *text = printed(prometheus);

    has(text, "tenue_vcpu_part_seconds_total{domain=\"a\\\"b\\\\\\n\",domid=\"7\",vcpu=\"0\","
              "part=\"xen_version\"} 0.090000000\n");
    has(text, "part=\"#PF\"} 2\n");
    free(text);
}

const struct test tests_parts[] = {{"parts sum", test_sums},
                                   {"parts table", test_table},
                                   {"parts: a counter fell", test_fell},
                                   {"parts as JSON", test_json},
                                   {"parts for Prometheus", test_prometheus},
                                   {0}};
