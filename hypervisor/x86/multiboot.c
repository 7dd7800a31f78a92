/* SPDX-License-Identifier: MIT */
/*
 * boot_info from Multiboot 1 and 2. Everything is copied: the loader's structures lie in RAM that
 * is handed out later. Runs on the boot page tables, which map the first 4 GiB.
 *
 * QEMU and old loaders put the file's name first in each string, GRUB 2 does not (its
 * configurations often put the word "placeholder" there, as for Xen): strings are cut accordingly.
 */

#include "lib.h"
#include "machine.h"

#define MB1_LOADED 0x2badb002u
#define MB2_LOADED 0x36d76289u

#define MB1_HAS_CMDLINE (1u << 2)
#define MB1_HAS_MODULES (1u << 3)
#define MB1_HAS_MEMMAP (1u << 6)
#define MB1_HAS_LOADER (1u << 9)

struct mb1_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name;
};
struct mb1_module {
    uint32_t start, end, string, reserved;
};
struct mb1_mmap {
    uint32_t size;
    uint64_t addr, len;
    uint32_t type;
} __attribute__((packed));

enum mb2_tag_type {
    MB2_END = 0,
    MB2_CMDLINE = 1,
    MB2_LOADER = 2,
    MB2_MODULE = 3,
    MB2_MMAP = 6,
    MB2_ACPI_OLD = 14,
    MB2_ACPI_NEW = 15,
};
struct mb2_tag {
    uint32_t type, size;
};
struct mb2_module {
    struct mb2_tag tag;
    uint32_t start, end;
    char string[];
};
struct mb2_mmap {
    struct mb2_tag tag;
    uint32_t entry_size, version;
};
struct mb2_mmap_entry {
    uint64_t addr, len;
    uint32_t type, reserved;
};

struct boot_info boot_info;

/* What the loader says in words, in its memory; cut and copied when all is known. */
static struct {
    const char *loader, *cmdline, *module[BOOT_MODULES_MAX];
} texts = {.loader = "unknown", .cmdline = ""};

static const void *low(uint64_t ma)
{
    return hal_direct_map + ma;
}

