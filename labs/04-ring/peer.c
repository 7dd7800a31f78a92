/* SPDX-License-Identifier: MIT */
/*
 * Lab 4, the grader's part: the backend at the ring's other end. It plays one after the other an
 * honest backend, one that looks at each request as early as it can, one that falls asleep at each
 * possible moment, one that answers at each possible moment, and liars.
 */
#include "task.h"

#define NONE (~0U)
#define MOMENTS 24

struct lab_ring *lab_ring;
evtchn_port_t lab_port;

/* Requests in the order in which they were submitted, and what is answered to them. */
static struct {
    u32 a, b, value, id;
    bool out;
} asked[64];
static u32 submitted;

static u32 first;         /* where this ring's indices began */
static u32 seen, written; /* requests seen, responses written, both since then */
static unsigned kicks, told, right, wrong, bad;

static void start(u32 at)
{
    lab_turn = NULL;
    lab_slow_loads(NULL, 0);
    memset(lab_ring, 0, sizeof(*lab_ring));
    lab_ring->req_prod = lab_ring->rsp_prod = first = at;
    lab_ring->req_event = lab_ring->rsp_event = at + 1;
    submitted = seen = written = 0;
    kicks = told = right = wrong = bad = 0;
    my_init();
    shared_mb();
}

static int submit(void)
{
    int id;
    u32 n = submitted;

    asked[n].a = (u32)lab_random();
    asked[n].b = (u32)lab_random();
    asked[n].value = (u32)lab_random();
    asked[n].out = true;
    asked[n].id = NONE;
    submitted++;
    id = my_submit(asked[n].a, asked[n].b);
    if (id < 0)
        submitted--;
    else
        asked[n].id = (u32)id;
    return id;
}

static void submit_many(unsigned n)
{
    while (n--)
        submit();
}

/* Looks at each request that is shown; it must be the next one, whole. */
static void look(void)
{
    u32 shown = lab_ring->req_prod - first;

    for (; seen != shown && seen < submitted; seen++) {
        const struct lab_request *req = &lab_ring->slot[(first + seen) % LAB_SLOTS].req;

        if (req->a != asked[seen].a || req->b != asked[seen].b)
            bad++;
        asked[seen].id = req->id;
    }
    if (seen != shown)
        bad++;
}

/* Answers up to `count` of what was seen, and notifies if that is wanted. */
static void answer(u32 count)
{
    u32 old = first + written, prod;

    for (; count && written != seen; count--, written++) {
        struct lab_response *rsp = &lab_ring->slot[(first + written) % LAB_SLOTS].rsp;

        *rsp = (struct lab_response){.id = asked[written].id, .value = asked[written].value};
    }
    prod = first + written;
    lab_ring->rsp_prod = prod;
    if (prod - lab_ring->rsp_event < prod - old)
        told++;
}

void lab_answer(u32 id, u32 value)
{
    for (u32 i = 0; i < submitted; i++) {
        if (asked[i].out && asked[i].id == id) {
            asked[i].out = false;
            if (asked[i].value == value)
                right++;
            else
                wrong++;
            return;
        }
    }
    wrong++;
}

static void kicked(evtchn_port_t port, void *opaque)
{
    (void)port;
    (void)opaque;
    kicks++;
    look();
    lab_ring->req_event = first + seen + 1;
}

/* Ask and answer, round by round. */
static void rounds(const char *fact, u32 at, bool slow)
{
    start(at);
    for (unsigned round = 0; round < 8; round++) {
        if (slow)
            lab_slow_loads(lab_ring->slot, sizeof(lab_ring->slot));
        submitted = seen = written = 0;
        first = lab_ring->rsp_prod;
        submit_many(1 + round % 5);
        my_push();
        shared_wmb();
        look();
        answer(NONE);
        my_poll();
        shared_wmb();
    }
    lab_slow_loads(NULL, 0);
    lab_fact(fact, "%u right, %u wrong", right, wrong + bad);
}

