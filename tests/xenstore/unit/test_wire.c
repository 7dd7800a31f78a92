/* SPDX-License-Identifier: MIT */
/*
 * The pure functions of the wire format: strings, numbers, paths, error names.
 *
 * Sabotage: in wire_parse_number() drop "|| v > limit"; in path_well_formed() let "//" pass.
 */
#include "harness.h"

static void test_strings(void)
{
    const char *s[3];

    CU_ASSERT_EQUAL(wire_strings("a\0bc\0", 5, s, 3), 2);
    CU_ASSERT_STRING_EQUAL(s[1], "bc");
    CU_ASSERT_EQUAL(wire_strings("", 0, s, 3), 0);
    CU_ASSERT_EQUAL(wire_strings("a\0b", 3, s, 3), -EINVAL);
    CU_ASSERT_EQUAL(wire_strings("\0\0\0\0", 4, s, 3), -EINVAL);
    CU_ASSERT_EQUAL(wire_strings("\0\0\0", 3, s, 3), 3);
}

static void test_numbers(void)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "0x1",
                                      "65536",
                                      "1e3",
                                      "18446744073709551616",
                                      "99999999999999999999999"};
    uint64_t v;

    CU_ASSERT_EQUAL(wire_parse_number("0", 0, &v), 0);
    CU_ASSERT_EQUAL(wire_parse_number("65535", 65535, &v), 0);
    CU_ASSERT_EQUAL(v, 65535);
    CU_ASSERT_EQUAL(wire_parse_number("18446744073709551615", UINT64_MAX, &v), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(wire_parse_number(bad[i], 65535, &v), -EINVAL);
}

static void test_paths(void)
{
    static const char *const bad[] = {"",          "//",   "/a/",       "a/",   "/a//b", "/a b",
                                      "/\xc3\xa4", "/a.b", "@nonsense", "/a\n", "@"};
    char out[PATH_BYTES];

    CU_ASSERT_EQUAL(path_canonical("/", 1, false, out), 0);
    CU_ASSERT_EQUAL(path_canonical("device/vbd", 12, false, out), 0);
    CU_ASSERT_STRING_EQUAL(out, "/local/domain/12/device/vbd");
    CU_ASSERT_EQUAL(path_canonical("/A-z_9@x", 1, false, out), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(path_canonical(bad[i], 1, true, out), -EINVAL);
    CU_ASSERT_EQUAL(path_canonical("@releaseDomain", 1, true, out), 0);
    CU_ASSERT_EQUAL(path_canonical("@releaseDomain", 1, false, out), -EINVAL);
}

static void test_path_lengths(void)
{
    char path[PATH_BYTES + 8], out[PATH_BYTES];

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[XENSTORE_ABS_PATH_MAX] = '\0';
    CU_ASSERT_EQUAL(path_canonical(path, 1, false, out), 0);
    CU_ASSERT_STRING_EQUAL(out, path);
    path[XENSTORE_ABS_PATH_MAX] = 'x';
    path[XENSTORE_ABS_PATH_MAX + 1] = '\0';
    CU_ASSERT_EQUAL(path_canonical(path, 1, false, out), -EINVAL);
    path[0] = 'x';
    path[XENSTORE_REL_PATH_MAX] = '\0';
    CU_ASSERT_EQUAL(path_canonical(path, 32000, false, out), 0);
    path[XENSTORE_REL_PATH_MAX] = 'x';
    path[XENSTORE_REL_PATH_MAX + 1] = '\0';
    CU_ASSERT_EQUAL(path_canonical(path, 32000, false, out), -EINVAL);
}

static void test_path_parts(void)
{
    CU_ASSERT_EQUAL(path_depth("/"), 0);
    CU_ASSERT_EQUAL(path_depth("/a"), 1);
    CU_ASSERT_EQUAL(path_depth("/a/bc/d"), 3);
    CU_ASSERT_EQUAL(path_parent_len("/a/bc", 5), 2);
    CU_ASSERT_EQUAL(path_parent_len("/a", 2), 1);
}

static void test_error_names(void)
{
    CU_ASSERT_STRING_EQUAL(wire_error_name(ENOENT), "ENOENT");
    CU_ASSERT_STRING_EQUAL(wire_error_name(E2BIG), "E2BIG");
    CU_ASSERT_STRING_EQUAL(wire_error_name(ENOTTY), "EINVAL");
}

void suite_wire(void)
{
    CU_pSuite s = CU_add_suite("wire", NULL, NULL);

    ADD(s, test_strings);
    ADD(s, test_numbers);
    ADD(s, test_paths);
    ADD(s, test_path_lengths);
    ADD(s, test_path_parts);
    ADD(s, test_error_names);
}
