/* SPDX-License-Identifier: MIT */
/*
 * test_uring.c - the block backend's io_uring as kernels of different ages have it. What an old one
 * lacks is told by the ring's features, which are taken away here.
 *
 * Sabotage: IOSQE_CQE_SKIP_SUCCESS whatever the features say fails "unmasking, before 5.17"; the
 * call with a time whatever they say, or a ring that may not do IORING_OP_TIMEOUT, fails "a time to
 * wait for, before 5.11".
 */
#include <CUnit/Basic.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../backends/block/uring.h"
#include "tests.h"

enum { BUFFER = 4096, WAIT_US = 2000 };

static struct uring u;
static int ports[2]; /* the event channel's two ends */
static void *buffer;

static void open_ring(unsigned without)
{
    int fds[URING_NR_FILES] = {-1, -1, -1, -1, -1};

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ports), 0);
    fds[URING_EVTCHN] = ports[0];
    buffer = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_PTR_NOT_EQUAL_FATAL(buffer, MAP_FAILED);
    u.nr_out = 1;
    u.port_out[0] = 7;
    CU_ASSERT_EQUAL_FATAL(uring_init(&u, fds, buffer, BUFFER), 0);
    u.ring.features &= ~without;
}

static void close_ring(void)
{
    uring_free(&u);
    munmap(buffer, BUFFER);
    close(ports[0]);
    close(ports[1]);
}

/* The completion that is there, its result in *res; NULL: none. */
static void *completed(int *res)
{
    struct io_uring_cqe *cqe;
    void *tag;

    if (io_uring_peek_cqe(&u.ring, &cqe)) {
        return NULL;
    }
    tag = io_uring_cqe_get_data(cqe);
    *res = cqe->res;
    io_uring_cqe_seen(&u.ring, cqe);
    return tag;
}

static void unmasking(unsigned without, bool told)
{
    uint32_t port = 0;
    char tag;
    int res = 0;

    open_ring(without);
    uring_unmask(&u, &tag);
    CU_ASSERT_EQUAL(uring_enter(&u, 0), 0);
    CU_ASSERT_EQUAL(read(ports[1], &port, sizeof(port)), sizeof(port));
    CU_ASSERT_EQUAL(port, 7);
    CU_ASSERT_PTR_EQUAL(completed(&res), told ? &tag : NULL);
    CU_ASSERT_EQUAL(res, told ? (int)sizeof(port) : 0);
    close_ring();
}

static void test_unmask(void)
{
    unmasking(0, false);
}

static void test_unmask_old(void)
{
    unmasking(IORING_FEAT_CQE_SKIP, true);
}

static void test_time(void)
{
    int res;

    open_ring(0);
    CU_ASSERT_EQUAL(uring_enter(&u, WAIT_US), -ETIME);
    CU_ASSERT_PTR_NULL(completed(&res));
    close_ring();
}

static void test_time_old(void)
{
    void *tag;
    int res = 0;

    open_ring(IORING_FEAT_EXT_ARG);
    CU_ASSERT_EQUAL(uring_enter(&u, WAIT_US), 0);
    tag = completed(&res);
    CU_ASSERT_TRUE(tag && uring_is_alarm(tag));
    CU_ASSERT_EQUAL(res, -ETIME);
    close_ring();
}

void suite_uring(void)
{
    CU_pSuite s = CU_add_suite("uring", NULL, NULL);

    CU_add_test(s, "unmasking", test_unmask);
    CU_add_test(s, "unmasking, before 5.17", test_unmask_old);
    CU_add_test(s, "a time to wait for", test_time);
    CU_add_test(s, "a time to wait for, before 5.11", test_time_old);
}
