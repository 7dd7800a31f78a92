/* SPDX-License-Identifier: MIT */
/*
 * Introduction, death, recycled ids (XS-7, XS-8).
 *
 * Sabotage: in purge() (life.c) leave out purge_nodes(); in check_bearer() leave out the comparison
 * of handles; in check_death() forget ending_told.
 */
#include "harness.h"

static struct client *dom0;

static void prepare(void)
{
    harness_reset();
    dom0 = client_new(0);
    do_watch(dom0, "@introduceDomain", "in");
    do_watch(dom0, "@releaseDomain", "out");
    forget_events(dom0);
}

static void test_introduce_release(void)
{
    prepare();
    EXPECT(ask_args(dom0, XS_IS_DOMAIN_INTRODUCED, 0, "5"), "OK");
    EXPECT(dom0->reply, "F");
    EXPECT(ask_args(dom0, XS_INTRODUCE, 0, "5|1234|7"), "OK");
    CU_ASSERT_TRUE(heard(dom0, "@introduceDomain in"));
    ask_args(dom0, XS_IS_DOMAIN_INTRODUCED, 0, "5");
    EXPECT(dom0->reply, "T");
    ask_args(dom0, XS_IS_DOMAIN_INTRODUCED, 0, "0");
    EXPECT(dom0->reply, "T");
    EXPECT(ask_args(dom0, XS_INTRODUCE, 0, "5|1234|8"), "OK");
    EXPECT(ask_args(dom0, XS_RELEASE, 0, "5"), "OK");
    CU_ASSERT_TRUE(heard(dom0, "@releaseDomain out"));
    EXPECT(ask_args(dom0, XS_RELEASE, 0, "5"), "ENOENT");
    CU_ASSERT_EQUAL(events(dom0), 2);
}

static void test_bad_introductions(void)
{
    prepare();
    EXPECT(ask_args(dom0, XS_INTRODUCE, 0, "0|1|1"), "EINVAL");
    EXPECT(ask_args(dom0, XS_INTRODUCE, 0, "20|1|1"), "EINVAL"); /* does not exist */
    EXPECT(ask_args(dom0, XS_INTRODUCE, 0, "32752|1|1"), "EINVAL");
    EXPECT(ask_args(dom0, XS_INTRODUCE, 0, "5|1"), "EINVAL");
    EXPECT(ask_args(dom0, XS_RELEASE, 0, "0"), "EINVAL");
    EXPECT(ask_args(dom0, XS_RESUME, 0, "5"), "ENOENT");
    CU_ASSERT_EQUAL(events(dom0), 0);
}

static void test_domain_path(void)
{
    prepare();
    EXPECT(ask_args(dom0, XS_GET_DOMAIN_PATH, 0, "17"), "OK");
    EXPECT(dom0->reply, "/local/domain/17");
    EXPECT(ask_args(dom0, XS_GET_DOMAIN_PATH, 0, "70000"), "EINVAL");
}

/* Shutdown is told once, again after RESUME; death cleans up and is told. */
static void test_shutdown_then_death(void)
{
    prepare();
    client_new(5);
    forget_events(dom0);
    fake_domain_shutdown(5, true);
    life_check_deaths();
    CU_ASSERT_EQUAL(events(dom0), 1);
    life_check_deaths();
    CU_ASSERT_EQUAL(events(dom0), 1);
    EXPECT(ask_args(dom0, XS_RESUME, 0, "5"), "OK");
    life_check_deaths();
    forget_events(dom0);
    CU_ASSERT_TRUE(domains_is_introduced(5));
    fake_domain(5, false);
    life_check_deaths();
    CU_ASSERT_TRUE(heard(dom0, "@releaseDomain out"));
    CU_ASSERT_FALSE(domains_is_introduced(5));
    CU_ASSERT_FALSE(domain_of(5)->known);
}

static void make_traces(struct client *guest)
{
    do_mkdir(dom0, 0, "/g");
    do_perms(dom0, 0, "/g|n5");
    do_write(guest, 0, "/g/a/b", "v");
    do_mkdir(dom0, 0, "/kept");
    do_perms(dom0, 0, "/kept|n0|r5|r6");
    do_mkdir(dom0, 0, "/kept/inside");
    do_perms(dom0, 0, "/kept/inside|n5");
    do_perms(dom0, 0, "@releaseDomain|n0|r5");
    do_watch(guest, "/kept", "t");
    do_start(guest);
}

