/* SPDX-License-Identifier: MIT */
/*
 * test_packet.c - rules of packets on the network rings (BE-6).
 *
 * Sabotage: not dropping packets with an empty piece (add_frag()) fails "sizes"; dropping the
 * `total > len - l->l3` check of parse_ipv4() fails "headers that lie" (and the sanitizers).
 */
#include <CUnit/Basic.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "../../backends/net/mcast.h"
#include "../../backends/net/packet.h"
#include "tests.h"

static union packet_tx_slot slots[PACKET_MAX_SLOTS + 4];
static struct packet_tx tx;

static void set(unsigned i, uint16_t offset, uint16_t size, uint16_t flags)
{
    memset(&slots[i], 0, sizeof(slots[i]));
    slots[i].req = (netif_tx_request_t){
        .gref = 10 + i, .offset = offset, .size = size, .flags = flags, .id = (uint16_t)i};
}

static void set_gso(unsigned i, uint8_t type, uint16_t size, uint8_t gso_type, uint8_t flags)
{
    memset(&slots[i], 0, sizeof(slots[i]));
    slots[i].extra.type = type;
    slots[i].extra.flags = flags;
    slots[i].extra.u.gso.size = size;
    slots[i].extra.u.gso.type = gso_type;
}

static bool parse(unsigned avail)
{
    return packet_tx_parse(slots, avail, &tx) == NULL;
}

static void test_simple(void)
{
    set(0, 100, 60, NETTXF_csum_blank | NETTXF_data_validated);
    CU_ASSERT_TRUE(parse(1));
    CU_ASSERT_EQUAL(tx.nr_slots, 1);
    CU_ASSERT_EQUAL(tx.nr_frags, 1);
    CU_ASSERT_EQUAL(tx.frag[0].offset, 100);
    CU_ASSERT_EQUAL(tx.frag[0].size, 60);
    CU_ASSERT_TRUE(tx.csum_blank);
    CU_ASSERT_FALSE(tx.drop);
    set(0, 0, 13, 0);
    CU_ASSERT_TRUE(parse(1));
    CU_ASSERT_TRUE(tx.drop);
}

static void test_chain(void)
{
    set(0, 0, 9000, NETTXF_more_data | NETTXF_extra_info);
    set_gso(1, XEN_NETIF_EXTRA_TYPE_GSO, 1448, XEN_NETIF_GSO_TYPE_TCPV4, 0);
    set(2, 0, 4096, NETTXF_more_data);
    set(3, 8, 4000, 0);
    CU_ASSERT_TRUE(parse(4));
    CU_ASSERT_EQUAL(tx.nr_slots, 4);
    CU_ASSERT_EQUAL(tx.nr_frags, 3);
    CU_ASSERT_EQUAL(tx.frag[0].size, 9000 - 4096 - 4000);
    CU_ASSERT_EQUAL(tx.frag[2].gref, 13);
    CU_ASSERT_TRUE(tx.slot_is_extra[1]);
    CU_ASSERT_FALSE(tx.slot_is_extra[2]);
    CU_ASSERT_EQUAL(tx.gso_size, 1448);
    CU_ASSERT_FALSE(parse(3));
    CU_ASSERT_FALSE(parse(2));
    CU_ASSERT_FALSE(parse(1));
}

static void test_sizes(void)
{
    set(0, 4000, 97, 0);
    CU_ASSERT_FALSE(parse(1));
    set(0, 4000, 96, 0);
    CU_ASSERT_TRUE(parse(1));
    set(0, 4096, 14, 0);
    CU_ASSERT_FALSE(parse(1));
    set(0, 65535, 65535, 0);
    CU_ASSERT_FALSE(parse(1));
    set(0, 0, 100, NETTXF_more_data);
    set(1, 0, 101, 0);
    CU_ASSERT_FALSE(parse(2));
    set(1, 0, 100, 0); /* leaves nothing for the first */
    CU_ASSERT_TRUE(parse(2));
    CU_ASSERT_TRUE(tx.drop);
    set(1, 0, 0, 0);
    CU_ASSERT_TRUE(parse(2));
    CU_ASSERT_TRUE(tx.drop);
}

