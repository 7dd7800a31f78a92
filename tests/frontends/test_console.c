/* SPDX-License-Identifier: MIT */
/*
 * The SDK's console, hosted, on a ring whose other end is this file.
 *
 * Contract: what is written stands in the ring, what was typed is read once and in order, over any
 * number of turns; an index of the other end's that cannot be reads nothing.
 *
 * Sabotage: in console.c, leave out the look at sizeof(ring->in) in ring_read() ("an index"); do
 * not move in_cons ("typed").
 */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include <tenue-front/front.h>
#include <tenue-front/port.h>
#include <xen/io/console.h>

static struct xencons_interface ring;
static start_info_t si = {.console.domU = {.mfn = 5, .evtchn = 2}};
const start_info_t *front_si = &si;
unsigned passed, failed;
static unsigned sent, unmasked;

void *front_port_map(u64 mfn)
{
    return mfn == 5 ? &ring : NULL;
}

u64 front_port_now(void)
{
    return 0;
}

int front_evtchn_send(evtchn_port_t port)
{
    sent += port == 2;
    return 0;
}

void front_evtchn_unmask(evtchn_port_t port)
{
    unmasked += port == 2;
}

static void type(const char *text)
{
    for (; *text; text++)
        ring.in[MASK_XENCONS_IDX(ring.in_prod++, ring.in)] = *text;
}

int main(void)
{
    char buf[4096], want[32];

    front_console_init();
    CHECK("nothing typed", front_console_read(buf, sizeof(buf)) == 0 && unmasked == 1);
    ring.in_prod = ring.in_cons = 0xfffffff0; /* the indices wrap as well as the ring */
    for (int i = 0; i < 1000; i++) {
        int n = snprintf(want, sizeof(want), "typed %d\n", i);

        type(want);
        CHECK("typed", front_console_read(buf, 3) == 3 && !memcmp(buf, want, 3));
        CHECK("typed", front_console_read(buf, sizeof(buf)) == (size_t)n - 3);
        CHECK("typed", !memcmp(buf, want + 3, (size_t)n - 3));
        CHECK("read once", front_console_read(buf, sizeof(buf)) == 0);
    }
    CHECK("the other end is told", sent == 2000);
    ring.in_prod = ring.in_cons + sizeof(ring.in);
    CHECK("a full ring", front_console_read(buf, sizeof(buf)) == sizeof(ring.in));
    ring.in_prod = ring.in_cons + sizeof(ring.in) + 1;
    CHECK("an index that cannot be", front_console_read(buf, sizeof(buf)) == 0);
    front_console_write("out", 3);
    CHECK("written", ring.out_prod == 3 && !memcmp(ring.out, "out", 3));
    printf("console: %u passed, %u failed\n", passed, failed);
    return failed ? 1 : 0;
}
