/* SPDX-License-Identifier: MIT */
/*
 * What the keys of a guest file mean: see config.h.
 *
 * One table row per key: its name and the function that takes its value. A key that xl knows and
 * we do not offer gets a sentence of its own; any other unknown key is named with its nearest
 * neighbour. Nothing is ignored.
 */
#include "config.h"
#include "cfgparse.h"
#include "cpulist.h"
#include "diskserve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct load {
    struct guest_config *cfg;
    const char *file;
    struct diag *d;
    char *root, *extra, *plain_cmdline; /* borrowed from the cfg_file */
    bool maxmem_given, maxvcpus_given;
};

static int bad(const struct load *l, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int bad(const struct load *l, unsigned line, const char *fmt, ...)
{
    char text[768];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return diag_set(l->d, "%s:%u: %s", l->file, line, text);
}

static int take_text(const struct load *l, const struct cfg_entry *e, char **to)
{
    if (e->is_list)
        return bad(l, e->line, "%s is one string, not a list", e->key);
    free(*to);
    *to = strdup(e->items[0].text);
    return *to ? 0 : bad(l, e->line, "out of memory");
}

/* A number may stand in quotes, as xl allows. */
static int take_number(const struct load *l, const struct cfg_entry *e, uint64_t min, uint64_t max,
                       uint64_t *to)
{
    const char *text = e->items ? e->items[0].text : "";
    char *end;

    if (e->is_list)
        return bad(l, e->line, "%s is one number, not a list", e->key);
    errno = 0;
    unsigned long long v = strtoull(text, &end, 0);
    if (end == text || *end || text[0] == '-' || errno)
        return bad(l, e->line, "%s=%s is not a number", e->key, text);
    if (v < min || v > max)
        return bad(l, e->line, "%s=%llu is out of range; %llu to %llu are possible", e->key, v,
                   (unsigned long long)min, (unsigned long long)max);
    *to = v;
    return 0;
}

static int key_name(struct load *l, const struct cfg_entry *e)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";

    if (take_text(l, e, &l->cfg->name) != 0)
        return -1;
    const char *name = l->cfg->name;
    size_t len = strlen(name);

    if (len == 0 || len > CONFIG_MAX_NAME || name[strspn(name, allowed)] || name[0] == '-' ||
        name[0] == '.')
        return bad(l, e->line,
                   "name=\"%s\" will not do: 1 to %d letters, digits and _ . + - (not"
                   " - or . first)",
                   name, CONFIG_MAX_NAME);
    if (strspn(name, "0123456789") == len)
        return bad(l, e->line, "name=\"%s\" would be taken for a domain id; add a letter", name);
    if (strcmp(name, "Domain-0") == 0)
        return bad(l, e->line, "the name Domain-0 belongs to the control domain");
    l->cfg->name_line = e->line;
    return 0;
}

static int key_kernel(struct load *l, const struct cfg_entry *e)
{
    l->cfg->kernel_line = e->line;
    return take_text(l, e, &l->cfg->kernel);
}

static int key_ramdisk(struct load *l, const struct cfg_entry *e)
{
    l->cfg->ramdisk_line = e->line;
    return take_text(l, e, &l->cfg->ramdisk);
}

static int key_borrow(struct load *l, const struct cfg_entry *e, char **to)
{
    if (e->is_list)
        return bad(l, e->line, "%s is one string, not a list", e->key);
    *to = e->items[0].text;
    return 0;
}

static int key_root(struct load *l, const struct cfg_entry *e)
{
    return key_borrow(l, e, &l->root);
}

static int key_extra(struct load *l, const struct cfg_entry *e)
{
    return key_borrow(l, e, &l->extra);
}

static int key_cmdline(struct load *l, const struct cfg_entry *e)
{
    return key_borrow(l, e, &l->plain_cmdline);
}

static int key_memory(struct load *l, const struct cfg_entry *e)
{
    l->cfg->memory_line = e->line;
    return take_number(l, e, 1, 1024 * 1024, &l->cfg->memory_mib);
}

static int key_maxmem(struct load *l, const struct cfg_entry *e)
{
    l->maxmem_given = true;
    return take_number(l, e, 1, 1024 * 1024, &l->cfg->maxmem_mib);
}