static void test_long_chains(void)
{
    set(0, 0, 18 * 100, NETTXF_more_data);
    for (unsigned i = 1; i < 19; i++) {
        set(i, 0, 100, i < 17 ? NETTXF_more_data : 0);
    }
    CU_ASSERT_TRUE(parse(20));
    CU_ASSERT_EQUAL(tx.nr_frags, 18);
    slots[17].req.flags = NETTXF_more_data;
    CU_ASSERT_FALSE(parse(20));
}

static void test_extras(void)
{
    set(0, 0, 100, NETTXF_extra_info);
    for (unsigned type = 0; type < 256; type++) {
        set_gso(1, (uint8_t)type, 1400, XEN_NETIF_GSO_TYPE_TCPV4, 0);
        CU_ASSERT_EQUAL(parse(2),
                        type >= XEN_NETIF_EXTRA_TYPE_GSO && type <= XEN_NETIF_EXTRA_TYPE_MCAST_DEL);
    }
    set_gso(1, XEN_NETIF_EXTRA_TYPE_GSO, 0, XEN_NETIF_GSO_TYPE_TCPV4, 0);
    CU_ASSERT_FALSE(parse(2));
    for (unsigned type = 0; type < 256; type++) {
        set_gso(1, XEN_NETIF_EXTRA_TYPE_GSO, 1400, (uint8_t)type, 0);
        CU_ASSERT_EQUAL(parse(2), type == 1 || type == 2);
    }
    for (unsigned i = 1; i < 5; i++) {
        set_gso(i, XEN_NETIF_EXTRA_TYPE_GSO, 1400, 1, XEN_NETIF_EXTRA_FLAG_MORE);
    }
    CU_ASSERT_FALSE(parse(5));
    CU_ASSERT_FALSE(parse(2));
}

/* A TCP segment over IPv4: headers, then payload. Returns its length. */
static size_t tcp4(uint8_t *f, size_t payload)
{
    size_t total = 40 + payload;

    memset(f, 0, 14 + total);
    f[12] = 0x08;
    f[14] = 0x45;
    f[16] = (uint8_t)(total >> 8);
    f[17] = (uint8_t)total;
    f[23] = IPPROTO_TCP;
    memcpy(f + 26, "\x0a\x09\x00\x01\x0a\x09\x00\x02", 8);
    f[46] = 0x50;
    return 14 + total;
}

static bool offload(const uint8_t *frame, size_t len, struct virtio_net_hdr *hdr)
{
    uint8_t *exact = malloc(len ? len : 1); /* a read past it is the sanitizer's */
    bool ok;

    memcpy(exact, frame, len);
    ok = packet_tx_offload(exact, len, len, &tx, hdr);
    free(exact);
    return ok;
}

