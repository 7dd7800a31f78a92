/* SPDX-License-Identifier: MIT */
/*
 * test_conback.c - the console backend at work on a real pty, with a fake guest: bytes both ways,
 * indices that lie or change all the time, a flood, a storm (BE-1, BE-2, BE-7, BE-10, BE-12). The
 * backend's own loop runs in a thread; the test is the guest, the terminal and the host.
 *
 * Guest page GNTTAB_RESERVED_CONSOLE is the ring.
 *
 * Sabotage: without the comparison with OUT_SIZE in drain_output() "lying producer" fails (the
 * sanitizer sees the overflow), with a read of 4 * IN_SIZE in fill_input() "indices that change"
 * does; with a budget that is never charged "flood" does; without backoff_account() "storm of
 * notifications" does.
 */
#include <CUnit/Basic.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/console.h>

#include "../../backends/common/ring.h"
#include "../../backends/console/conback.h"
#include "fake/xen.h"
#include "tests.h"

#define LOG_MAX 65536u

static struct device dev;
static int host, terminal;
static pthread_t loop;
static struct xencons_interface *ring;

static void place(int fd, int number)
{
    CU_ASSERT_EQUAL_FATAL(dup2(fd, number), number);
    close(fd);
}

static int nameless_file(void)
{
    char name[] = "/tmp/conback-test-XXXXXX";
    int fd = mkostemp(name, O_APPEND); /* as the host opens logs */

    unlink(name);
    return fd;
}

static void wait_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static void *run(void *unused)
{
    (void)unused;
    conback_ops.run(&dev);
    return NULL;
}

static void open_guest(void)
{
    struct channel_msg start;
    struct termios raw;
    int s[2], master, slave, n;

    fake_reset();
    ring = (struct xencons_interface *)fake_page(GNTTAB_RESERVED_CONSOLE);
    CU_ASSERT_EQUAL_FATAL(openpty(&master, &slave, NULL, NULL, NULL), 0);
    tcgetattr(slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave, TCSANOW, &raw);
    terminal = open(ttyname(slave), O_RDWR | O_NOCTTY | O_NONBLOCK);
    n = inotify_init1(IN_NONBLOCK);
    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    place(master, CHANNEL_DEVICE_FD);
    place(slave, CHANNEL_DEVICE_FD + 1);
    place(n, CHANNEL_DEVICE_FD + 2);
    place(nameless_file(), CHANNEL_DEVICE_FD + 3);
    place(nameless_file(), CHANNEL_DEVICE_FD + 4);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
    host = s[1];
    dev = (struct device){
        .ops = &conback_ops, .state = XenbusStateInitialising, .channel = s[0], .domid = 1};
    CU_ASSERT_EQUAL_FATAL(gntdev_open(&dev.gnt, 1), 0);
    CU_ASSERT_EQUAL_FATAL(evtchn_open(&dev.evt, 1), 0);
    channel_init(&start, CHANNEL_START);
    channel_add(&start, "port", "5");
    channel_addf(&start, "log-max", "%u", LOG_MAX);
    channel_add(&start, "log", "1");
    channel_add(&start, "attached", "1");
    CU_ASSERT_EQUAL_FATAL(conback_ops.init(&dev, &start), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&loop, NULL, run, NULL), 0);
    for (int i = 0; i < 1000 && !READ_ONCE(dev.connected); i++) {
        wait_ms(1);
    }
    CU_ASSERT_TRUE_FATAL(READ_ONCE(dev.connected));
}

/* Unplug; the loop ends and nothing is left. */
static void close_guest(void)
{
    struct channel_msg m;

    channel_init(&m, CHANNEL_CLOSE);
    CU_ASSERT_EQUAL(channel_send(host, &m), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_join(loop, NULL), 0);
    CU_ASSERT_EQUAL(fake_mapped(), 0);
    CU_ASSERT_EQUAL(fake_bound(), 0);
    gntdev_close(dev.gnt);
    evtchn_close(dev.evt);
    free(dev.priv);
    close(dev.channel);
    close(host);
    close(terminal);
}

/* True when the host heard that the device was stopped, within a second. */
static bool failed(void)
{
    struct pollfd p = {.fd = host, .events = POLLIN};
    struct channel_msg m;

    while (poll(&p, 1, 1000) == 1 && channel_recv(host, &m) == 1) {
        if (m.type == CHANNEL_FAIL) {
            return true;
        }
    }
    return false;
}

static long log_size(void)
{
    struct stat now, old;

    fstat(CHANNEL_DEVICE_FD + 3, &now);
    fstat(CHANNEL_DEVICE_FD + 4, &old);
    return (long)(now.st_size + old.st_size);
}