static void expect_no_traces(void)
{
    EXPECT(do_read(dom0, 0, "/g"), "ENOENT");
    EXPECT(do_read(dom0, 0, "/kept"), "");
    EXPECT(do_read(dom0, 0, "/kept/inside"), "ENOENT");
    ask_args(dom0, XS_GET_PERMS, 0, "/kept");
    CU_ASSERT_EQUAL(dom0->len, 6);
    CU_ASSERT_EQUAL(memcmp(dom0->reply, "n0\0r6", 6), 0);
    ask_args(dom0, XS_GET_PERMS, 0, "@releaseDomain");
    CU_ASSERT_EQUAL(dom0->len, 3);
    CU_ASSERT_EQUAL(domain_memory(domain_of(5)), 0);
    CU_ASSERT_EQUAL(audit_books(), 0);
}

static void test_nothing_is_inherited(void)
{
    prepare();
    make_traces(client_new(5));
    do_watch(dom0, "/g/a/b", "gone");
    forget_events(dom0);
    fake_domain(5, false);
    life_check_deaths();
    CU_ASSERT_TRUE(heard(dom0, "/g/a/b gone"));
    expect_no_traces();
    prepare();
    make_traces(client_new(5));
    EXPECT(ask_args(dom0, XS_RELEASE, 0, "5"), "OK");
    expect_no_traces();
}

/* The id changes hands without our hearing of a death in between, introduced or not. */
static void test_new_bearer(void)
{
    prepare();
    make_traces(client_new(5));
    fake_domain_handle(5, 1);
    life_check_deaths();
    expect_no_traces();

    prepare();
    do_mkdir(dom0, 0, "/g");
    do_perms(dom0, 0, "/g|n5"); /* known, not introduced */
    fake_domain_handle(5, 2);
    EXPECT(ask_args(dom0, XS_INTRODUCE, 0, "5|1|1"), "OK");
    EXPECT(do_read(dom0, 0, "/g"), "ENOENT");
}

/* Never introduced, but named in lists: goes with the domain as well. */
static void test_death_before_introduction(void)
{
    prepare();
    do_mkdir(dom0, 0, "/g");
    do_perms(dom0, 0, "/g|n5");
    do_mkdir(dom0, 0, "/h");
    do_perms(dom0, 0, "/h|n0|r5");
    fake_domain(5, false);
    life_check_deaths();
    EXPECT(do_read(dom0, 0, "/g"), "ENOENT");
    EXPECT(do_read(dom0, 0, "/h"), "");
    CU_ASSERT_FALSE(domain_of(5)->known);
    CU_ASSERT_EQUAL(events(dom0), 0); /* nobody was ever told of it */
}

/* Even the root can have been given away. */
static void test_root_falls_back(void)
{
    prepare();
    client_new(5);
    do_perms(dom0, 0, "/|n5");
    CU_ASSERT_EQUAL(domain_of(5)->nodes, 1);
    fake_domain(5, false);
    life_check_deaths();
    CU_ASSERT_EQUAL(node_owner(store_main.root), 0);
}

/* One death takes the other's nodes with it: both lists of domains stay sound. */
static void test_deaths_entangled(void)
{
    prepare();
    do_mkdir(dom0, 0, "/p");
    do_perms(dom0, 0, "/p|n5");
    for (int i = 1; i < 5; i++) {
        char args[] = "/p/x|n0";

        args[3] = (char)('0' + i);
        args[6] = (char)('0' + i);
        do_perms(dom0, 0, "/p|n5");
        args[4] = '\0';
        do_mkdir(dom0, 0, args);
        args[4] = '|';
        do_perms(dom0, 0, args);
    }
    fake_domain(5, false);
    fake_domain(3, false);
    life_check_deaths();
    for (uint16_t i = 1; i < 6; i++)
        CU_ASSERT_FALSE(domain_of(i)->known);
    CU_ASSERT_EQUAL(audit_books(), 0);
}

void suite_domains(void)
{
    CU_pSuite s = CU_add_suite("domains", NULL, NULL);

    ADD(s, test_introduce_release);
    ADD(s, test_bad_introductions);
    ADD(s, test_domain_path);
    ADD(s, test_shutdown_then_death);
    ADD(s, test_nothing_is_inherited);
    ADD(s, test_new_bearer);
    ADD(s, test_death_before_introduction);
    ADD(s, test_root_falls_back);
    ADD(s, test_deaths_entangled);
}
