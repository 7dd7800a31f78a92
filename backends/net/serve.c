/* SPDX-License-Identifier: MIT */
/*
 * serve.c - rounds over the queues, and how long to look for more before waiting for events.
 *
 * A guest that sends one way only (datagrams, say) would wake this process for each packet. After
 * ONE_WAY_ROUNDS such rounds the loop gathers: no event is asked for, the ring is looked at every
 * coalesce_us until IDLE_LOOKS looks in a row find nothing. A packet the other way ends it:
 * somebody waits for answers, and answers must not wait. While it gathers this process is more
 * urgent than those it sends to: each packet wakes its receiver, which would else run before the
 * next. With poll_us the loop looks again at once, for so long after the last packet.
 *
 * Who asks and waits for the answer has, on one CPU, the answer in the tap when the question is
 * written, and the next question in the ring when told of the answer. So where that was of use
 * before, the tap is read at once after a question; the guest is told that this went only then,
 * together with the answer, by one event; and it is asked for one only when its ring is found empty
 * after all that.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "../common/log.h"
#include "state.h"

#define ONE_WAY_ROUNDS 8u
#define IDLE_LOOKS 4u
#define QUESTIONS_AT_ONCE 16u /* before the other descriptors are looked at */
#define URGENT_NICE (-10)
#define LEAN_MAX 16u /* rounds */

/* What be_urgent() needs once this process is nobody's. */
static void allow_urgency(void)
{
    const struct rlimit nice = {20 - URGENT_NICE, 20 - URGENT_NICE};

    if (setrlimit(RLIMIT_NICE, &nice)) {
        log_line("network: RLIMIT_NICE: %s; going on without", strerror(errno));
    }
}

void net_prepare_serving(void)
{
    allow_urgency();
    prctl(PR_SET_TIMERSLACK, 1000ul); /* gathering is timed in microseconds */
}

static void unmask(struct netback *n)
{
    while (n->nr_masked) {
        evtchn_unmask(n->d->evt, n->masked[--n->nr_masked]);
    }
}

static uint64_t packets(const struct netback *n)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n->nr_queues; i++) {
        const struct net_queue *q = &n->q[i];

        sum += q->tx_packets + q->rx_packets + q->tx_dropped + q->rx_dropped;
    }
    return sum;
}

/* More than those it sends to (see above). */
static void be_urgent(struct netback *n, bool urgent)
{
    if (n->urgent != urgent) {
        n->urgent = urgent;
        setpriority(PRIO_PROCESS, 0, urgent ? URGENT_NICE : 0); /* or not: it is for speed */
    }
}

/* Turn what is under way into events again; whoever came before that is looked at now. */
static void stop_gathering(struct netback *n)
{
    n->gathering = false;
    n->one_way = n->idle_looks = 0;
    for (unsigned i = 0; i < n->nr_queues; i++) {
        n->q[i].tx.look = tx_want_event(&n->q[i]);
    }
}

static void choose_mode(struct netback *n, bool worked)
{
    if (n->poll_us) {
        uint64_t now = clock_kernel_ns();

        if (worked) {
            n->last_work = now;
            n->gathering = true;
        } else if (n->gathering && now - n->last_work > n->poll_us * 1000ull) {
            stop_gathering(n);
        }
    } else if (n->gathering) {
        n->idle_looks = worked ? 0 : n->idle_looks + 1;
        if (n->idle_looks == IDLE_LOOKS || !n->one_way) {
            stop_gathering(n);
        }
    } else if (n->coalesce_us && n->one_way >= ONE_WAY_ROUNDS) {
        n->gathering = true;
    }
}

/* Towards urgency by a round from the guest, away from it by one to it: the same would hurt there.
 */
static void lean(struct netback *n, bool from_guest, bool to_guest)
{
    n->lean += from_guest && n->lean < LEAN_MAX;
    n->lean -= to_guest && n->lean > 0;
    if (n->lean == LEAN_MAX || !n->lean) {
        be_urgent(n, n->lean);
    }
}

/* One round of each way. False: the device was failed. */
static bool serve_round(struct net_queue *q)
{
    struct netback *n = q->n;
    uint64_t sent = q->rx_packets;
    bool guest = q->tx.look;

    q->tx.packets_of_round = 0;
    q->tx.question = false;
    if (guest) {
        tx_serve(q);
        n->one_way += q->tx.packets_of_round != 0;
        q->rx.look |= q->tx.question;
    }
    if (n->d->connected && q->rx.look) {
        q->rx.look = rx_serve(q);
        if (n->d->connected) {
            net_watch_tap(q, !q->rx.held);
        }
        if (q->rx_packets != sent) {
            n->one_way = 0;
        }
    }
    if (!n->d->connected) {
        return false;
    }
    if (q->tx.question) {
        tx_learn_reply(q, q->rx_packets != sent);
        net_tell(q); /* of what it sent; with an answer it heard of both at once */
    }
    lean(n, q->tx.packets_of_round, q->rx_packets != sent);
    if (guest) {
        q->tx.look = tx_waits(q) || q->tx.packets_of_round == NET_BATCH;
    }
    return true;
}

bool net_serve_queue(struct net_queue *q)
{
    bool guest = q->tx.look;
    unsigned rounds = 0;

    do {
        if (!serve_round(q)) {
            return false;
        }
    } while (q->tx.look && q->tx.question && ++rounds < QUESTIONS_AT_ONCE);
    if (guest && !q->tx.look && !q->n->gathering && !throttle_waits(q, METER_WRITE)) {
        q->tx.look = tx_want_event(q);
    }
    return true;
}

bool net_serve(struct netback *n)
{
    uint64_t before = packets(n);
    bool more = false, worked;

    for (unsigned i = 0; i < n->nr_queues; i++) {
        if (!net_serve_queue(&n->q[i])) {
            return false;
        }
    }
    worked = packets(n) != before;
    if (worked && n->d->journal) {
        n->d->journal->progress++;
    }
    choose_mode(n, worked);
    if (n->nr_masked && !n->gathering) {
        backoff_account(&n->backoff, worked);
        unmask(n);
    }
    for (unsigned i = 0; i < n->nr_queues; i++) {
        more |= n->q[i].tx.look || n->q[i].rx.look;
    }
    return more;
}

void net_stop_serving(struct netback *n)
{
    n->nr_masked = n->one_way = 0;
    n->gathering = false;
    n->lean = 0;
    be_urgent(n, false);
}
