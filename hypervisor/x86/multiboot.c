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

static bool strings_have_names;

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
    const char *end;
    size_t len;

    s = skip_spaces(s);
    end = skip_word(s);
    len = (size_t)(end - s);
    if (!strings_have_names && !(len == 11 && strncmp(s, "placeholder", len) == 0))
        return s;
    if (strings_have_names) {
        len = MIN(len, name_size - 1);
        memcpy(name, s, len);
        name[len] = '\0';
    }
    return skip_spaces(end);
}

static void set_loader(const char *name)
{
    str_copy(boot_info.loader, name, sizeof(boot_info.loader));
    strings_have_names = strncmp(boot_info.loader, "GRUB 2", 6) != 0;
}

static void set_cmdline(const char *s)
{
    char name[64];

    s = cut_name(s, name, sizeof(name));
    if (strlen(s) >= sizeof(boot_info.cmdline))
        boot_fail("command line: %lu characters, at most %lu: shorten it", strlen(s),
                  sizeof(boot_info.cmdline) - 1);
    str_copy(boot_info.cmdline, s, sizeof(boot_info.cmdline));
}

static void add_module(uint64_t start, uint64_t end, const char *s)
{
    struct boot_module *m = &boot_info.modules[boot_info.module_count];

    if (boot_info.module_count == BOOT_MODULES_MAX)
        boot_fail("modules: more than %u: leave some out", BOOT_MODULES_MAX);
    fmt_snprintf(m->name, sizeof(m->name), "module %u", boot_info.module_count);
    s = cut_name(s, m->name, sizeof(m->name));
    if (strlen(s) >= sizeof(m->args))
        boot_fail("%s: its command line has %lu characters, at most %lu: shorten it", m->name,
                  strlen(s), sizeof(m->args) - 1);
    str_copy(m->args, s, sizeof(m->args));
    m->start = maddr_make(start);
    m->size = end > start ? end - start : 0;
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

    set_loader(mb->flags & MB1_HAS_LOADER ? low(mb->loader_name) : "unknown");
    if (mb->flags & MB1_HAS_CMDLINE)
        set_cmdline(low(mb->cmdline));
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

/* Loader name first: it decides how the strings are cut. */
static void parse_mb2(uint64_t info)
{
    const uint32_t total = *(const uint32_t *)low(info);

    set_loader("unknown");
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t off = 8; off + sizeof(struct mb2_tag) <= total;) {
            const struct mb2_tag *t = low(info + off);

            if (t->type == MB2_END || t->size < sizeof(*t))
                break;
            if (pass == 0 && t->type == MB2_LOADER)
                set_loader((const char *)(t + 1));
            else if (pass == 1 && t->type == MB2_CMDLINE)
                set_cmdline((const char *)(t + 1));
            else if (pass == 1 && t->type == MB2_MODULE)
                add_module(((const struct mb2_module *)t)->start,
                           ((const struct mb2_module *)t)->end,
                           ((const struct mb2_module *)t)->string);
            else if (pass == 1 && t->type == MB2_MMAP)
                parse_mb2_mmap((const struct mb2_mmap *)t);
            else if (pass == 1 && (t->type == MB2_ACPI_OLD || t->type == MB2_ACPI_NEW))
                boot_info.rsdp = maddr_make(info + off + sizeof(*t));
            off += ROUND_UP(t->size, 8);
        }
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

/* How much a type binds when two regions overlap: anything beats RAM, unusable beats all. */
static unsigned type_weight(uint32_t type)
{
    switch (type) {
    case E820_RAM:
        return 1;
    case E820_ACPI:
        return 2;
    case E820_NVS:
        return 3;
    case E820_UNUSABLE:
        return 5;
    default:
        return 4;
    }
}

static uint32_t type_at(const struct e820_region *in, unsigned n, uint64_t addr)
{
    uint32_t type = 0;

    for (unsigned i = 0; i < n; i++)
        if (in[i].addr <= addr && addr - in[i].addr < in[i].size &&
            (type == 0 || type_weight(in[i].type) > type_weight(type)))
            type = in[i].type;
    return type;
}

static void sort(uint64_t *a, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        uint64_t v = a[i];
        unsigned j = i;

        for (; j > 0 && a[j - 1] > v; j--)
            a[j] = a[j - 1];
        a[j] = v;
    }
}

/* Sorted, without overlaps, neighbours of one type merged. */
static void sanitise_e820(void)
{
    static struct e820_region in[E820_MAX];
    static uint64_t edge[2 * E820_MAX];
    unsigned n = boot_info.e820_count, out = 0;
    struct e820_region *r = boot_info.e820;

    memcpy(in, r, sizeof(in));
    for (unsigned i = 0; i < n; i++) {
        edge[2 * i] = in[i].addr;
        edge[2 * i + 1] = in[i].addr + in[i].size;
    }
    sort(edge, 2 * n);
    for (unsigned i = 0; i + 1 < 2 * n; i++) {
        uint32_t type = type_at(in, n, edge[i]);

        if (type == 0 || edge[i] == edge[i + 1])
            continue;
        if (out > 0 && r[out - 1].type == type && r[out - 1].addr + r[out - 1].size == edge[i])
            r[out - 1].size += edge[i + 1] - edge[i];
        else if (out < E820_MAX)
            r[out++] = (struct e820_region){edge[i], edge[i + 1] - edge[i], type};
    }
    boot_info.e820_count = out;
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
    keep_rsdp();
    sanitise_e820();
    if (boot_info.e820_count == 0)
        boot_fail("loader: no memory map: use a loader that passes one");
}
