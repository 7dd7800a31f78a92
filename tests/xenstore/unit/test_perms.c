/* SPDX-License-Identifier: MIT */
/*
 * Permission lists and who may do what with them (XS-6, XS-7).
 *
 * Sabotage: in access_of_one() return the default before looking for the domain's own entry; in
 * check_new_perms() (ops.c) drop the comparison of owners; in error_for_missing() always say
 * ENOENT.
 */
#include "harness.h"

static void test_parse_format(void)
{
    static const struct {
        const char *text;
        size_t len;
    } bad[] = {{"", 0},    {"n0", 2},     {"x0", 3},   {"n", 2},
               {"n-1", 4}, {"n32752", 7}, {"n0\0", 4}, {"\0", 1}};
    struct perms *p;
    char text[32];

    CU_ASSERT_EQUAL(perms_parse("b3\0r1\0w2", 9, &p), 0);
    CU_ASSERT_EQUAL(perms_format(p, text, sizeof(text)), 9);
    CU_ASSERT_EQUAL(memcmp(text, "b3\0r1\0w2", 9), 0);
    CU_ASSERT_EQUAL(perms_format(p, text, 8), 0);
    perms_unref(p);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(perms_parse(bad[i].text, bad[i].len, &p), -EINVAL);
}

static void test_access(void)
{
    struct perms *p;

    CU_ASSERT_EQUAL_FATAL(perms_parse("r3\0n1\0b2", 9, &p), 0);
    CU_ASSERT_EQUAL(perms_access(p, 3, -1), ACCESS_ALL);
    CU_ASSERT_EQUAL(perms_access(p, 1, -1), ACCESS_NONE);
    CU_ASSERT_EQUAL(perms_access(p, 2, -1), ACCESS_READ | ACCESS_WRITE);
    CU_ASSERT_EQUAL(perms_access(p, 9, -1), ACCESS_READ);
    CU_ASSERT_EQUAL(perms_access(p, 1, 3), ACCESS_ALL);
    perms_unref(p);
}

/* Each operation by a domain with each kind of access. */
static void test_matrix(void)
{
    static const struct {
        const char *list; /* for domain 1 */
        const char *read, *write, *mkdir, *rm, *get, *set, *create;
    } row[] = {
        {"/n|n0", "EACCES", "EACCES", "EACCES", "EACCES", "EACCES", "EACCES", "EACCES"},
        {"/n|n0|r1", "OK", "EACCES", "EACCES", "EACCES", "OK", "EACCES", "EACCES"},
        {"/n|r0", "OK", "EACCES", "EACCES", "EACCES", "OK", "EACCES", "EACCES"},
        {"/n|r0|n1", "EACCES", "EACCES", "EACCES", "EACCES", "EACCES", "EACCES", "EACCES"},
        {"/n|n0|w1", "EACCES", "OK", "OK", "OK", "EACCES", "EACCES", "OK"},
        {"/n|n0|b1", "OK", "OK", "OK", "OK", "OK", "EACCES", "OK"},
        {"/n|n1", "OK", "OK", "OK", "OK", "OK", "OK", "OK"},
        {"/n|n2|b1", "OK", "OK", "OK", "OK", "OK", "EACCES", "OK"},
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct client *dom0, *guest;
        const char *args = "/n";

        harness_reset();
        dom0 = client_new(0);
        guest = client_new(1);
        EXPECT(do_write(dom0, 0, "/n", ""), "OK");
        EXPECT(do_perms(dom0, 0, row[i].list), "OK");
        EXPECT(ask_args(guest, XS_READ, 0, args), row[i].read);
        EXPECT(ask_args(guest, XS_DIRECTORY, 0, args), row[i].read);
        EXPECT(ask_args(guest, XS_DIRECTORY_PART, 0, "/n|0"), row[i].read);
        EXPECT(ask_args(guest, XS_GET_PERMS, 0, args), row[i].get);
        EXPECT(do_write(guest, 0, "/n", "x"), row[i].write);
        EXPECT(do_mkdir(guest, 0, "/n"), row[i].mkdir);
        EXPECT(do_write(guest, 0, "/n/child/grandchild", "x"), row[i].create);
        /* the same list again, so that the operation below still meets it */
        if (strcmp(row[i].set, "OK"))
            EXPECT(do_perms(guest, 0, "/n|n1"), row[i].set);
        EXPECT(do_rm(guest, 0, "/n"), row[i].rm);
        EXPECT(do_mkdir(guest, 0, "/other"), "EACCES");
        EXPECT(do_rm(guest, 0, "/"), "EINVAL");
    }
}

static void test_missing(void)
{
    struct client *dom0, *guest;

    harness_reset();
    dom0 = client_new(0);
    guest = client_new(1);
    do_mkdir(dom0, 0, "/closed");
    do_mkdir(dom0, 0, "/open");
    do_perms(dom0, 0, "/open|n0|r1");
    EXPECT(do_read(guest, 0, "/open/x"), "ENOENT");
    EXPECT(do_read(guest, 0, "/closed/x"), "EACCES");
    EXPECT(do_rm(guest, 0, "/open/x"), "EACCES");
    EXPECT(do_read(dom0, 0, "/closed/x"), "ENOENT");
    EXPECT(do_rm(dom0, 0, "/closed/x"), "OK");
    EXPECT(do_rm(dom0, 0, "/closed/x/y"), "ENOENT");
}

