/* SPDX-License-Identifier: MIT */
/*
 * test_device.c - the state machine that all backends share (BE-8): every front state at every
 * moment.
 *
 * Sabotage: not clearing `connected` before ops->disconnect in drop_connection() fails "random
 * walk" (disconnects without connects); answering front state 6 without drop_connection() fails
 * "close".
 */
#include <CUnit/Basic.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../backends/common/device.h"
#include "fake/xen.h"
#include "tests.h"

static int connects, disconnects;
static bool refuse;
static int host; /* the host's end of the channel */
static struct device dev;

static void fake_advertise(struct device *d, struct channel_msg *back)
{
    (void)d;
    channel_add(back, "feature-x", "1");
}

static int fake_connect(struct device *d, const struct channel_msg *front, struct channel_msg *back)
{
    (void)front;
    if (refuse) {
        device_fail(d, "refused");
        return -EINVAL;
    }
    channel_add(back, "size", "1");
    connects++;
    return 0;
}

static void fake_disconnect(struct device *d)
{
    (void)d;
    disconnects++;
}

static const struct device_ops fake_ops = {
    .class_name = "vbd",
    .advertise = fake_advertise,
    .connect = fake_connect,
    .disconnect = fake_disconnect,
};

static void start(void)
{
    int s[2];

    fake_reset();
    if (host) {
        close(host);
        close(dev.channel);
    }
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
    host = s[1];
    dev = (struct device){.ops = &fake_ops, .state = XenbusStateInitialising, .channel = s[0]};
    connects = disconnects = 0;
    refuse = false;
}

static void front(unsigned state)
{
    struct channel_msg m;

    channel_init(&m, CHANNEL_FRONT);
    channel_addf(&m, "state", "%u", state);
    device_handle_message(&dev, &m);
}

static void unplug(void)
{
    struct channel_msg m;

    channel_init(&m, CHANNEL_CLOSE);
    device_handle_message(&dev, &m);
}

/* The next message's state, -1 if there is none, -2 for a failure report. */
static int told(struct channel_msg *m)
{
    uint64_t state = 99;

    if (channel_recv(host, m) != 1) {
        return -1;
    }
    if (m->type == CHANNEL_FAIL) {
        return -2;
    }
    channel_get_u64(m, "state", 9, &state);
    return (int)state;
}

static void test_life(void)
{
    struct channel_msg m;

    start();
    front(1);
    CU_ASSERT_EQUAL(told(&m), XenbusStateInitWait);
    CU_ASSERT_STRING_EQUAL(channel_get(&m, "feature-x"), "1");
    front(1);
    CU_ASSERT_EQUAL(told(&m), -1);
    front(3);
    CU_ASSERT_EQUAL(told(&m), XenbusStateConnected);
    CU_ASSERT_STRING_EQUAL(channel_get(&m, "size"), "1");
    front(4);
    CU_ASSERT_EQUAL(connects, 1);
    front(5);
    CU_ASSERT_EQUAL(told(&m), XenbusStateClosing);
    CU_ASSERT_EQUAL(disconnects, 0);
    front(6);
    CU_ASSERT_EQUAL(told(&m), XenbusStateClosed);
    CU_ASSERT_EQUAL(disconnects, 1);
    CU_ASSERT_FALSE(dev.exit);
    front(1);
    CU_ASSERT_EQUAL(told(&m), XenbusStateInitWait);
    front(4); /* a network front goes straight there */
    CU_ASSERT_EQUAL(connects, 2);
}

static void test_crashed_front(void)
{
    struct channel_msg m;

    start();
    front(1);
    front(3);
    told(&m);
    told(&m);
    front(1); /* a new kernel in the same guest */
    CU_ASSERT_EQUAL(disconnects, 1);
    CU_ASSERT_EQUAL(told(&m), XenbusStateInitWait);
    front(3);
    CU_ASSERT_EQUAL(told(&m), XenbusStateConnected);
    front(0); /* its nodes were pulled */
    CU_ASSERT_EQUAL(disconnects, 2);
    CU_ASSERT_EQUAL(told(&m), XenbusStateClosed);
}

static void test_unplug(void)
{
    struct channel_msg m;

    start();
    front(1);
    front(4);
    told(&m);
    told(&m);
    unplug();
    CU_ASSERT_EQUAL(told(&m), XenbusStateClosing);
    CU_ASSERT_FALSE(dev.exit);
    front(5);
    CU_ASSERT_EQUAL(told(&m), -1);
    front(6);
    CU_ASSERT_EQUAL(told(&m), XenbusStateClosed);
    CU_ASSERT_TRUE(dev.exit);
    start();
    unplug();
    CU_ASSERT_TRUE(dev.exit);
}

static void test_stale_front(void)
{
    struct channel_msg m;

    start();
    front(4); /* it was connected to a backend that died */
    CU_ASSERT_EQUAL(told(&m), XenbusStateClosing);
    CU_ASSERT_EQUAL(connects, 0);
    front(3);
    CU_ASSERT_EQUAL(connects, 0);
    front(6);
    CU_ASSERT_EQUAL(told(&m), XenbusStateClosed);
    front(1);
    CU_ASSERT_EQUAL(told(&m), XenbusStateInitWait);
    front(3);
    CU_ASSERT_EQUAL(connects, 1);
}

static void test_failure(void)
{
    struct channel_msg m;

    start();
    refuse = true;
    front(1);
    CU_ASSERT_EQUAL(told(&m), XenbusStateInitWait);
    front(3);
    CU_ASSERT_EQUAL(told(&m), -2);
    CU_ASSERT_STRING_EQUAL(channel_get(&m, "reason"), "refused");
    CU_ASSERT_EQUAL(told(&m), XenbusStateClosing);
    CU_ASSERT_EQUAL(disconnects, 0);
    front(4);
    CU_ASSERT_EQUAL(connects, 0);
    refuse = false;
    front(6);
    front(1);
    front(3);
    CU_ASSERT_EQUAL(connects, 1);
    device_fail(&dev, "%s", "enough");
    CU_ASSERT_EQUAL(disconnects, 1);
}

static void test_random_walk(void)
{
    struct channel_msg m;

    start();
    srand(6);
    for (int i = 0; i < 100000; i++) {
        int what = rand() % 100;

        refuse = rand() % 10 == 0;
        if (what < 95) {
            front((unsigned)rand() % 10);
        } else {
            device_fail(&dev, "x");
        }
        while (told(&m) != -1) {
        }
        CU_ASSERT_FATAL(connects - disconnects == (dev.connected ? 1 : 0));
        CU_ASSERT_FATAL(!dev.exit);
    }
    CU_ASSERT_TRUE(connects > 1000);
}

static void test_wrong_messages(void)
{
    struct channel_msg m;

    start();
    channel_init(&m, CHANNEL_BACK);
    device_handle_message(&dev, &m);
    CU_ASSERT_TRUE(dev.exit);
    start();
    close(host);
    host = 0;
    device_handle_channel(&dev);
    CU_ASSERT_TRUE(dev.exit);
}

void suite_device(void)
{
    CU_pSuite s = CU_add_suite("device", NULL, NULL);

    CU_add_test(s, "connect, close, connect again", test_life);
    CU_add_test(s, "front that starts anew, or vanishes", test_crashed_front);
    CU_add_test(s, "unplug", test_unplug);
    CU_add_test(s, "front of a dead backend", test_stale_front);
    CU_add_test(s, "failure and recovery", test_failure);
    CU_add_test(s, "random walk", test_random_walk);
    CU_add_test(s, "wrong messages, host gone", test_wrong_messages);
}