static int key_vcpus(struct load *l, const struct cfg_entry *e)
{
    uint64_t v = 0;
    int rc = take_number(l, e, 1, CONFIG_MAX_VCPUS, &v);

    l->cfg->vcpus = (unsigned)v;
    return rc;
}

static int key_maxvcpus(struct load *l, const struct cfg_entry *e)
{
    uint64_t v = 0;
    int rc = take_number(l, e, 1, CONFIG_MAX_VCPUS, &v);

    l->cfg->maxvcpus = (unsigned)v;
    l->maxvcpus_given = true;
    return rc;
}

static int key_maptrack(struct load *l, const struct cfg_entry *e)
{
    uint64_t v = 0;
    int rc = take_number(l, e, 0, CONFIG_MAX_MAPTRACK, &v);

    l->cfg->maptrack_frames = (unsigned)v;
    return rc;
}

/* One set for all vcpus, or one for each in a list. */
static int key_cpus(struct load *l, const struct cfg_entry *e)
{
    struct diag why = {0};

    if (e->nr_items == 0 || e->nr_items > CONFIG_MAX_VCPUS)
        return bad(l, e->line,
                   "cpus is a set of CPUs such as \"0-3,^2\", or a list of them, one for"
                   " each vcpu");
    for (size_t i = 0; i < CONFIG_MAX_VCPUS; i++) {
        const size_t item = !e->is_list ? 0 : i < e->nr_items ? i : e->nr_items;

        l->cfg->cpus[i] = ~0ull;
        if (item < e->nr_items && cpulist_parse(e->items[item].text, &l->cfg->cpus[i], &why) != 0)
            return bad(l, e->line, "cpus: %s", why.text);
    }
    l->cfg->cpus_line = e->line;
    return 0;
}

static int key_cpu_weight(struct load *l, const struct cfg_entry *e)
{
    uint64_t v = 0;
    int rc = take_number(l, e, 1, 65535, &v);

    l->cfg->cpu_weight = (unsigned)v;
    return rc;
}

static int key_cap(struct load *l, const struct cfg_entry *e)
{
    uint64_t v = 0;
    int rc = take_number(l, e, 0, 100 * CONFIG_MAX_VCPUS, &v);

    l->cfg->cap = (unsigned)v;
    return rc;
}

static int key_type(struct load *l, const struct cfg_entry *e)
{
    if (e->is_list || strcmp(e->items[0].text, "pv") != 0)
        return bad(l, e->line, "only type=\"pv\" is offered: Tenue runs paravirtualized guests");
    return 0;
}

static const char *const tsc_names[] = {
    [TSC_DEFAULT] = "default",
    [TSC_ALWAYS_EMULATE] = "always_emulate",
    [TSC_NATIVE] = "native",
};

const char *config_tsc_name(enum guest_tsc tsc)
{
    return tsc_names[tsc];
}

static int key_tsc_mode(struct load *l, const struct cfg_entry *e)
{
    for (size_t i = 0; !e->is_list && i < sizeof(tsc_names) / sizeof(*tsc_names); i++)
        if (strcmp(e->items[0].text, tsc_names[i]) == 0) {
            l->cfg->tsc = (enum guest_tsc)i;
            return 0;
        }
    return bad(l, e->line, "tsc_mode is \"default\", \"always_emulate\" or \"native\"");
}

static const char *const action_names[] = {
    [ACTION_DESTROY] = "destroy",
    [ACTION_RESTART] = "restart",
    [ACTION_RENAME_RESTART] = "rename-restart",
    [ACTION_PRESERVE] = "preserve",
};

const char *config_action_name(enum guest_action action)
{
    return action_names[action];
}

static int take_action(struct load *l, const struct cfg_entry *e, enum guest_action *to)
{
    const char *text = e->is_list ? "" : e->items[0].text;

    for (size_t i = 0; i < sizeof(action_names) / sizeof(*action_names); i++)
        if (strcmp(text, action_names[i]) == 0) {
            *to = (enum guest_action)i;
            return 0;
        }
    if (strncmp(text, "coredump-", 9) == 0)
        return bad(l, e->line,
                   "%s=\"%s\": core dumps are not offered; use \"%s\", or \"preserve\""
                   " to look at the guest",
                   e->key, text, text + 9);
    return bad(l, e->line, "%s is \"destroy\", \"restart\", \"rename-restart\" or \"preserve\"",
               e->key);
}

