/* SPDX-License-Identifier: MIT */
/*
 * xenbus: the SDK's client of the store, and its console, against rings whose other end is the
 * input (FE-1): answers to nobody, lengths and indices that cannot be, events of any number.
 * Answers fit their reader's buffer and end; a call comes back within its time.
 *
 * The sources are included: a connection that has ended stays so, and each input starts with a new
 * one.
 *
 * Sabotage, each found from the seeds: in xenbus.c leave out the bound on head.len in answer(), or
 * in front_xs_fired(); n < NR_WATCHES at the end of mark(); let answer() keep a byte more.
 */
#include "../../../frontends/core/xenbus.c"

#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/console.h>

static struct xenstore_domain_interface page;
static struct xencons_interface console;
static start_info_t si = {
    .store_mfn = 7, .store_evtchn = 3, .console.domU = {.mfn = 8, .evtchn = 4}};
const start_info_t *front_si = &si;
static u64 now;
static unsigned chatter; /* so often the store fills the ring with what was in it before */

/* Not what is printed: who prints waits until there is room. */
static bool in_rings(const u8 *at)
{
    return (at >= (u8 *)&page && at < (u8 *)(&page + 1)) ||
           (at >= (u8 *)&console.in && at < (u8 *)&console.out) ||
           (at >= (u8 *)&console.in_cons && at < (u8 *)&console.out_cons);
}

/* ---- the store ---- */

static void say(const void *data, size_t len)
{
    const char *p = data;

    for (size_t i = 0; i < len; i++)
        page.rsp[MASK_XENSTORE_IDX(page.rsp_prod++)] = p[i];
}

static void answer_something(u8 what)
{
    static const char *const texts[] = {"OK",          "ENOENT",          "EQUOTA", "a/path\0w0",
                                        "a/path\0w15", "a\0w99999999999", "\0\0w1", "a\0w99"};
    static const size_t lengths[] = {2, 6, 6, 10, 11, 15, 5, 6};
    struct xsd_sockmsg head = {.type = what & 8 ? XS_WATCH_EVENT : take8() % 24,
                               .req_id = last_id - (what & 16 ? take8() % 3 : 0)};
    unsigned t = take8() % (FRONT_ARRAY_SIZE(texts) + 1);
    const char *text = t < FRONT_ARRAY_SIZE(texts) ? texts[t] : odd_text();
    size_t len = t < FRONT_ARRAY_SIZE(texts) ? lengths[t] : strlen(text);

    head.len = (u32)(what & 32 ? take16() : len);
    if (what & 64)
        head.len = take32();
    say(&head, sizeof(head));
    say(text, len);
}

static void act(void)
{
    u8 what = take8();

    switch (what % 8) {
    case 0:
        page.req_cons = what & 8 ? take32() : page.req_prod;
        chatter = what & 16 ? take8() : 0;
        break;
    case 1:
        page.rsp_prod = what & 8 ? take32() : page.rsp_prod + take16() % 1200;
        break;
    case 2:
        poke((u8 *)&page, sizeof(page));
        break;
    case 3:
        poke((u8 *)&console, sizeof(console));
        break;
    case 4:
        console.in_prod = what & 8 ? take32() : console.in_prod + take8();
        break;
    default:
        page.req_cons = page.req_prod;
        answer_something(what);
        break;
    }
}

static void turn(void)
{
    bool was = reader_pause();

    if (chatter) {
        chatter--;
        page.rsp_prod = page.rsp_cons + XENSTORE_RING_SIZE;
    }
    for (unsigned n = take8() & 3; n; n--)
        act();
    reader_resume(was);
}

int front_evtchn_send(evtchn_port_t port)
{
    demand(port == 3 || port == 4, "a port of its own");
    turn();
    return 0;
}

void front_evtchn_unmask(evtchn_port_t port)
{
    demand(port == 3 || port == 4, "a port of its own");
}

void *front_port_map(u64 mfn)
{
    return mfn == 7 ? (void *)&page : mfn == 8 ? (void *)&console : NULL;
}

u64 front_port_now(void)
{
    return now;
}

void front_port_sleep(u64 deadline_ns)
{
    turn();
    if (deadline_ns > now)
        now = take8() & 1 ? now + (deadline_ns - now) / 2 + 1 : deadline_ns;
}

void front_irq_disable(void)
{
}

void front_irq_enable(void)
{
}

/* ---- the guest ---- */

static void read_value(u8 what)
{
    size_t size = 1 + take8() % 64u;
    char *value = malloc(size);
    u64 number = 0;

    demand(value, "memory");
    reader_enter();
    if (what & 8) {
        if (!front_xs_read("a/path", value, size))
            demand(!!memchr(value, 0, size), "a value that ends");
    } else if (what & 16) {
        front_xs_read_u64("a/path", &number);
    } else {
        front_xs_wait_u64("a/path", 1, 4, 1000000000);
    }
    reader_leave();
    free(value);
}

static void write_value(void)
{
    static char value[XENSTORE_PAYLOAD_MAX + 16];
    size_t len = take16() % sizeof(value);

    memset(value, 'x', len);
    value[len] = '\0';
    reader_enter();
    front_xs_write("a/path", value);
    reader_leave();
}

static void watch(u8 what)
{
    int n = take8() % NR_WATCHES;

    reader_enter();
    if (what & 8)
        front_xs_watch("a/path");
    else if (what & 16)
        front_xs_unwatch("a/path", n);
    else
        front_xs_fired(n);
    reader_leave();
}

static void type_and_print(u8 what)
{
    size_t size = take16() % 3000u;
    char *text = calloc(1, size + 1);

    demand(text, "memory");
    reader_enter();
    if (what & 8 && console.out_prod - console.out_cons <= sizeof(console.out) - size % 100)
        front_console_write(text, size % 100);
    else
        demand(front_console_read(text, size) <= size, "as much as fits");
    reader_leave();
    free(text);
}

static void step_guest(void)
{
    u64 start = now;
    u8 what = take8();

    switch (what % 8) {
    case 0:
    case 1:
        read_value(what);
        break;
    case 2:
        write_value();
        break;
    case 3:
    case 4:
        watch(what);
        break;
    case 5:
        type_and_print(what);
        break;
    default:
        act();
        break;
    }
    demand(now - start <= 3 * ANSWER_TIMEOUT_NS, "an end in its time");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    front_console_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u8 mode;

    input_is(data, size);
    memset(&page, 0, sizeof(page));
    memset(&console, 0, sizeof(console));
    memset(watches, 0, sizeof(watches));
    broken = false;
    chatter = 0;
    demand(front_xs_init() == 0, "a connection");
    mode = take8();
    if (mode & 1)
        page.req_prod = page.req_cons = page.rsp_prod = page.rsp_cons = 0xfffffff0;
    lies(mode & 16 ? take32() | 1 : 0, LIES, in_rings);
    while (input_left())
        step_guest();
    return 0;
}
