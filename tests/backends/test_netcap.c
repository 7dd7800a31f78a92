/* SPDX-License-Identifier: MIT */
/*
 * test_netcap.c - what the network backend records of a packet is what went through its rings; a
 * capture of an interface that is not right is refused with offset and reason, wherever it is
 * damaged or cut off.
 *
 * Sabotage: in net/capture.c put() that copies no pieces, or records the round's end as its begin,
 * in replay/capcheck.c in_order() that does not look at the index: "what passed"; in netcap.c
 * without the look at CAPTURE_PIECE_PAGE: "damaged".
 */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../backends/net/state.h"
#include "../../backends/replay/netcap.h"
#include "captures.h"
#include "tests.h"

static struct netback nb = {.nr_queues = 2, .headroom = 256, .feat = {.sg = true, .csum6 = true}};
static int fd;

static struct net_queue *open_queue(void)
{
    fd = memfd_create("capture", 0);
    CU_ASSERT_EQUAL_FATAL(capture_prepare(fd, CAPTURE_NET), 0);
    CU_ASSERT_PTR_NULL(capture_open(dup(fd), CAPTURE_BLOCK)); /* of another kind */
    nb.capture = capture_open(dup(fd), CAPTURE_NET);
    CU_ASSERT_PTR_NOT_NULL_FATAL(nb.capture);
    nb.q[1] = (struct net_queue){.n = &nb, .index = 1};
    capture_guest(&nb);
    return &nb.q[1];
}

static void *text_of(size_t *len)
{
    void *text;

    capture_close(nb.capture);
    nb.capture = NULL;
    capture_finish(fd);
    text = captures_text(fd, len);
    close(fd);
    return text;
}

/* A segmented packet of three pieces, one that was refused, a wish; then one to the guest. */
static void record_some(struct net_queue *q)
{
    const uint64_t t = nb.capture->origin;
    const struct capture_round early = {t + 100, t + 300}, late = {t + 500, t + 900};
    const struct packet_tx big = {
        .nr_slots = 4,
        .nr_frags = 3,
        .size = 9000,
        .csum_blank = true,
        .gso_size = 1448,
        .gso_type = XEN_NETIF_GSO_TYPE_TCPV4,
        .frag = {{7, 96, 4000}, {8, 0, 4096}, {9, 10, 904}},
    };
    const struct packet_tx small = {.nr_slots = 1, .nr_frags = 1, .size = 60, .frag = {{7, 4, 60}}};
    const struct packet_tx wish = {.nr_slots = 2, .mcast = XEN_NETIF_EXTRA_TYPE_MCAST_DEL};
    const struct packet_rx plan = {.nr_slots = 3,
                                   .flags = NETRXF_csum_blank | NETRXF_data_validated,
                                   .gso_size = 1220,
                                   .gso_type = XEN_NETIF_GSO_TYPE_TCPV6};
    const struct gnt_copy pieces[] = {{NULL, 5, 256, 3840}, {NULL, 6, 256, 100}};
    const bool bad[] = {false, true};

    capture_received(q, &late, 17, &plan, pieces, bad, 2);
    capture_sent(q, &early, 41, &small, true, CAPTURE_SPOOFED);
    capture_sent(q, &early, 37, &big, false, CAPTURE_PASSED);
    capture_sent(q, &late, 42, &wish, false, CAPTURE_PASSED);
}

static void test_passed(void)
{
    struct net_queue *q = open_queue();
    struct capfile c;
    char err[200];
    size_t len;
    void *text;

    record_some(q);
    text = text_of(&len);
    CU_ASSERT_EQUAL_FATAL(cap_parse(&cap_net, text, len, &c, err, sizeof(err)), 0);
    free(text);
    CU_ASSERT_EQUAL_FATAL(c.nr, 4);
    CU_ASSERT_EQUAL(c.head.sector_size, 256);
    CU_ASSERT_EQUAL(c.head.queues, 2);
    CU_ASSERT_EQUAL(c.head.sectors, CAPTURE_TAKES_SG | CAPTURE_TAKES_CSUM6);
    const struct capture_packet *big = &c.packets[0].r, *wish = &c.packets[2].r;
    const struct capture_packet *got = &c.packets[3].r;

    CU_ASSERT_EQUAL(big->index, 37);
    CU_ASSERT_TRUE(big->queue == 1 && big->way == CAPTURE_SENT && big->size == 9000);
    CU_ASSERT_TRUE(big->taken == 100 && big->latency == 200);
    CU_ASSERT_TRUE(big->gso_size == 1448 && big->flags == CAPTURE_CSUM_BLANK);
    CU_ASSERT_TRUE(big->nr_slots == 4 && big->nr_pieces == 3);
    CU_ASSERT_TRUE(c.packets[0].piece[2].offset == 10 && c.packets[0].piece[2].size == 904);
    CU_ASSERT_TRUE(c.packets[1].r.fate == CAPTURE_SPOOFED && c.packets[1].depth == 2);
    CU_ASSERT_EQUAL(c.packets[1].r.status, NETIF_RSP_ERROR);
    CU_ASSERT_TRUE(wish->flags == CAPTURE_MCAST_DEL && !wish->nr_pieces && wish->nr_slots == 2);
    CU_ASSERT_TRUE(got->way == CAPTURE_RECEIVED && got->size == 3940 && got->latency == 400);
    CU_ASSERT_EQUAL(got->flags, CAPTURE_CSUM_BLANK | CAPTURE_VALIDATED);
    CU_ASSERT_TRUE(got->status == NETIF_RSP_ERROR && got->fate == CAPTURE_LOST);
    CU_ASSERT_FALSE(netcap_left_out(&c.packets[0]));
    for (unsigned i = 1; i < 4; i++) {
        CU_ASSERT_TRUE(netcap_left_out(&c.packets[i]));
    }
    cap_free(&c);
}

/* The first record is of the packet to the guest: two pieces, after 48 bytes. */
static void test_damaged(void)
{
    const size_t head = sizeof(struct capture_head), piece = sizeof(struct capture_packet);
    const struct damage damages[] = {
        {12, CAPTURE_BLOCK, "byte 8: version 1, kind 1"},
        {head, 1, "byte 128: a record of"},
        {head + 4, 8, "queue 8"},
        {head + 6, 2, "unknown way 2"},
        {head + 7, 16, "unknown flags 0x10"},
        {head + 7, CAPTURE_MCAST_ADD, "unknown flags 0x4"},
        {head + 15, 0x80, "centuries"},
        {head + 30, 1, "a frame of"},
        {head + 34, 3, "and type 3"},
        {head + 34, 0, "and type 0"},
        {head + 35, 4, "unknown fate 4"},
        {head + 37, 1, "unknown status"},
        {head + 38, 2, "2 pieces in 2 slots"},
        {head + 38, 5, "2 pieces in 5 slots"},
        {head + 40, 21, "for 21 pieces"},
        {head + piece + 1, 16, "piece 0, of 3840 bytes at 4096, crosses its page"},
        {head + piece + 6, 99, "pieces of 3939 bytes in a frame of 3940"},
    };
    size_t len;
    void *text;

    record_some(open_queue());
    text = text_of(&len);
    captures_refused(&cap_net, text, len, damages, sizeof(damages) / sizeof(damages[0]));
    free(text);
}

void suite_netcap(void)
{
    CU_pSuite s = CU_add_suite("capture of an interface", NULL, NULL);

    CU_add_test(s, "what passed", test_passed);
    CU_add_test(s, "damaged", test_damaged);
}
