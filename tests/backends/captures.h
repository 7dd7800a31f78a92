/* SPDX-License-Identifier: MIT */
/* captures.h - what tests of captures of either kind share: their text, and its damage. */
#ifndef TESTS_BACKENDS_CAPTURES_H
#define TESTS_BACKENDS_CAPTURES_H

#include "../../backends/replay/capcheck.h"

/* A byte that is another, and what is said of it. */
struct damage {
    size_t at;
    uint8_t value;
    const char *says;
};

/* The file's text; free() it. */
void *captures_text(int fd, size_t *len);
/* Refused with each of these; and cut off anywhere, when no byte beyond is looked at. */
void captures_refused(const struct cap_kind *k, const uint8_t *text, size_t len,
                      const struct damage *damages, size_t nr);

#endif