static int key_on_poweroff(struct load *l, const struct cfg_entry *e)
{
    return take_action(l, e, &l->cfg->on_poweroff);
}

static int key_on_reboot(struct load *l, const struct cfg_entry *e)
{
    return take_action(l, e, &l->cfg->on_reboot);
}

static int key_on_crash(struct load *l, const struct cfg_entry *e)
{
    return take_action(l, e, &l->cfg->on_crash);
}

static int key_uuid(struct load *l, const struct cfg_entry *e)
{
    const char *p = e->is_list ? "" : e->items[0].text;
    size_t n = 0;

    for (; n < 16; n++) {
        if ((n == 4 || n == 6 || n == 8 || n == 10) && *p == '-')
            p++;
        unsigned v;
        if (strspn(p, "0123456789abcdefABCDEF") < 2 || sscanf(p, "%2x", &v) != 1)
            break;
        l->cfg->uuid[n] = (uint8_t)v;
        p += 2;
    }
    if (n != 16 || *p)
        return bad(l, e->line,
                   "uuid is 32 hexadecimal digits such as"
                   " 6f1c2a34-0d1e-4b5f-8a9b-0c1d2e3f4a5b");
    l->cfg->uuid_given = true;
    return 0;
}

static int key_disk(struct load *l, const struct cfg_entry *e)
{
    struct guest_config *cfg = l->cfg;

    if (!e->is_list)
        return bad(l, e->line,
                   "disk is a list: disk = [ 'format=raw, vdev=xvda, access=rw,"
                   " target=/path' ]");
    if (e->nr_items > CONFIG_MAX_DISKS)
        return bad(l, e->line, "at most %d disks are possible", CONFIG_MAX_DISKS);
    for (size_t i = 0; i < e->nr_items; i++) {
        struct disk_spec *disk = &cfg->disks[i];

        cfg->nr_disks = i + 1;
        if (disk_parse((struct place){l->file, e->items[i].line}, e->items[i].text, disk, l->d))
            return -1;
        for (size_t j = 0; j < i; j++) {
            const struct disk_spec *other = &cfg->disks[j];

            if (other->vdev_id == disk->vdev_id)
                return bad(l, disk->line,
                           "vdev=%s is taken by the disk of line %u; choose"
                           " another",
                           disk->vdev, other->line);
            if (strcmp(other->target, disk->target) == 0 && !(other->read_only && disk->read_only))
                return bad(l, disk->line,
                           "%s is the disk of line %u already; one image may be"
                           " shared only if every user has access=r",
                           disk->target, other->line);
        }
    }
    return 0;
}

static int key_vif(struct load *l, const struct cfg_entry *e)
{
    struct guest_config *cfg = l->cfg;

    if (!e->is_list)
        return bad(l, e->line, "vif is a list: vif = [ 'bridge=xenbr0' ]");
    if (e->nr_items > CONFIG_MAX_VIFS)
        return bad(l, e->line, "at most %d network devices are possible", CONFIG_MAX_VIFS);
    for (size_t i = 0; i < e->nr_items; i++) {
        struct vif_spec *vif = &cfg->vifs[i];

        cfg->nr_vifs = i + 1;
        if (vif_parse((struct place){l->file, e->items[i].line}, e->items[i].text, vif, l->d))
            return -1;
        for (size_t j = 0; j < i; j++)
            if (vif->mac_given && cfg->vifs[j].mac_given &&
                memcmp(vif->mac, cfg->vifs[j].mac, 6) == 0)
                return bad(l, vif->line,
                           "the vif of line %u has this mac already; every device"
                           " needs its own",
                           cfg->vifs[j].line);
    }
    return 0;
}

/* limit_groups = [ 'gold=2000iops+100MB/s' ] */
static int key_limit_groups(struct load *l, const struct cfg_entry *e)
{
    if (!e->is_list || e->nr_items > CONFIG_MAX_GROUPS)
        return bad(l, e->line, "limit_groups is a list of at most %d: [ 'gold=2000iops+100MB/s' ]",
                   CONFIG_MAX_GROUPS);
    for (size_t i = 0; i < e->nr_items; i++) {
        struct place at = {l->file, e->items[i].line};
        struct group_spec *group = &l->cfg->groups[i];
        const char *text = e->items[i].text, *eq = strchr(text, '=');
        char name[64];

        if (!eq)
            return bad(l, e->items[i].line, "limit_groups \"%s\"; write NAME=LIMIT", text);
        snprintf(name, sizeof(name), "%.*s", (int)(eq - text), text);
        if (limit_group_word(at, group->name, l->d, "limit_groups", name) != 0 ||
            limit_word(at, &group->rates, l->d, "limit_groups", eq + 1) != 0)
            return -1;
        l->cfg->nr_groups = i + 1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(l->cfg->groups[j].name, group->name) == 0)
                return bad(l, e->items[i].line, "limit_groups: %s is there twice; keep one", name);
    }
    return 0;
}

