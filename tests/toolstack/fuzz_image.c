/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer target: any bytes as a kernel file. What is accepted must survive a layout and its
 * page tables, as the builder would go on to make them.
 */
#include "../../toolstack/elf.h"
#include "../../toolstack/layout.h"
#include "../../toolstack/unpack.h"

#include <stdlib.h>
#include <string.h>

enum { OUTPUT_MAX = 1 << 20, GUEST_PAGES = 64 << 8 };

struct memory {
    const uint8_t *p;
    size_t len;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int read_memory(void *ctx, uint64_t offset, void *to, size_t len)
{
    const struct memory *m = ctx;

    if (offset > m->len || len > m->len - offset)
        return -1;
    memcpy(to, m->p + offset, len);
    return 0;
}

static void lay_out(const struct elf_image *elf)
{
    struct diag d = {0};
    struct layout l;

    if (layout_compute("fuzz", elf, GUEST_PAGES, 5000, &l, &d) != 0)
        return;
    uint64_t *p2m = calloc(l.nr_pages, sizeof(*p2m));
    uint64_t *tables = calloc(l.nr_pt, PAGE_BYTES);
    uint64_t *p2m_tables = calloc(l.p2m_table_pages + 1, PAGE_BYTES);

    for (uint64_t i = 0; i < l.nr_pages; i++)
        p2m[i] = 0x1000 + i;
    if (layout_fill_tables(&l, p2m, tables, p2m_tables, &d) != 0)
        abort(); /* "miscounted": must not happen for a layout that was computed */
    free(p2m_tables);
    free(tables);
    free(p2m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct payload p;
    struct elf_image elf;
    struct diag d = {0};
    struct memory m = {data, len};
    uint8_t *out = NULL;

    if (payload_find("fuzz", data, len, &p, &d) != 0 || p.unpacked > OUTPUT_MAX)
        return 0;
    if (p.kind != PACK_NONE) {
        out = malloc(p.unpacked);
        m = (struct memory){out, p.unpacked};
        if (payload_unpack("fuzz", p.kind, data + p.offset, p.length, out, p.unpacked, &d) != 0) {
            free(out);
            return 0;
        }
    }
    struct elf_source src = {.read = read_memory, .ctx = &m, .size = m.len};

    if (elf_parse("fuzz", &src, &elf, &d) == 0)
        lay_out(&elf);
    free(out);
    return 0;
}
