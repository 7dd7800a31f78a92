/* SPDX-License-Identifier: MIT */
/* Lab 5, the console. Copy this file to mine.c and fill it in; README.md has the steps. */
#include "task.h"

/* The console was set up, its indices not always 0: begin there. */
void my_init(void)
{
    /* your code here */
}

/* Step 1. All of the text, "\r\n" for each "\n"; sleeps while there is no room. */
void my_write(const char *text, size_t len)
{
    (void)text, (void)len; /* your code here */
}

/* Step 2. What was typed, up to `size` bytes: how many; 0 when there is nothing. */
size_t my_read(char *buf, size_t size)
{
    (void)buf, (void)size;
    return 0; /* your code here */
}

/* Step 3. A line as it was typed and edited, shown meanwhile: its length. Ends with a 0, never with
 * more than `size` bytes in all. */
size_t my_getline(char *line, size_t size)
{
    (void)size;
    line[0] = 0;
    return 0; /* your code here */
}