/* Only the control domain gives nodes away (XS-7); creators own what they create. */
static void test_owners(void)
{
    struct client *dom0, *guest;

    harness_reset();
    dom0 = client_new(0);
    guest = client_new(1);
    do_mkdir(dom0, 0, "/g");
    do_perms(dom0, 0, "/g|n0|b1");
    EXPECT(do_write(guest, 0, "/g/a/b", "x"), "OK");
    EXPECT(ask_args(guest, XS_GET_PERMS, 0, "/g/a"), "OK");
    CU_ASSERT_EQUAL(memcmp(guest->reply, "n1\0b1", 6), 0);
    EXPECT(do_perms(guest, 0, "/g/a|n2"), "EPERM");
    EXPECT(do_perms(guest, 0, "/g/a|n0"), "EPERM");
    EXPECT(do_perms(guest, 0, "/g/a|r1|b2"), "OK");
    EXPECT(do_perms(dom0, 0, "/g/a|n2"), "OK");
    EXPECT(do_perms(guest, 0, "/g/a|n1"), "EACCES");
    CU_ASSERT_EQUAL(domain_of(2)->nodes, 1);
    CU_ASSERT_EQUAL(domain_of(1)->nodes, 1);
    /* the control domain's nodes take the parent's owner */
    EXPECT(do_write(dom0, 0, "/g/a/c", "x"), "OK");
    CU_ASSERT_EQUAL(domain_of(2)->nodes, 2);
}

static void test_privileged_messages(void)
{
    static const uint32_t types[] = {XS_CONTROL, XS_INTRODUCE, XS_RELEASE, XS_RESUME,
                                     XS_SET_TARGET};
    struct client *guest;

    harness_reset();
    guest = client_new(1);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        EXPECT(ask_args(guest, types[i], 0, "2|1|1"), "EACCES");
}

/* Names of domains that do not exist are not kept for whoever gets the id later. */
static void test_unborn(void)
{
    struct client *dom0;

    harness_reset();
    dom0 = client_new(0);
    do_mkdir(dom0, 0, "/n");
    EXPECT(do_perms(dom0, 0, "/n|n0|r20|r1"), "OK");
    EXPECT(ask_args(dom0, XS_GET_PERMS, 0, "/n"), "OK");
    CU_ASSERT_EQUAL(memcmp(dom0->reply, "n0\0r1", 6), 0);
    EXPECT(do_perms(dom0, 0, "/n|n20"), "EINVAL");
}

static void test_special(void)
{
    struct client *dom0, *guest;

    harness_reset();
    dom0 = client_new(0);
    guest = client_new(1);
    EXPECT(ask_args(guest, XS_GET_PERMS, 0, "@releaseDomain"), "EACCES");
    EXPECT(do_perms(guest, 0, "@releaseDomain|n1"), "EACCES");
    EXPECT(do_watch(guest, "@releaseDomain", "t"), "OK");
    forget_events(guest);
    watch_fire_special("@releaseDomain");
    CU_ASSERT_EQUAL(events(guest), 0);
    EXPECT(do_perms(dom0, 0, "@releaseDomain|n0|r1"), "OK");
    watch_fire_special("@releaseDomain");
    CU_ASSERT_TRUE(heard(guest, "@releaseDomain t"));
    EXPECT(do_read(dom0, 0, "@releaseDomain"), "EINVAL");
    EXPECT(do_write(dom0, 0, "@releaseDomain", "x"), "EINVAL");
}

static void test_target(void)
{
    struct client *dom0, *helper;

    harness_reset();
    dom0 = client_new(0);
    helper = client_new(1);
    client_new(2);
    do_mkdir(dom0, 0, "/n");
    do_perms(dom0, 0, "/n|n2");
    EXPECT(do_read(helper, 0, "/n"), "EACCES");
    EXPECT(ask_args(dom0, XS_SET_TARGET, 0, "1|2"), "OK");
    EXPECT(do_write(helper, 0, "/n", "x"), "OK");
    EXPECT(ask_args(dom0, XS_SET_TARGET, 0, "1|7"), "ENOENT");
    EXPECT(ask_args(dom0, XS_SET_TARGET, 0, "0|1"), "EINVAL");
    EXPECT(ask_args(dom0, XS_RELEASE, 0, "2"), "OK");
    CU_ASSERT_EQUAL(domain_of(1)->target, -1);
}

void suite_perms(void)
{
    CU_pSuite s = CU_add_suite("permissions", NULL, NULL);

    ADD(s, test_parse_format);
    ADD(s, test_access);
    ADD(s, test_matrix);
    ADD(s, test_missing);
    ADD(s, test_owners);
    ADD(s, test_privileged_messages);
    ADD(s, test_unborn);
    ADD(s, test_special);
    ADD(s, test_target);
}
