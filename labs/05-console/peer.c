/* SPDX-License-Identifier: MIT */
/*
 * Lab 5, the grader's part: the console's other end, a terminal that is read and a hand that types.
 * It does something only where the student's code lets it: in lab_sleep() if it was woken since the
 * last time, and after each access where a test is about just that.
 */
#include "task.h"

#define TEXT 8192
#define PATIENCE 100 /* so often in vain: the other end goes on by itself, and it is noted */

struct xencons_interface *lab_console;
evtchn_port_t lab_port;

static bool woken;
static unsigned kicks, in_vain;

/* What is to appear, and how much of it did. */
static char expected[TEXT];
static unsigned nr_expected, nr_shown, nr_wrong, overruns;

/* What is typed, and how much of it was. */
static char typed[TEXT];
static unsigned nr_typed, nr_sent;

static void kicked(evtchn_port_t port, void *opaque)
{
    (void)port;
    (void)opaque;
    woken = true;
    kicks++;
}

static void start(u32 at)
{
    lab_turn = NULL;
    lab_slow_loads(NULL, 0);
    memset(lab_console, 0, sizeof(*lab_console));
    lab_console->out_cons = lab_console->out_prod = at;
    lab_console->in_cons = lab_console->in_prod = at;
    nr_expected = nr_shown = nr_wrong = overruns = 0;
    nr_typed = nr_sent = 0;
    kicks = in_vain = 0;
    woken = false;
    my_init();
    shared_mb();
}

/* ---- the terminal ---- */

static void take(void)
{
    u32 cons = lab_console->out_cons, prod = lab_console->out_prod;

    if (prod - cons > sizeof(lab_console->out)) {
        overruns++;
        cons = prod;
    }
    for (; cons != prod; cons++, nr_shown++) {
        char c = lab_console->out[MASK_XENCONS_IDX(cons, lab_console->out)];

        if (nr_shown >= nr_expected || c != expected[nr_shown])
            nr_wrong++;
    }
    lab_console->out_cons = cons;
}

static void expect(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            expected[nr_expected++] = '\r';
        expected[nr_expected++] = text[i];
    }
}

static void tell_shown(const char *fact)
{
    shared_mb();
    take();
    lab_fact(fact, "%u of %u bytes, %u wrong", nr_shown, nr_expected, nr_wrong);
}

/* ---- the hand ---- */

static void type(void)
{
    u32 prod = lab_console->in_prod;

    while (nr_sent < nr_typed && prod - lab_console->in_cons < sizeof(lab_console->in)) {
        lab_console->in[MASK_XENCONS_IDX(prod, lab_console->in)] = typed[nr_sent++];
        prod++;
    }
    lab_console->in_prod = prod;
}

static void type_text(const char *text)
{
    nr_typed = (unsigned)strlen(text);
    memcpy(typed, text, nr_typed);
    type();
}

static void type_random(unsigned count)
{
    for (nr_typed = 0; nr_typed < count; nr_typed++)
        typed[nr_typed] = (char)('a' + lab_random() % 26);
    type();
}

void lab_sleep(void)
{
    shared_mb();
    if (!woken && ++in_vain < PATIENCE)
        return;
    if (!woken && nr_typed && nr_sent == nr_typed)
        typed[nr_typed++] = '\r'; /* or somebody waits for it for ever */
    woken = false;
    take();
    type();
    shared_rmb();
}

/* ---- tests ---- */

static char text[TEXT / 2];

static size_t make_text(size_t len)
{
    for (size_t i = 0; i < len; i++)
        text[i] = i % 61 == 60 ? '\n' : (char)('a' + lab_random() % 26);
    return len;
}

static void write_some(const char *fact, u32 at, size_t len)
{
    start(at);
    make_text(len);
    expect(text, len);
    my_write(text, len);
    tell_shown(fact);
}

static void writing(void)
{
    size_t len = lab_number("length");

    write_some("text", 0, len);
    lab_fact("events", "%u", kicks);
    write_some("wrap", (u32)(0 - lab_number("before")), len);
    write_some("long", 0, 3 * sizeof(lab_console->out) / 2 + len);
    lab_fact("overruns", "%u", overruns);
    lab_fact("silent", "%u", in_vain);
}

static void early(void)
{
    start(0);
    make_text(200);
    expect(text, 200);
    lab_turn = take;
    my_write(text, 200);
    tell_shown("early");
    lab_turn = NULL;
}