static void test_offload(void)
{
    uint8_t f[2000];
    struct virtio_net_hdr hdr;
    size_t len = tcp4(f, 100);

    memset(&tx, 0, sizeof(tx));
    CU_ASSERT_TRUE(packet_tx_offload(f, len, len, &tx, &hdr));
    CU_ASSERT_EQUAL(hdr.flags, 0);
    tx.csum_blank = true;
    CU_ASSERT_TRUE(packet_tx_offload(f, len, len, &tx, &hdr));
    CU_ASSERT_EQUAL(hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    CU_ASSERT_EQUAL(hdr.csum_start, 34);
    CU_ASSERT_EQUAL(hdr.csum_offset, 16);
    /* 0a09 + 0001 + 0a09 + 0002 + 6 + 120 */
    CU_ASSERT_EQUAL(f[50] << 8 | f[51], 0x0a09 + 1 + 0x0a09 + 2 + 6 + 120);
    tx.gso_size = 1000;
    tx.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
    CU_ASSERT_TRUE(packet_tx_offload(f, len, len, &tx, &hdr));
    CU_ASSERT_EQUAL(hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    CU_ASSERT_EQUAL(hdr.gso_size, 1000);
    CU_ASSERT_EQUAL(hdr.hdr_len, 54);
    tx.gso_type = XEN_NETIF_GSO_TYPE_TCPV6;
    CU_ASSERT_FALSE(packet_tx_offload(f, len, len, &tx, &hdr));
}

static void test_lying_headers(void)
{
    uint8_t f[2000];
    struct virtio_net_hdr hdr;
    size_t len = tcp4(f, 100);

    memset(&tx, 0, sizeof(tx));
    tx.csum_blank = true;
    for (size_t cut = PACKET_MIN_BYTES; cut < len; cut++) {
        CU_ASSERT_FALSE(offload(f, cut, &hdr));
    }
    f[14] = 0x44; /* header of 16 bytes */
    CU_ASSERT_FALSE(offload(f, len, &hdr));
    f[14] =
        0x4f; /* options as long as can be: the TCP header begins elsewhere, and has no length */
    CU_ASSERT_FALSE(offload(f, len, &hdr));
    tcp4(f, 100);
    f[46] = 0xf0;
    CU_ASSERT_TRUE(offload(f, len, &hdr));
    f[46] = 0x40;
    CU_ASSERT_FALSE(offload(f, len, &hdr));
    tcp4(f, 100);
    f[20] = 0x20; /* a fragment */
    CU_ASSERT_FALSE(offload(f, len, &hdr));
    tcp4(f, 100);
    f[23] = IPPROTO_ICMP;
    CU_ASSERT_FALSE(offload(f, len, &hdr));
    f[12] = 0x06;
    CU_ASSERT_FALSE(offload(f, len, &hdr));
}

static void test_random_headers(void)
{
    uint8_t f[300];
    struct virtio_net_hdr hdr;

    srand(4);
    for (int i = 0; i < 100000; i++) {
        size_t len = PACKET_MIN_BYTES + (size_t)rand() % 200;

        for (size_t b = 0; b < len; b++) {
            f[b] = (uint8_t)(rand() & (rand() & 1 ? 0xff : 0x3));
        }
        f[12] = rand() & 1 ? 0x08 : 0x86;
        f[13] = f[12] == 0x08 ? 0 : 0xdd;
        f[14] = (uint8_t)(f[12] == 0x08 ? 0x45 + rand() % 3 : 0x60);
        memset(&tx, 0, sizeof(tx));
        tx.csum_blank = true;
        tx.gso_size = rand() & 1 ? 1000 : 0;
        tx.gso_type = (uint8_t)(1 + rand() % 2);
        if (offload(f, len, &hdr)) {
            CU_ASSERT_FATAL(hdr.csum_start + hdr.csum_offset + 2u <= len);
            CU_ASSERT_FATAL(hdr.hdr_len <= len);
        }
    }
}

static void test_random_chains(void)
{
    srand(5);
    for (int i = 0; i < 100000; i++) {
        unsigned avail = 1 + (unsigned)rand() % PACKET_MAX_SLOTS;
        uint32_t sum = 0;

        for (size_t b = 0; b < avail * sizeof(slots[0]); b++) {
            ((uint8_t *)slots)[b] = (uint8_t)(rand() & (rand() & 1 ? 0xff : 0x7));
        }
        slots[0].req.size = (uint16_t)(rand() % 70000);
        if (packet_tx_parse(slots, avail, &tx) || tx.mcast) {
            continue;
        }
        CU_ASSERT_FATAL(tx.nr_slots >= 1 && tx.nr_slots <= avail &&
                        tx.nr_frags <= PACKET_MAX_FRAGS);
        for (unsigned k = 0; k < tx.nr_frags; k++) {
            CU_ASSERT_FATAL(tx.frag[k].offset + tx.frag[k].size <= 4096);
            sum += tx.frag[k].size;
        }
        CU_ASSERT_FATAL(sum == tx.size);
    }
}

static void test_receive(void)
{
    struct virtio_net_hdr hdr = {0};
    struct packet_rx rx;

    CU_ASSERT_TRUE(packet_rx_plan(&hdr, 1514, false, 4096, &rx));
    CU_ASSERT_EQUAL(rx.nr_slots, 1);
    CU_ASSERT_FALSE(packet_rx_plan(&hdr, 4097, false, 4096, &rx));
    CU_ASSERT_TRUE(packet_rx_plan(&hdr, 4097, true, 4096, &rx));
    CU_ASSERT_EQUAL(rx.nr_slots, 2);
    CU_ASSERT_FALSE(packet_rx_plan(&hdr, 13, true, 4096, &rx));
    CU_ASSERT_FALSE(packet_rx_plan(&hdr, 65536, true, 4096, &rx));
    hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    hdr.gso_size = 1448;
    CU_ASSERT_TRUE(packet_rx_plan(&hdr, 65535, true, 4096, &rx));
    CU_ASSERT_EQUAL(rx.nr_slots, 17);
    CU_ASSERT_EQUAL(rx.flags, NETRXF_csum_blank | NETRXF_data_validated);
    CU_ASSERT_TRUE(packet_rx_plan(&hdr, 65535, true, 4096 - 512, &rx));
    CU_ASSERT_EQUAL(rx.nr_slots, PACKET_MAX_SLOTS);
    hdr.gso_type = VIRTIO_NET_HDR_GSO_UDP;
    CU_ASSERT_FALSE(packet_rx_plan(&hdr, 1514, true, 4096, &rx));
}

/* What of a packet is not in one place is not read, and what its headers say of it is true. */
static void test_head_only(void)
{
    uint8_t f[2000], *head = malloc(54);
    struct virtio_net_hdr hdr;
    size_t len = tcp4(f, 1000);

    memset(&tx, 0, sizeof(tx));
    tx.csum_blank = true;
    memcpy(head, f, 54);
    CU_ASSERT_TRUE(packet_tx_offload(head, 54, len, &tx, &hdr));
    CU_ASSERT_FALSE(packet_tx_offload(head, 53, len, &tx, &hdr));
    CU_ASSERT_FALSE(packet_tx_offload(head, 54, len - 1, &tx, &hdr));
    free(head);
}

static void test_mcast(void)
{
    static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1}, other[6] = {1, 0, 0x5e, 0, 0, 2};
    static const uint8_t all[6] = {255, 255, 255, 255, 255, 255}, one[6] = {0, 0x16, 0x3e};
    struct mcast_list l = {0};
    uint8_t many[6] = {0x33, 0x33};

    CU_ASSERT_TRUE(mcast_hears(&l, all));
    CU_ASSERT_TRUE(mcast_hears(&l, one));
    CU_ASSERT_FALSE(mcast_hears(&l, group));
    CU_ASSERT_FALSE(mcast_add(&l, one));
    CU_ASSERT_TRUE(mcast_add(&l, group));
    CU_ASSERT_TRUE(mcast_add(&l, group));
    CU_ASSERT_EQUAL(l.count, 1);
    CU_ASSERT_TRUE(mcast_hears(&l, group));
    mcast_del(&l, other);
    CU_ASSERT_EQUAL(l.count, 1);
    for (unsigned i = 0; i < MCAST_MAX - 1; i++) {
        many[5] = (uint8_t)i;
        CU_ASSERT_TRUE(mcast_add(&l, many));
    }
    CU_ASSERT_FALSE(mcast_add(&l, other));
    mcast_del(&l, group);
    CU_ASSERT_FALSE(mcast_hears(&l, group));
    CU_ASSERT_TRUE(mcast_hears(&l, many));
    CU_ASSERT_TRUE(mcast_add(&l, other));
}

void suite_packet(void)
{
    CU_pSuite s = CU_add_suite("packet", NULL, NULL);

    CU_add_test(s, "one slot", test_simple);
    CU_add_test(s, "chain with GSO, and its cuts", test_chain);
    CU_add_test(s, "sizes", test_sizes);
    CU_add_test(s, "18 pieces, not 19", test_long_chains);
    CU_add_test(s, "extra slots", test_extras);
    CU_add_test(s, "offload header", test_offload);
    CU_add_test(s, "headers that lie", test_lying_headers);
    CU_add_test(s, "headers in the first bytes", test_head_only);
    CU_add_test(s, "multicast list", test_mcast);
    CU_add_test(s, "random headers", test_random_headers);
    CU_add_test(s, "random chains", test_random_chains);
    CU_add_test(s, "receive plan", test_receive);
}
