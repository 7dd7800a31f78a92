/* SPDX-License-Identifier: MIT */
/*
 * test_guard.c - a guest speaks in nobody else's name: its station, its addresses, what it claims
 * by ARP and neighbour discovery; behind VLAN tags and extension headers, too.
 *
 * Sabotage: in guard.c, arp_allowed() without the station fails "ARP"; MAX_TAGS 3 fails "tags";
 * options_allowed() that returns true fails "neighbours"; `end` not cut to `have` fails "cut".
 */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/net/guard.h"
#include "tests.h"

static struct guard g;
static uint8_t f[200];
static const uint8_t own[6] = {0x00, 0x16, 0x3e, 1, 2, 3};

static void begin(uint16_t type)
{
    memset(f, 0, sizeof(f));
    memset(f, 0xff, 6);
    memcpy(f + 6, own, 6);
    f[12] = (uint8_t)(type >> 8);
    f[13] = (uint8_t)type;
}

static void guarded(bool with_ips)
{
    memset(&g, 0, sizeof(g));
    CU_ASSERT_TRUE(guard_set_mac(&g, "00163e010203"));
    if (with_ips) {
        CU_ASSERT_TRUE(guard_add_ip(&g, "10.0.0.5"));
        CU_ASSERT_TRUE(guard_add_ip(&g, "fd00::5"));
    }
}

static void set_v6(uint8_t *to, uint8_t first, uint8_t last)
{
    memset(to, 0, 16);
    to[0] = first;
    to[15] = last;
}

static void test_station(void)
{
    guarded(false);
    begin(0x88cc);
    CU_ASSERT_TRUE(guard_allows(&g, f, 60));
    f[11] ^= 1;
    CU_ASSERT_FALSE(guard_allows(&g, f, 60));
    g.on = false;
    CU_ASSERT_TRUE(guard_allows(&g, f, 60));
    CU_ASSERT_FALSE(guard_set_mac(&g, "00163e0102"));
    CU_ASSERT_FALSE(guard_set_mac(&g, "00163e010203f"));
    CU_ASSERT_FALSE(guard_add_ip(&g, "10.0.0"));
}

static void test_ipv4(void)
{
    guarded(true);
    begin(0x0800);
    f[14] = 0x45;
    CU_ASSERT_TRUE(guard_allows(&g, f, 60)); /* 0.0.0.0: it asks for an address */
    memcpy(f + 26, "\x0a\0\0\5", 4);
    CU_ASSERT_TRUE(guard_allows(&g, f, 60));
    CU_ASSERT_FALSE(guard_allows(&g, f, 33));
    f[29] = 6;
    CU_ASSERT_FALSE(guard_allows(&g, f, 60));
    guarded(false);
    CU_ASSERT_TRUE(guard_allows(&g, f, 60));
}

static void test_tags(void)
{
    guarded(true);
    for (unsigned tags = 1; tags <= 3; tags++) {
        begin(0x8100);
        for (unsigned i = 1; i < tags; i++) {
            f[12 + 4 * i] = 0x81;
        }
        f[12 + 4 * tags] = 0x08;
        memcpy(f + 26 + 4 * tags, "\x0a\0\0\5", 4);
        CU_ASSERT_EQUAL(guard_allows(&g, f, 80), tags < 3);
        f[29 + 4 * tags] = 6;
        CU_ASSERT_FALSE(guard_allows(&g, f, 80));
    }
}

static void test_arp(void)
{
    guarded(true);
    begin(0x0806);
    memcpy(f + 14, "\0\1\x08\0\6\4\0\1", 8);
    memcpy(f + 22, own, 6);
    CU_ASSERT_TRUE(guard_allows(&g, f, 42)); /* a probe */
    CU_ASSERT_FALSE(guard_allows(&g, f, 41));
    memcpy(f + 28, "\x0a\0\0\5", 4);
    CU_ASSERT_TRUE(guard_allows(&g, f, 42));
    f[31] = 1; /* the router's address is mine */
    CU_ASSERT_FALSE(guard_allows(&g, f, 42));
    guarded(false);
    CU_ASSERT_TRUE(guard_allows(&g, f, 42));
    f[27] ^= 1; /* at another's station */
    CU_ASSERT_FALSE(guard_allows(&g, f, 42));
    begin(0x8035);
    CU_ASSERT_FALSE(guard_allows(&g, f, 42));
}

