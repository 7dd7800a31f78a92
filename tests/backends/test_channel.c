/* SPDX-License-Identifier: MIT */
/*
 * test_channel.c - the protocol between a backend and its host: round trip, limits, rubbish.
 *
 * Sabotage: dropping the check `p == end` at the end of channel_decode() fails "trailing bytes are
 * refused"; letting channel_parse_u64() skip its overflow check fails "numbers are strict".
 */
#include <CUnit/Basic.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../backends/common/channel.h"
#include "tests.h"

static void test_round_trip(void)
{
    struct channel_msg m, n;
    char buf[CHANNEL_MAX_BYTES];
    size_t len;

    channel_init(&m, CHANNEL_BACK);
    CU_ASSERT_EQUAL(channel_add(&m, "state", "4"), 0);
    CU_ASSERT_EQUAL(channel_addf(&m, "sectors", "%llu", 1ull << 40), 0);
    CU_ASSERT_EQUAL(channel_add(&m, "empty", ""), 0);
    len = channel_encode(&m, buf);
    CU_ASSERT_EQUAL(channel_decode(&n, buf, len), 0);
    CU_ASSERT_EQUAL(n.type, CHANNEL_BACK);
    CU_ASSERT_EQUAL(n.count, 3);
    CU_ASSERT_STRING_EQUAL(channel_get(&n, "sectors"), "1099511627776");
    CU_ASSERT_STRING_EQUAL(channel_get(&n, "empty"), "");
    CU_ASSERT_PTR_NULL(channel_get(&n, "secto"));
}

static void test_limits(void)
{
    struct channel_msg m;
    char key[CHANNEL_KEY_MAX + 2], value[CHANNEL_VALUE_MAX + 2];
    unsigned i;

    channel_init(&m, CHANNEL_FRONT);
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = 0;
    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = 0;
    CU_ASSERT_EQUAL(channel_add(&m, key, "1"), -EINVAL);
    CU_ASSERT_EQUAL(channel_add(&m, "key", value), -EINVAL);
    key[CHANNEL_KEY_MAX] = 0;
    value[CHANNEL_VALUE_MAX] = 0;
    CU_ASSERT_EQUAL(channel_add(&m, key, value), 0);
    CU_ASSERT_EQUAL(channel_add(&m, key, value), -EEXIST);
    CU_ASSERT_EQUAL(channel_add(&m, "../x", "1"), -EINVAL);
    CU_ASSERT_EQUAL(channel_add(&m, "", "1"), -EINVAL);
    CU_ASSERT_EQUAL(channel_add(&m, "k", "a\nb"), -EINVAL);
    CU_ASSERT_EQUAL(channel_add(&m, "k", "\xff"), -EINVAL);
    for (i = 0; channel_addf(&m, "k", "1") == 0 || i < 300; i++) {
        char name[12];

        snprintf(name, sizeof(name), "n%u", i);
        if (channel_add(&m, name, "1") == -ENOSPC) {
            break;
        }
    }
    CU_ASSERT_EQUAL(m.count, CHANNEL_MAX_PAIRS);
}

static void test_full_text(void)
{
    struct channel_msg m, n;
    char value[CHANNEL_VALUE_MAX + 1], buf[CHANNEL_MAX_BYTES], name[12];
    int rc = 0;

    memset(value, 'v', sizeof(value) - 1);
    value[CHANNEL_VALUE_MAX] = 0;
    channel_init(&m, CHANNEL_FRONT);
    for (unsigned i = 0; !rc; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        rc = channel_add(&m, name, value);
    }
    CU_ASSERT_EQUAL(rc, -ENOSPC);
    CU_ASSERT_EQUAL(channel_decode(&n, buf, channel_encode(&m, buf)), 0);
    CU_ASSERT_EQUAL(n.count, m.count);
}

static size_t sample(char *buf)
{
    struct channel_msg m;

    channel_init(&m, CHANNEL_BACK);
    channel_add(&m, "state", "4");
    channel_add(&m, "sectors", "100");
    return channel_encode(&m, buf);
}

static void test_trailing(void)
{
    struct channel_msg m;
    char buf[CHANNEL_MAX_BYTES + 1];
    size_t len = sample(buf);

    buf[len] = 0;
    CU_ASSERT_EQUAL(channel_decode(&m, buf, len + 1), -EBADMSG);
    for (size_t cut = 0; cut < len; cut++) {
        char *exact = malloc(cut ? cut : 1); /* a read past it is the sanitizer's */

        memcpy(exact, buf, cut);
        CU_ASSERT_EQUAL(channel_decode(&m, exact, cut), -EBADMSG);
        free(exact);
    }
}