static const struct key {
    const char *name;
    int (*take)(struct load *l, const struct cfg_entry *e);
} keys[] = {
    {"name", key_name},
    {"kernel", key_kernel},
    {"ramdisk", key_ramdisk},
    {"root", key_root},
    {"extra", key_extra},
    {"cmdline", key_cmdline},
    {"memory", key_memory},
    {"maxmem", key_maxmem},
    {"vcpus", key_vcpus},
    {"maxvcpus", key_maxvcpus},
    {"max_maptrack_frames", key_maptrack},
    {"cpus", key_cpus},
    {"cpu_weight", key_cpu_weight},
    {"cap", key_cap},
    {"disk", key_disk},
    {"vif", key_vif},
    {"limit_groups", key_limit_groups},
    {"on_poweroff", key_on_poweroff},
    {"on_reboot", key_on_reboot},
    {"on_crash", key_on_crash},
    {"type", key_type},
    {"uuid", key_uuid},
    {"tsc_mode", key_tsc_mode},
};

/* Keys of xl.cfg that are not offered, with what to do instead. */
static const struct {
    const char *name, *remedy;
} refused[] = {
    {"bootloader", "name the guest's kernel and ramdisk with kernel= and ramdisk="},
    {"bootloader_args", "name the guest's kernel and ramdisk with kernel= and ramdisk="},
    {"builder", "write type=\"pv\""},
    {"pci", "devices are not passed through; use a disk or a vif"},
    {"vfb", "there is no framebuffer; the console is tenue console"},
    {"on_watchdog", "there is no guest watchdog action; on_crash covers a guest that died"},
    {"on_soft_reset", "soft reset is not offered; remove the line"},
    {"firmware", "PV guests boot a kernel directly; remove the line"},
};

/* Edit distance of two short words, to find what was meant. */
static unsigned distance(const char *a, const char *b)
{
    enum { WORD = 32 };
    unsigned row[WORD + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > WORD || lb > WORD)
        return UINT_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned up = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

            if (up + 1 < best)
                best = up + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = up;
            row[j] = best;
        }
    }
    return row[lb];
}

static int unknown_key(struct load *l, const struct cfg_entry *e)
{
    const char *nearest = NULL;
    unsigned best = UINT_MAX;

    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        if (strcmp(e->key, refused[i].name) == 0)
            return bad(l, e->line, "the key \"%s\" is not offered: %s", e->key, refused[i].remedy);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        unsigned n = distance(e->key, keys[i].name);

        if (n < best) {
            best = n;
            nearest = keys[i].name;
        }
    }
    if (nearest && best <= 1 + strlen(e->key) / 5)
        return bad(l, e->line, "unknown key \"%s\"; did you mean \"%s\"?", e->key, nearest);
    return bad(l, e->line, "unknown key \"%s\"; tenue.cfg(5) lists those there are", e->key);
}

static int take_entry(struct load *l, const struct cfg_file *file, size_t i)
{
    const struct cfg_entry *e = &file->entries[i];

    for (size_t j = 0; j < i; j++)
        if (strcmp(file->entries[j].key, e->key) == 0)
            return bad(l, e->line, "%s is set on line %u already; keep one of the two", e->key,
                       file->entries[j].line);
    for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++)
        if (strcmp(keys[k].name, e->key) == 0)
            return keys[k].take(l, e);
    return unknown_key(l, e);
}

