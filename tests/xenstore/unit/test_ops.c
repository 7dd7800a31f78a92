/* SPDX-License-Identifier: MIT */
/*
 * The messages that read and write, as the control domain sends them; malformed ones.
 *
 * Sabotage: in handle_directory_part() leave out the final empty name; in handle_directory() drop
 * the check of the room that is left (the sanitizer sees it).
 */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

static void test_read_write(void)
{
    static const char binary[] = "/b\0a\0\xff\0z";
    struct client *c;

    harness_reset();
    c = client_new(0);
    EXPECT(do_write(c, 0, "/a/b/c", "hello"), "OK");
    EXPECT(do_read(c, 0, "/a/b/c"), "hello");
    EXPECT(do_read(c, 0, "/a/b"), "");
    EXPECT(do_write(c, 0, "/a/b/c", ""), "OK");
    EXPECT(do_read(c, 0, "/a/b/c"), "");
    EXPECT(do_write(c, 0, "name", "Domain-0"), "OK");
    EXPECT(do_read(c, 0, "/local/domain/0/name"), "Domain-0");
    EXPECT(ask(c, XS_WRITE, 0, binary, sizeof(binary) - 1), "OK");
    EXPECT(ask(c, XS_READ, 0, "/b", 3), "OK");
    CU_ASSERT_EQUAL(c->len, 5);
    CU_ASSERT_EQUAL(memcmp(c->reply, "a\0\xff\0z", 5), 0);
    EXPECT(do_read(c, 0, "/nope"), "ENOENT");
    EXPECT(do_write(c, 0, "/", "root"), "OK");
    EXPECT(do_read(c, 0, "/"), "root");
}

static void test_mkdir_rm_list(void)
{
    struct client *c;

    harness_reset();
    c = client_new(0);
    EXPECT(do_mkdir(c, 0, "/a/b"), "OK");
    EXPECT(do_write(c, 0, "/a/b", "v"), "OK");
    EXPECT(do_mkdir(c, 0, "/a/b"), "OK");
    EXPECT(do_read(c, 0, "/a/b"), "v");
    EXPECT(do_mkdir(c, 0, "/a/c"), "OK");
    EXPECT(do_list(c, 0, "/a"), "b c");
    EXPECT(do_list(c, 0, "/a/b"), "");
    EXPECT(do_rm(c, 0, "/a"), "OK");
    EXPECT(do_list(c, 0, "/a"), "ENOENT");
    EXPECT(do_list(c, 0, "/"), "");
    EXPECT(do_rm(c, 0, "/a"), "OK");
    EXPECT(do_rm(c, 0, "/a/b"), "ENOENT");
    EXPECT(do_rm(c, 0, "/"), "EINVAL");
}

/* A listing of 1,000 children does not fit in a message; in parts it is complete and in order. */
static void test_directory_part(void)
{
    struct client *c;
    char path[40], all[32768];
    size_t have = 0;
    bool end = false;
    int parts = 0;

    harness_reset();
    c = client_new(0);
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "/many/child-number-%04d", i);
        do_mkdir(c, 0, path);
    }
    EXPECT(do_list(c, 0, "/many"), "E2BIG");
    while (!end && parts++ < 20) {
        size_t skip;

        snprintf(path, sizeof(path), "/many|%zu", have);
        EXPECT(ask_args(c, XS_DIRECTORY_PART, 0, path), "OK");
        skip = strlen(c->reply) + 1;
        CU_ASSERT_FATAL(c->len > skip);
        end = c->reply[c->len - 2] == '\0';
        memcpy(all + have, c->reply + skip, c->len - skip - end);
        have += c->len - skip - end;
    }
    CU_ASSERT_EQUAL(have, 1000 * (strlen("child-number-0000") + 1));
    CU_ASSERT_STRING_EQUAL(all + have - 18, "child-number-0999");
    CU_ASSERT_EQUAL(parts, 5);
    EXPECT(ask_args(c, XS_DIRECTORY_PART, 0, "/many|x"), "EINVAL");
    EXPECT(ask_args(c, XS_DIRECTORY_PART, 0, "/many"), "EINVAL");
}

static void test_directory_generation(void)
{
    struct client *c;
    char before[32];

    harness_reset();
    c = client_new(0);
    do_mkdir(c, 0, "/d/a");
    ask_args(c, XS_DIRECTORY_PART, 0, "/d|0");
    snprintf(before, sizeof(before), "%.31s", c->reply);
    do_write(c, 0, "/d/a", "value");
    ask_args(c, XS_DIRECTORY_PART, 0, "/d|0");
    CU_ASSERT_STRING_EQUAL(before, c->reply);
    do_mkdir(c, 0, "/d/b");
    ask_args(c, XS_DIRECTORY_PART, 0, "/d|0");
    CU_ASSERT_STRING_NOT_EQUAL(before, c->reply);
}