/* An ICMPv6 message of `bytes` behind `extensions` headers; its first byte. */
static uint8_t *icmp6(unsigned extensions, uint8_t type, unsigned bytes)
{
    unsigned at = 54;

    begin(0x86dd);
    f[14] = 0x60;
    f[19] = (uint8_t)(8 * extensions + bytes);
    f[20] = extensions ? 60 : 58;
    set_v6(f + 22, 0xfd, 5);
    for (unsigned i = 1; i <= extensions; i++, at += 8) {
        f[at] = i < extensions ? 60 : 58;
    }
    f[at] = type;
    return f + at;
}

static void test_neighbours(void)
{
    for (unsigned x = 0; x < 3; x++) {
        uint8_t *m = icmp6(x, 136, 32);

        guarded(true);
        set_v6(m + 8, 0xfd, 5);
        m[24] = 2;
        m[25] = 1;
        memcpy(m + 26, own, 6);
        CU_ASSERT_TRUE(guard_allows(&g, f, 150));
        m[31] ^= 1;
        CU_ASSERT_FALSE(guard_allows(&g, f, 150));
        m[31] ^= 1;
        m[25] = 0;
        CU_ASSERT_FALSE(guard_allows(&g, f, 150));
        m[25] = 1;
        set_v6(m + 8, 0xfd, 1);
        CU_ASSERT_FALSE(guard_allows(&g, f, 150));
        m[0] = 135; /* one may ask for others */
        CU_ASSERT_TRUE(guard_allows(&g, f, 150));
        m[0] = 134;
        CU_ASSERT_FALSE(guard_allows(&g, f, 150));
        m[0] = 128;
        CU_ASSERT_TRUE(guard_allows(&g, f, 150));
        set_v6(f + 22, 0xfd, 6);
        CU_ASSERT_FALSE(guard_allows(&g, f, 150));
        memcpy(f + 22, "\xfe\x80\0\0\0\0\0\0\x02\x16\x3e\xff\xfe\1\2\3", 16);
        CU_ASSERT_TRUE(guard_allows(&g, f, 150));
        f[37] = 4;
        CU_ASSERT_FALSE(guard_allows(&g, f, 150));
    }
    icmp6(10, 128, 8);
    CU_ASSERT_FALSE(guard_allows(&g, f, 200));
}

/* Frames of all lengths with all that leads into a parser, each in memory that ends with it. */
static void test_cut(void)
{
    static const uint16_t types[] = {0x0800, 0x0806, 0x86dd, 0x8100};

    srand(1);
    guarded(true);
    for (unsigned i = 0; i < 60000; i++) {
        size_t len = (size_t)rand() % 120;
        uint8_t *exact;

        icmp6((unsigned)rand() % 4, (uint8_t)(133 + rand() % 5), (unsigned)rand() % 60);
        if (rand() % 4 == 0) {
            f[12] = (uint8_t)(types[rand() % 4] >> 8);
        }
        for (unsigned k = 0; k < 4; k++) {
            f[12 + rand() % 100] = (uint8_t)rand();
        }
        exact = malloc(len ? len : 1);
        memcpy(exact, f, len);
        guard_allows(&g, exact, len);
        free(exact);
    }
}

void suite_guard(void)
{
    CU_pSuite s = CU_add_suite("guard", NULL, NULL);

    CU_add_test(s, "station", test_station);
    CU_add_test(s, "IPv4", test_ipv4);
    CU_add_test(s, "tags", test_tags);
    CU_add_test(s, "ARP", test_arp);
    CU_add_test(s, "neighbours", test_neighbours);
    CU_add_test(s, "cut", test_cut);
}