static void mad_reader(void)
{
    start(0);
    lab_console->out_cons = (u32)lab_number("mad");
    my_write(text, 100);
    shared_mb();
    lab_fact("mad_reader", "%s",
             lab_console->out_prod ? "written"
             : in_vain             ? "waited for room"
                                   : "given up");
}

/* Reads all that is typed by pieces, and compares. */
static void read_all(const char *fact)
{
    unsigned good = 0, bad = 0;
    char buf[64];
    size_t n;

    for (unsigned tries = 0; tries < 20 && good + bad < nr_typed; tries++) {
        n = my_read(buf, 50);
        for (size_t i = 0; i < n && i < sizeof(buf); i++) {
            if (good + bad < nr_typed && buf[i] == typed[good + bad])
                good++;
            else
                bad++;
        }
    }
    lab_fact(fact, "%u of %u bytes, %u wrong", good, nr_typed, bad);
}

static void reading(void)
{
    start((u32)(0 - lab_number("before")));
    type_random((unsigned)lab_number("length"));
    read_all("typed");
    start(0);
    lab_slow_loads(lab_console->in, sizeof(lab_console->in));
    type_random((unsigned)lab_number("length"));
    read_all("fresh");
}

/* A full ring, and a hand that types on as soon as there is room. */
static void hurried(void)
{
    unsigned bad = 0;
    char buf[64];
    size_t n;

    start(0);
    type_random(sizeof(lab_console->in) + 64);
    lab_turn = type;
    n = my_read(buf, 50);
    shared_mb();
    lab_turn = NULL;
    for (size_t i = 0; i < n && i < sizeof(buf); i++)
        bad += buf[i] != typed[i];
    lab_fact("hurried", "%lu bytes, %u wrong", n, bad);
}

static void mad_writer(void)
{
    char buf[128];
    unsigned beyond = 0;
    size_t n;

    start(0);
    memset(buf, '#', sizeof(buf));
    lab_console->in_prod = (u32)lab_number("mad");
    n = my_read(buf, 16);
    for (size_t i = 16; i < sizeof(buf); i++)
        beyond += buf[i] != '#';
    lab_fact("mad_writer", "%lu bytes, %u beyond", n, beyond);
}

static unsigned echoes_wrong;

/* Types a line, tells what came of it, and counts what the terminal did not show rightly. */
static void edit(const char *fact, const char *keys, size_t size, const char *shown)
{
    char line[128];
    unsigned beyond = 0;
    size_t n;

    start(0);
    type_text(keys);
    expect(shown, strlen(shown));
    memset(line, '#', sizeof(line));
    n = my_getline(line + 8, size);
    for (size_t i = 0; i < sizeof(line); i++)
        beyond += (i < 8 || i >= 8 + size) && line[i] != '#';
    line[8 + size - 1] = 0;
    lab_fact(fact, "'%s', %lu bytes, %u beyond", line + 8, n, beyond);
    shared_mb();
    take();
    echoes_wrong += nr_wrong || nr_shown != nr_expected;
}

static void lines(void)
{
    char keys[64], shown[64];
    const char *word = lab_word("word");

    front_snprintf(keys, sizeof(keys), "say %s\r", word);
    front_snprintf(shown, sizeof(shown), "say %s\n", word);
    edit("line", keys, 40, shown);
    edit("edited",
         "\x7f\x7f"
         "cax\x7ft\r",
         40, "cax\b \bt\n");
    edit("too_long", "0123456789abcdefghijklmnopqrstuvwxyz\r", 12, "0123456789a\n");
    lab_fact("echo", "%u of 3 wrong", echoes_wrong);
}

/* More than the ring holds: the hand goes on when it is woken. */
static void flow(void)
{
    unsigned got = 0, bad = 0;
    char buf[64];

    start(0);
    type_random(3000);
    while (got < 3000 && in_vain < PATIENCE) {
        size_t n = my_read(buf, 50);

        if (!n)
            lab_sleep();
        for (size_t i = 0; i < n && i < sizeof(buf); i++)
            bad += got >= 3000 || buf[i] != typed[got++];
    }
    lab_fact("flow", "%u bytes, %u wrong", got, bad);
}

void lab_run(void)
{
    lab_port = lab_loopback(kicked);
    lab_console = front_page_alloc();
    writing();
    early();
    mad_reader();
    reading();
    hurried();
    mad_writer();
    lines();
    flow();
    lab_fact("accesses", "%u", lab_accesses);
}