/* A value may fill a whole reply; a write is bounded by its own message. */
static void test_limits_of_a_message(void)
{
    static char data[XENSTORE_PAYLOAD_MAX];
    struct client *c;

    harness_reset();
    c = client_new(0);
    memset(data, 'v', sizeof(data));
    memcpy(data, "/a", 3);
    EXPECT(ask(c, XS_WRITE, 0, data, sizeof(data)), "OK");
    EXPECT(ask(c, XS_READ, 0, "/a", 3), "OK");
    CU_ASSERT_EQUAL(c->len, sizeof(data) - 3);
}

/* Every type with payloads that are too short, unterminated, too many, of the wrong kind. */
static void test_malformed(void)
{
    static const struct {
        const char *data;
        size_t len;
    } payload[] = {{"", 0},
                   {"/", 1},
                   {"/a", 2},
                   {"", 1},
                   {"//", 3},
                   {"\0\0", 2},
                   {"/a\0b\0c\0d\0e\0f", 12},
                   {"-1", 3},
                   {"99999", 6},
                   {"/a\0x", 4}};
    struct client *dom0, *guest;

    harness_reset();
    dom0 = client_new(0);
    guest = client_new(1);
    for (uint32_t type = 0; type < XS_TYPE_COUNT + 4; type++)
        for (size_t i = 0; i < sizeof(payload) / sizeof(payload[0]); i++)
            for (uint32_t tx = 0; tx < 2; tx++) {
                ask(dom0, type, tx, payload[i].data, payload[i].len);
                ask(guest, type, tx, payload[i].data, payload[i].len);
            }
    EXPECT(ask(dom0, XS_READ, 0, "/a", 2), "EINVAL");
    EXPECT(ask(dom0, XS_READ, 0, "/a\0b", 5), "EINVAL");
    EXPECT(ask(dom0, XS_WATCH, 0, "/a", 3), "EINVAL");
    EXPECT(ask(dom0, XS_WATCH, 0, "/a\0t\0x", 7), "EINVAL");
    EXPECT(ask(dom0, XS_SET_PERMS, 0, "/a", 3), "EINVAL");
    EXPECT(ask(dom0, XS_WATCH_EVENT, 0, "/a", 3), "ENOSYS");
    EXPECT(ask(dom0, XS_ERROR, 0, "/a", 3), "ENOSYS");
    EXPECT(ask(dom0, XS_INVALID, 0, "/a", 3), "ENOSYS");
    EXPECT(ask(dom0, 0xffffffff, 0, "/a", 3), "ENOSYS");
    EXPECT(ask(dom0, XS_READ, 77, "/a", 3), "ENOENT");
    EXPECT(ask(dom0, XS_TRANSACTION_END, 0, "T", 2), "ENOENT");
}

static void test_header_is_echoed(void)
{
    struct xsd_sockmsg header = {.type = XS_READ, .req_id = 0xdeadbeef, .len = 2}, got;
    struct client *c;

    harness_reset();
    c = client_new(0);
    ops_dispatch(&c->conn, &header, "/");
    memcpy(&got, c->conn.out.data + c->conn.out.head, sizeof(got));
    CU_ASSERT_EQUAL(got.req_id, 0xdeadbeef);
    CU_ASSERT_EQUAL(got.type, XS_READ);
    CU_ASSERT_EQUAL(got.tx_id, 0);
}

static void test_control(void)
{
    struct client *c;

    harness_reset();
    c = client_new(0);
    EXPECT(ask_args(c, XS_CONTROL, 0, "check"), "OK");
    EXPECT(c->reply, "OK");
    EXPECT(ask_args(c, XS_CONTROL, 0, "help"), "OK");
    CU_ASSERT_PTR_NOT_NULL(strstr(c->reply, "memreport"));
    EXPECT(ask_args(c, XS_CONTROL, 0, "quota|set|nodes|5"), "OK");
    CU_ASSERT_EQUAL(quota_limit(QUOTA_NODES), 5);
    EXPECT(ask_args(c, XS_CONTROL, 0, "quota|set|nodes|-5"), "EINVAL");
    EXPECT(ask_args(c, XS_CONTROL, 0, "quota|set|nonsense|5"), "EINVAL");
    EXPECT(ask_args(c, XS_CONTROL, 0, "quota|0"), "OK");
    EXPECT(ask_args(c, XS_CONTROL, 0, "quota|4"), "ENOENT");
    EXPECT(ask_args(c, XS_CONTROL, 0, "nonsense"), "EINVAL");
    EXPECT(ask(c, XS_CONTROL, 0, "check", 5), "EINVAL");
    domain_of(0)->nodes++;
    {
        struct xsd_sockmsg header = {.type = XS_CONTROL, .len = 6};

        ops_dispatch(&c->conn, &header, "check");
    }
    domain_of(0)->nodes--;
    CU_ASSERT_PTR_NOT_NULL(strstr(c->conn.out.data + c->conn.out.head + WIRE_HEADER, "1 diff"));
}

void suite_ops(void)
{
    CU_pSuite s = CU_add_suite("messages", NULL, NULL);

    ADD(s, test_read_write);
    ADD(s, test_mkdir_rm_list);
    ADD(s, test_directory_part);
    ADD(s, test_directory_generation);
    ADD(s, test_limits_of_a_message);
    ADD(s, test_malformed);
    ADD(s, test_header_is_echoed);
    ADD(s, test_control);
}