/* An event, and what was unmasked after those before it taken note of. */
static void kick(void)
{
    while (fake_unmasked()) {
    }
    fake_kick(FAKE_PORT);
}

static void say(const char *text)
{
    for (; *text; text++) {
        ring->out[ring->out_prod % sizeof(ring->out)] = *text;
        WRITE_ONCE(ring->out_prod, ring->out_prod + 1);
    }
    kick();
}

static void test_both_ways(void)
{
    char got[64] = "";
    struct pollfd p = {.events = POLLIN};

    open_guest();
    p.fd = terminal;
    say("hello\x1b[2J");
    CU_ASSERT_EQUAL(poll(&p, 1, 5000), 1);
    CU_ASSERT_EQUAL(read(terminal, got, sizeof(got)), 9);
    CU_ASSERT_STRING_EQUAL(got, "hello\x1b[2J");
    CU_ASSERT_EQUAL(pread(CHANNEL_DEVICE_FD + 3, got, sizeof(got), 0), 9);
    CU_ASSERT_EQUAL(write(terminal, "ls\n", 3), 3);
    for (int i = 0; i < 500 && READ_ONCE(ring->in_prod) != 3; i++) {
        wait_ms(10);
    }
    CU_ASSERT_EQUAL(ring->in_prod, 3);
    CU_ASSERT_EQUAL(memcmp(ring->in, "ls\n", 3), 0);
    CU_ASSERT_EQUAL(READ_ONCE(ring->out_cons), 9);
    close_guest();
}

static void test_lying_producer(void)
{
    static const uint32_t ahead[] = {sizeof(ring->out) + 1, 4096, 0x7fffffff, 0x80000000,
                                     0xffffffff};

    for (unsigned i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        open_guest();
        WRITE_ONCE(ring->out_prod, ahead[i]);
        kick();
        CU_ASSERT_TRUE(failed());
        CU_ASSERT_EQUAL(log_size(), 0);
        close_guest();
    }
}

/* All four indices move at random under the backend while much is pasted into the terminal. */
static void test_changing_indices(void)
{
    static const char pasted[3000];
    unsigned seed = 3, stopped = 0;

    for (int round = 0; round < 20; round++) {
        open_guest();
        for (int i = 0; i < 2000 && READ_ONCE(dev.connected); i++) {
            uint32_t *const index[] = {&ring->in_cons, &ring->in_prod, &ring->out_cons,
                                       &ring->out_prod};
            uint32_t far = rand_r(&seed) % 50 ? 3000 : 0xffffffff;

            WRITE_ONCE(*index[rand_r(&seed) % (round % 2 ? 4 : 2)], (uint32_t)rand_r(&seed) % far);
            (void)!write(terminal, pasted, sizeof(pasted));
            kick();
            if (i % 16 == 0) {
                wait_ms(1);
            }
        }
        stopped += !READ_ONCE(dev.connected);
        close_guest();
    }
    CU_ASSERT_TRUE(stopped > 0 && stopped <= 10);
}

static void test_flood(void)
{
    struct timespec begin, now;
    uint64_t said = 0, ms;

    open_guest();
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        uint32_t room = (uint32_t)sizeof(ring->out) - (ring->out_prod - READ_ONCE(ring->out_cons));

        said += room;
        WRITE_ONCE(ring->out_prod, ring->out_prod + room);
        if (room) {
            kick();
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        ms = (uint64_t)((now.tv_sec - begin.tv_sec) * 1000 +
                        (now.tv_nsec - begin.tv_nsec) / 1000000);
    } while (ms < 1500);
    /* A burst, then 512 bytes a millisecond, and what stands in the ring. */
    CU_ASSERT_TRUE(said <= 512u * 1024 + (ms + 50) * 512 + sizeof(ring->out));
    CU_ASSERT_TRUE(log_size() <= (long)(2 * LOG_MAX));
    close_guest();
}

/* Notifications with nothing behind them. */
static void test_storm(void)
{
    open_guest();
    while (fake_unmasked()) {
    }
    CU_ASSERT_TRUE(fake_storm_is_slowed(FAKE_PORT, 300));
    close_guest();
}

void suite_conback(void)
{
    CU_pSuite s = CU_add_suite("conback", NULL, NULL);

    CU_add_test(s, "both ways", test_both_ways);
    CU_add_test(s, "lying producer", test_lying_producer);
    CU_add_test(s, "indices that change", test_changing_indices);
    CU_add_test(s, "flood", test_flood);
    CU_add_test(s, "storm of notifications", test_storm);
}