static const char *skip_spaces(const char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

static const char *skip_word(const char *s)
{
    while (*s != '\0' && *s != ' ' && *s != '\t')
        s++;
    return s;
}

/* The string without its first word, which goes to name, where the loader puts a name there. */
static const char *cut_name(const char *s, char *name, size_t name_size)
{
    const bool has_name = strncmp(boot_info.loader, "GRUB 2", 6) != 0;
    const char *end;
    size_t len;

    s = skip_spaces(s);
    end = skip_word(s);
    len = (size_t)(end - s);
    if (has_name)
        str_copy(name, s, MIN(len + 1, name_size));
    else if (len != 11 || strncmp(s, "placeholder", len) != 0)
        return s;
    return skip_spaces(end);
}

/* Copy s to where it stays; what: for the message when it is too long. */
static void keep_text(char *to, const char *s, size_t size, const char *what)
{
    if (strlen(s) >= size)
        boot_fail("%s: its command line has %lu characters, at most %lu: shorten it", what,
                  strlen(s), size - 1);
    str_copy(to, s, size);
}

static void keep_texts(void)
{
    char name[64];

    str_copy(boot_info.loader, texts.loader, sizeof(boot_info.loader));
    keep_text(boot_info.cmdline, cut_name(texts.cmdline, name, sizeof(name)),
              sizeof(boot_info.cmdline), "hypervisor");
    for (unsigned i = 0; i < boot_info.module_count; i++) {
        struct boot_module *m = &boot_info.modules[i];

        fmt_snprintf(m->name, sizeof(m->name), "module %u", i);
        keep_text(m->args, cut_name(texts.module[i], m->name, sizeof(m->name)), sizeof(m->args),
                  m->name);
    }
}

static void add_module(uint64_t start, uint64_t end, const char *text)
{
    const unsigned i = boot_info.module_count;

    if (i == BOOT_MODULES_MAX)
        boot_fail("modules: more than %u: leave some out", BOOT_MODULES_MAX);
    if (start % PAGE_SIZE != 0)
        boot_fail("module %u: starts at %#lx, within a page: use a loader that aligns modules", i,
                  start);
    boot_info.modules[i].start = maddr_make(start);
    boot_info.modules[i].size = end > start ? end - start : 0;
    texts.module[i] = text;
    boot_info.module_count++;
}

static void add_region(uint64_t addr, uint64_t size, uint32_t type)
{
    if (size == 0 || addr + size < addr || boot_info.e820_count == E820_MAX)
        return;
    boot_info.e820[boot_info.e820_count++] = (struct e820_region){addr, size, type};
}

static void parse_mb1(const struct mb1_info *mb)
{
    const struct mb1_module *mods = low(mb->mods_addr);

    if (mb->flags & MB1_HAS_LOADER)
        texts.loader = low(mb->loader_name);
    if (mb->flags & MB1_HAS_CMDLINE)
        texts.cmdline = low(mb->cmdline);
    for (unsigned i = 0; (mb->flags & MB1_HAS_MODULES) && i < mb->mods_count; i++)
        add_module(mods[i].start, mods[i].end, mods[i].string ? low(mods[i].string) : "");
    if (!(mb->flags & MB1_HAS_MEMMAP))
        return;
    for (uint32_t off = 0; off < mb->mmap_length;) {
        const struct mb1_mmap *e = low(mb->mmap_addr + off);

        add_region(e->addr, e->len, e->type);
        off += e->size + sizeof(e->size);
    }
}

static void parse_mb2_mmap(const struct mb2_mmap *m)
{
    for (uint32_t off = sizeof(*m); off + sizeof(struct mb2_mmap_entry) <= m->tag.size;
         off += m->entry_size) {
        const struct mb2_mmap_entry *e = (const void *)((const char *)m + off);

        add_region(e->addr, e->len, e->type);
    }
}

static void parse_mb2_tag(const struct mb2_tag *t, uint64_t at)
{
    const struct mb2_module *m = (const struct mb2_module *)t;

    switch (t->type) {
    case MB2_LOADER:
        texts.loader = (const char *)(t + 1);
        break;
    case MB2_CMDLINE:
        texts.cmdline = (const char *)(t + 1);
        break;
    case MB2_MODULE:
        add_module(m->start, m->end, m->string);
        break;
    case MB2_MMAP:
        parse_mb2_mmap((const struct mb2_mmap *)t);
        break;
    case MB2_ACPI_OLD:
    case MB2_ACPI_NEW:
        boot_info.rsdp = maddr_make(at + sizeof(*t));
        break;
    }
}

static void parse_mb2(uint64_t info)
{
    const uint32_t total = *(const uint32_t *)low(info);
    const struct mb2_tag *t;

    for (uint32_t off = 8; off + sizeof(*t) <= total; off += ROUND_UP(t->size, 8)) {
        t = low(info + off);
        if (t->type == MB2_END || t->size < sizeof(*t))
            return;
        parse_mb2_tag(t, info + off);
    }
}

/* The copy of the RSDP in a Multiboot 2 tag lies in the loader's memory: keep it ourselves. */
static uint8_t rsdp_copy[36] __attribute__((aligned(16)));

static void keep_rsdp(void)
{
    if (boot_info.rsdp.a == 0)
        return;
    memcpy(rsdp_copy, low(boot_info.rsdp.a), sizeof(rsdp_copy));
    boot_info.rsdp = maddr_make((uint64_t)rsdp_copy - HV_VIRT_BASE);
}

/* Where two regions overlap, the greater type binds more: all other ones more than RAM, the least.
 */
static uint32_t type_at(const struct e820_region *in, unsigned n, uint64_t addr)
{
    uint32_t type = 0;

    for (unsigned i = 0; i < n; i++)
        if (in[i].addr <= addr && addr - in[i].addr < in[i].size)
            type = MAX(type, in[i].type);
    return type;
}

/* Where the next region begins or ends. */
static uint64_t next_edge(const struct e820_region *in, unsigned n, uint64_t addr)
{
    uint64_t next = ~0ull;

    for (unsigned i = 0; i < n; i++) {
        if (in[i].addr > addr)
            next = MIN(next, in[i].addr);
        if (in[i].addr + in[i].size > addr)
            next = MIN(next, in[i].addr + in[i].size);
    }
    return next;
}

/* Sorted, without overlaps, neighbours of one type merged. */
static void sanitise_e820(void)
{
    static struct e820_region in[E820_MAX];
    unsigned n = boot_info.e820_count, out = 0;
    struct e820_region *r = boot_info.e820;

    memcpy(in, r, sizeof(in));
    for (uint64_t at = 0, next; (next = next_edge(in, n, at)) != ~0ull; at = next) {
        uint32_t type = type_at(in, n, at);

        if (type == 0)
            continue;
        if (out > 0 && r[out - 1].type == type && r[out - 1].addr + r[out - 1].size == at)
            r[out - 1].size += next - at;
        else if (out < E820_MAX)
            r[out++] = (struct e820_region){at, next - at, type};
    }
    boot_info.e820_count = out;
}

bool ram_range(unsigned i, uint64_t *start, uint64_t *end)
{
    const struct e820_region *r = &boot_info.e820[i];

    *start = ROUND_UP(r->addr, PAGE_SIZE);
    *end = MIN((r->addr + r->size) & PAGE_MASK, DIRECT_MAP_SIZE);
    return r->type == E820_RAM && *start < *end;
}

void multiboot_parse(uint32_t magic, uint64_t info)
{
    boot_info.image_start = maddr_make((uint64_t)image_start - HV_VIRT_BASE);
    boot_info.image_end = maddr_make((uint64_t)image_end - HV_VIRT_BASE);
    if (magic == MB1_LOADED)
        parse_mb1(low(info));
    else if (magic == MB2_LOADED)
        parse_mb2(info);
    else
        boot_fail("loader: not Multiboot (magic %#x): start Tenue with multiboot, multiboot2 or "
                  "qemu -kernel",
                  magic);
    keep_texts();
    keep_rsdp();
    sanitise_e820();
    if (boot_info.e820_count == 0)
        boot_fail("loader: no memory map: use a loader that passes one");
}
