/* SPDX-License-Identifier: MIT */
/* Lab 5, the console: a solution. */
#include "task.h"

static u32 out_prod, in_cons; /* ours: the page has copies for the other end */

void my_init(void)
{
    out_prod = SHARED_READ(lab_console->out_prod);
    in_cons = SHARED_READ(lab_console->in_cons);
}

static void show(void)
{
    shared_wmb(); /* bytes before the index that shows them */
    SHARED_WRITE(lab_console->out_prod, out_prod);
    shared_notify(lab_port);
}

/* False: the other end is mad, and there is nobody to write to. */
static bool put(char c)
{
    for (;;) {
        u32 used = out_prod - SHARED_READ(lab_console->out_cons);

        if (used > sizeof(lab_console->out))
            return false;
        if (used < sizeof(lab_console->out))
            break;
        show(); /* who is to make room must know that there is something */
        lab_sleep();
    }
    SHARED_WRITE(lab_console->out[MASK_XENCONS_IDX(out_prod, lab_console->out)], c);
    out_prod++;
    return true;
}

void my_write(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' && !put('\r'))
            return;
        if (!put(text[i]))
            return;
    }
    show();
}

size_t my_read(char *buf, size_t size)
{
    u32 ready = SHARED_READ(lab_console->in_prod) - in_cons;
    size_t n = size < ready ? size : ready;

    if (ready > sizeof(lab_console->in) || !n)
        return 0;
    shared_rmb(); /* the index before the bytes that it shows */
    for (size_t i = 0; i < n; i++)
        buf[i] = SHARED_READ(lab_console->in[MASK_XENCONS_IDX(in_cons + i, lab_console->in)]);
    in_cons += (u32)n;
    shared_mb(); /* the bytes, before they may be written over */
    SHARED_WRITE(lab_console->in_cons, in_cons);
    shared_notify(lab_port);
    return n;
}

size_t my_getline(char *line, size_t size)
{
    size_t n = 0;
    char c = 0;

    while (c != '\r' && c != '\n') {
        while (!my_read(&c, 1))
            lab_sleep();
        if (c == '\b' || c == 0x7f) {
            if (n) {
                n--;
                my_write("\b \b", 3);
            }
        } else if (c >= ' ' && n + 1 < size) {
            line[n++] = c;
            my_write(&c, 1);
        }
    }
    line[n] = 0;
    my_write("\n", 1);
    return n;
}
