/* SPDX-License-Identifier: MIT */
/*
 * What fuzz targets share: the two functions that libFuzzer (or replay.c) calls, reading an input
 * that ends when it ends (zeroes follow), and checks.
 */
#ifndef TENUE_FUZZ_H
#define TENUE_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t left;
};

static inline uint64_t input_take(struct input *in, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes && in->left != 0; i++, in->left--)
        v |= (uint64_t)*in->data++ << 8 * i;
    return v;
}

/* What must hold, whatever the input. */
static inline void demand(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "demanded: %s\n", what);
        abort();
    }
}

#endif