static void test_header(void)
{
    struct channel_msg m;
    char buf[CHANNEL_MAX_BYTES];
    size_t len = sample(buf);
    struct channel_header h, bad;

    memcpy(&h, buf, sizeof(h));
    for (int i = 0; i < 5; i++) {
        bad = h;
        bad.magic += i == 0;
        bad.version += i == 1;
        bad.type = i == 2 ? 0 : i == 3 ? CHANNEL_LINK + 1 : bad.type;
        bad.count += i == 4;
        memcpy(buf, &bad, sizeof(bad));
        CU_ASSERT_EQUAL(channel_decode(&m, buf, len), -EBADMSG);
    }
    bad = h;
    bad.count = UINT32_MAX;
    memcpy(buf, &bad, sizeof(bad));
    CU_ASSERT_EQUAL(channel_decode(&m, buf, len), -EBADMSG);
}

static void test_flipped_bytes(void)
{
    struct channel_msg m;
    char good[CHANNEL_MAX_BYTES], buf[CHANNEL_MAX_BYTES];
    size_t len = sample(good);

    srand(1);
    for (int i = 0; i < 60000; i++) {
        memcpy(buf, good, len);
        for (int k = rand() % 4; k >= 0; k--) {
            buf[(size_t)rand() % len] = (char)rand();
        }
        if (!channel_decode(&m, buf, len)) {
            CU_ASSERT_FATAL(m.count <= CHANNEL_MAX_PAIRS);
            for (unsigned p = 0; p < m.count; p++) {
                CU_ASSERT_FATAL(strlen(channel_key(&m, p)) <= CHANNEL_KEY_MAX);
                CU_ASSERT_FATAL(strlen(channel_value(&m, p)) <= CHANNEL_VALUE_MAX);
            }
        }
    }
}

static void test_numbers(void)
{
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-1",
                                      "01",
                                      "0x1",
                                      "1.0",
                                      "18446744073709551616",
                                      "99999999999999999999999",
                                      NULL};
    uint64_t v = 42;

    for (int i = 0; bad[i]; i++) {
        CU_ASSERT_FALSE(channel_parse_u64(bad[i], UINT64_MAX, &v));
    }
    CU_ASSERT_EQUAL(v, 42);
    CU_ASSERT_TRUE(channel_parse_u64("18446744073709551615", UINT64_MAX, &v));
    CU_ASSERT_EQUAL(v, UINT64_MAX);
    CU_ASSERT_TRUE(channel_parse_u64("0", 0, &v));
    CU_ASSERT_FALSE(channel_parse_u64("5", 4, &v));
}

static void test_socket(void)
{
    struct channel_msg m;
    char big[CHANNEL_MAX_BYTES + 100] = {0};
    int s[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
    channel_init(&m, CHANNEL_CLOSE);
    CU_ASSERT_EQUAL(channel_send(s[0], &m), 0);
    CU_ASSERT_EQUAL(channel_recv(s[1], &m), 1);
    CU_ASSERT_EQUAL(m.type, CHANNEL_CLOSE);
    CU_ASSERT_EQUAL(channel_recv(s[1], &m), -EAGAIN);
    CU_ASSERT_EQUAL(send(s[0], big, sizeof(big), 0), (ssize_t)sizeof(big));
    CU_ASSERT_EQUAL(channel_recv(s[1], &m), -EBADMSG);
    close(s[0]);
    CU_ASSERT_EQUAL(channel_recv(s[1], &m), 0);
    CU_ASSERT_EQUAL(channel_send(s[1], &m), -EPIPE);
    close(s[1]);
}

static void test_key_lists(void)
{
    CU_ASSERT_TRUE(channel_key_allowed(channel_front_keys("vbd"), "ring-ref15"));
    CU_ASSERT_FALSE(channel_key_allowed(channel_front_keys("vbd"), "ring-ref16"));
    CU_ASSERT_FALSE(channel_key_allowed(channel_front_keys("vbd"), "backend"));
    CU_ASSERT_FALSE(channel_key_allowed(channel_back_keys("vbd"), "params"));
    CU_ASSERT_FALSE(channel_key_allowed(channel_back_keys("console"), "tty"));
    CU_ASSERT_TRUE(channel_key_allowed(channel_back_keys("vif"), "state"));
}

void suite_channel(void)
{
    CU_pSuite s = CU_add_suite("channel", NULL, NULL);

    CU_add_test(s, "round trip", test_round_trip);
    CU_add_test(s, "limits of keys and values", test_limits);
    CU_add_test(s, "a full message still decodes", test_full_text);
    CU_add_test(s, "trailing bytes are refused, and every cut", test_trailing);
    CU_add_test(s, "header fields", test_header);
    CU_add_test(s, "flipped bytes", test_flipped_bytes);
    CU_add_test(s, "numbers are strict", test_numbers);
    CU_add_test(s, "socket: too long, empty, closed", test_socket);
    CU_add_test(s, "key lists", test_key_lists);
}
