/* SPDX-License-Identifier: MIT */
/* captures.c - see captures.h. */
#include "captures.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *captures_text(int fd, size_t *len)
{
    char path[40], err[200];
    void *text;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    text = cap_read(path, len, err, sizeof(err));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    return text;
}

void captures_refused(const struct cap_kind *k, const uint8_t *text, size_t len,
                      const struct damage *damages, size_t nr)
{
    uint8_t *copy = malloc(len);
    struct capfile c;
    char err[200];

    for (size_t i = 0; i < nr; i++) {
        memcpy(copy, text, len);
        copy[damages[i].at] = damages[i].value;
        err[0] = 0;
        CU_ASSERT_NOT_EQUAL(cap_parse(k, copy, len, &c, err, sizeof(err)), 0);
        if (!strstr(err, damages[i].says)) {
            printf("    \"%s\", not \"%s\"\n", err, damages[i].says);
            CU_FAIL("another reason");
        }
    }
    free(copy);
    for (size_t n = 0; n < len; n++) {
        copy = malloc(n + 1);
        memcpy(copy, text, n);
        CU_ASSERT_NOT_EQUAL(cap_parse(k, copy, n, &c, err, sizeof(err)), 0);
        free(copy);
    }
}
