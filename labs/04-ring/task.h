/* SPDX-License-Identifier: MIT */
/* Lab 4: the functions that you write, and what the lab gives you. README.md explains them. */
#ifndef LAB_TASK_H
#define LAB_TASK_H

#include <shared.h>

#define LAB_SLOTS 8
#define LAB_IDS 16

struct lab_request {
    u32 id; /* 0 to LAB_IDS - 1, chosen by you; the response carries it back */
    u32 a, b;
};
struct lab_response {
    u32 id;
    u32 value;
};

/* In a page that both sides see, laid out as the rings of Xen's devices are. */
struct lab_ring {
    u32 req_prod, req_event; /* yours; the other side's */
    u32 rsp_prod, rsp_event; /* the other side's; yours */
    u8 unused[48];
    union {
        struct lab_request req;
        struct lab_response rsp;
    } slot[LAB_SLOTS];
};
extern struct lab_ring *lab_ring;
extern evtchn_port_t lab_port; /* wakes the other side: shared_notify() */

void my_init(void);
int my_submit(u32 a, u32 b);
void my_push(void);
int my_poll(void);

/* What a response is for: my_poll() calls it, once for each request that was answered. */
void lab_answer(u32 id, u32 value);

#endif
