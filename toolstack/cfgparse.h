/* SPDX-License-Identifier: MIT */
/*
 * The syntax of a guest file: xl.cfg's assignments of strings, numbers and flat lists.
 *
 *     name = "web"        # a comment
 *     memory = 256; vcpus = 2
 *     disk = [ 'format=raw, vdev=xvda, access=rw, target=/img',
 *              'phy:/dev/sdb,xvdb,r', ]
 *
 * This knows nothing of what the keys mean: config.c does. Every value remembers its line.
 */
#ifndef TENUE_CFGPARSE_H
#define TENUE_CFGPARSE_H

#include "diag.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    CFG_MAX_FILE = 64 * 1024, /* bytes of a guest file */
    CFG_MAX_ENTRIES = 128,    /* assignments in it */
    CFG_MAX_ITEMS = 64,       /* elements of one list */
};

struct cfg_item {
    char *text; /* as written for a number, unescaped for a string */
    unsigned line;
};

struct cfg_entry {
    char *key;
    unsigned line;
    bool is_list;
    size_t nr_items; /* exactly one when !is_list */
    struct cfg_item *items;
};

struct cfg_file {
    size_t nr_entries;
    struct cfg_entry *entries;
};

/*
 * Parses len bytes of text; name is what messages call the file. Returns 0, or -1 with the
 * complaint stored and *out empty. The result is released with cfg_free().
 */
int cfg_parse(const char *name, const char *text, size_t len, struct cfg_file *out,
              struct diag *d) MUST_CHECK;
void cfg_free(struct cfg_file *file);

#endif
