/* SPDX-License-Identifier: MIT */
/* Lab 4, a ring: a solution. */
#include "task.h"

/* Ours, and never read back from the ring. They run freely, over 2^32 too; only differences count.
 */
static u32 req_prod, pushed, rsp_cons;
static bool asked[LAB_IDS];

void my_init(void)
{
    req_prod = pushed = rsp_cons = SHARED_READ(lab_ring->rsp_prod);
    memset(asked, 0, sizeof(asked));
    SHARED_WRITE(lab_ring->rsp_event, rsp_cons + 1);
    shared_wmb();
}

static int free_id(void)
{
    for (int id = 0; id < LAB_IDS; id++) {
        if (!asked[id])
            return id;
    }
    return -1;
}

int my_submit(u32 a, u32 b)
{
    struct lab_request *req = &lab_ring->slot[req_prod % LAB_SLOTS].req;
    int id = free_id();

    /* A slot is free when its response was taken, not when its request was. */
    if (id < 0 || req_prod - rsp_cons == LAB_SLOTS)
        return -XEN_EAGAIN;
    asked[id] = true;
    SHARED_WRITE(req->id, id);
    SHARED_WRITE(req->a, a);
    SHARED_WRITE(req->b, b);
    req_prod++;
    return id;
}

void my_push(void)
{
    u32 old = pushed, event;

    shared_wmb(); /* requests before the index that shows them */
    SHARED_WRITE(lab_ring->req_prod, req_prod);
    pushed = req_prod;
    shared_mb(); /* the index before the question whether somebody looks at it */
    event = SHARED_READ(lab_ring->req_event);
    if (req_prod - event < req_prod - old)
        shared_notify(lab_port);
}

static void take(struct lab_response *rsp)
{
    /* Read once: what was checked is what is used. */
    u32 id = SHARED_READ(rsp->id), value = SHARED_READ(rsp->value);

    if (id >= LAB_IDS || !asked[id])
        return;
    asked[id] = false;
    lab_answer(id, value);
}

int my_poll(void)
{
    int taken = 0;

    for (;;) {
        u32 prod = SHARED_READ(lab_ring->rsp_prod);

        if (prod - rsp_cons > pushed - rsp_cons)
            return -XEN_EIO;
        shared_rmb(); /* the index before the responses that it shows */
        for (; rsp_cons != prod; rsp_cons++, taken++)
            take(&lab_ring->slot[rsp_cons % LAB_SLOTS].rsp);
        /* Wake me for the next one; and did it come before that could be read? */
        SHARED_WRITE(lab_ring->rsp_event, rsp_cons + 1);
        shared_mb();
        if (SHARED_READ(lab_ring->rsp_prod) == rsp_cons)
            return taken;
    }
}