static void honest(void)
{
    rounds("answers", 0, false);
    rounds("wrap", (u32)(0 - lab_number("before")), false);
    rounds("fresh", 0, true);
}

static void full(void)
{
    unsigned accepted = 0;

    start(0);
    while (accepted < 20 && submit() >= 0)
        accepted++;
    my_push();
    shared_mb();
    lab_fact("accepted", "%u", accepted);
    /* Answered, but not taken yet: no slot is free. */
    if (accepted != LAB_SLOTS)
        return;
    look();
    answer(3);
    lab_fact("answered", "%s", submit() < 0 ? "none" : "one");
}

static void early(void)
{
    start(0);
    submit_many(3);
    lab_turn = look;
    my_push();
    shared_mb();
    lab_turn = NULL;
    look();
    lab_fact("shown", "%u whole, %u not", seen - bad, bad);
}

static void suppressed(void)
{
    start(0);
    submit_many(5);
    my_push();
    shared_mb();
    lab_fact("kicks", "%u", kicks);
    kicks = 0;
    lab_ring->req_event = first + 100; /* busy: it will look by itself */
    submit_many(2);
    my_push();
    shared_mb();
    lab_fact("needless", "%u", kicks);
}

/* ---- at each possible moment ---- */

static unsigned moment;

/* Takes what there is, asks to be woken for more, looks once more, and is gone. */
static void fall_asleep(void)
{
    if (moment-- != 1)
        return;
    look();
    lab_ring->req_event = first + seen + 1;
    look();
}

static void sleepers(void)
{
    unsigned overslept = 0;

    for (unsigned at = 1; at <= MOMENTS; at++) {
        start(0);
        lab_ring->req_event = first + 100;
        submit_many(1);
        moment = at;
        lab_turn = fall_asleep;
        my_push();
        shared_mb();
        lab_turn = NULL;
        if (moment == 0 || moment > MOMENTS) /* it came to that */
            overslept += seen != submitted && !kicks;
    }
    lab_fact("overslept", "%u", overslept);
}

/* A new ring with this many requests, all seen. */
static void ask(unsigned count)
{
    start(0);
    submit_many(count);
    my_push();
    shared_mb();
    look();
}

static void poll_beside(void (*turn)(void), unsigned at)
{
    moment = at;
    lab_turn = turn;
    my_poll();
    shared_mb();
    lab_turn = NULL;
}

static void answer_late(void)
{
    if (moment-- == 1)
        answer(1);
}

static void late_answers(void)
{
    unsigned lost = 0;

    for (unsigned at = 1; at <= MOMENTS; at++) {
        ask(2);
        answer(1);
        told = 0;
        poll_beside(answer_late, at);
        lost += written == 2 && right != 2 && !told;
    }
    lab_fact("lost", "%u", lost);
}

/* ---- liars ---- */

static void change_id(void)
{
    if (moment-- == 1)
        lab_ring->slot[first % LAB_SLOTS].rsp.id = LAB_IDS + 983;
}

static void liars(void)
{
    u32 sum = 0;
    int rc;

    /* Another id, from any moment on. */
    for (unsigned at = 1; at <= MOMENTS; at++) {
        ask(1);
        answer(1);
        poll_beside(change_id, at);
        sum += wrong;
    }
    /* Ids that nobody asked with, and one answered twice. */
    ask(3);
    asked[1].id = (u32)lab_number("id");
    asked[2].id = asked[0].id;
    answer(3);
    asked[1].id = asked[2].id = NONE;
    my_poll();
    shared_mb();
    sum += wrong;
    lab_fact("wild", "%u", sum);
    /* More responses than requests. */
    ask(2);
    lab_ring->rsp_prod = first + (u32)lab_number("many");
    rc = my_poll();
    shared_mb();
    lab_fact("lie", "%d", rc);
}

void lab_run(void)
{
    lab_port = lab_loopback(kicked);
    lab_ring = front_page_alloc();
    honest();
    full();
    early();
    suppressed();
    sleepers();
    late_answers();
    liars();
    lab_fact("accesses", "%u", lab_accesses);
}