/* xl's rule: cmdline= is the whole line, else "root=<root> <extra>". */
static int join_cmdline(struct load *l)
{
    char *joined = NULL;
    int n;

    if (l->plain_cmdline && (l->root || l->extra))
        return diag_set(l->d,
                        "%s: cmdline= is the whole command line; drop root= and extra=, or"
                        " cmdline=",
                        l->file);
    if (l->plain_cmdline)
        n = asprintf(&joined, "%s", l->plain_cmdline);
    else
        n = asprintf(&joined, "%s%s%s%s", l->root ? "root=" : "", l->root ? l->root : "",
                     l->root && l->extra ? " " : "", l->extra ? l->extra : "");
    if (n < 0)
        return diag_set(l->d, "out of memory");
    l->cfg->cmdline = joined;
    if (n > CONFIG_MAX_CMDLINE)
        return diag_set(l->d, "%s: the kernel's command line has %d characters; %d fit", l->file, n,
                        CONFIG_MAX_CMDLINE);
    return 0;
}

static int finish(struct load *l)
{
    struct guest_config *cfg = l->cfg;

    if (!cfg->name)
        return diag_set(l->d, "%s: no name; add name = \"...\"", l->file);
    if (!cfg->kernel || !*cfg->kernel)
        return diag_set(l->d, "%s: no kernel; add kernel = \"/path/to/vmlinuz\"", l->file);
    if (!cfg->memory_mib)
        cfg->memory_mib = l->maxmem_given ? cfg->maxmem_mib : 128;
    if (!l->maxmem_given)
        cfg->maxmem_mib = cfg->memory_mib;
    if (cfg->maxmem_mib < cfg->memory_mib)
        return diag_set(l->d, "%s: maxmem is below memory; raise maxmem or drop it", l->file);
    if (!cfg->vcpus)
        cfg->vcpus = l->maxvcpus_given ? cfg->maxvcpus : 1;
    if (!l->maxvcpus_given)
        cfg->maxvcpus = cfg->vcpus;
    if (cfg->maxvcpus < cfg->vcpus)
        return diag_set(l->d, "%s: maxvcpus is below vcpus; raise maxvcpus or drop it", l->file);
    if (cfg->cap > 100 * cfg->maxvcpus)
        return diag_set(l->d,
                        "%s: cap is %u, but %u vCPUs have at most %u percent; lower cap, or"
                        " drop it for no cap",
                        l->file, cfg->cap, cfg->maxvcpus, 100 * cfg->maxvcpus);
    return join_cmdline(l);
}

int config_parse(const char *name, const char *text, size_t len, struct guest_config *cfg,
                 struct diag *d)
{
    struct load l = {.cfg = cfg, .file = name, .d = d};
    struct cfg_file file;
    int rc = 0;

    *cfg = (struct guest_config){.cpus = {[0 ... CONFIG_MAX_VCPUS - 1] = ~0ull},
                                 .on_poweroff = ACTION_DESTROY,
                                 .on_reboot = ACTION_RESTART,
                                 .on_crash = ACTION_DESTROY};
    cfg->path = strdup(name);
    if (!cfg->path)
        return diag_set(d, "out of memory");
    if (cfg_parse(name, text, len, &file, d) != 0) {
        config_free(cfg);
        return -1;
    }
    for (size_t i = 0; rc == 0 && i < file.nr_entries; i++)
        rc = take_entry(&l, &file, i);
    if (rc == 0)
        rc = finish(&l);
    cfg_free(&file);
    if (rc != 0)
        config_free(cfg);
    return rc;
}

int config_load(const char *path, struct guest_config *cfg, struct diag *d)
{
    char *text = malloc(CFG_MAX_FILE + 1);
    size_t len = 0;
    int rc = -1;

    if (!text)
        return diag_set(d, "out of memory");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        diag_errno(d, "%s: cannot read the guest file", path);
        goto out;
    }
    while (len <= CFG_MAX_FILE) {
        ssize_t n = read(fd, text + len, CFG_MAX_FILE + 1 - len);

        if (n < 0) {
            diag_errno(d, "%s: cannot read the guest file", path);
            goto out_fd;
        }
        if (n == 0)
            break;
        len += (size_t)n;
    }
    rc = config_parse(path, text, len, cfg, d);
out_fd:
    close(fd);
out:
    free(text);
    return rc;
}

void config_free(struct guest_config *cfg)
{
    for (size_t i = 0; i < cfg->nr_disks; i++)
        disk_free(&cfg->disks[i]);
    free(cfg->path);
    free(cfg->name);
    free(cfg->kernel);
    free(cfg->ramdisk);
    free(cfg->cmdline);
    *cfg = (struct guest_config){0};
}
