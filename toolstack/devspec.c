/* SPDX-License-Identifier: MIT */
/*
 * The little languages inside disk=[...] and vif=[...] (xl-disk-configuration(5),
 * xl-network-configuration(5)), the subset that means something for PV guests with our backends.
 * Pure text work; config.h documents the results.
 */
#include "config.h"
#include "diskserve.h"
#include "vifserve.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { XVD_MAJOR = 202, SD_MAJOR = 8, HD_MAJOR_0 = 3, HD_MAJOR_1 = 22 };

static uint32_t xvd_number(unsigned disk, unsigned part)
{
    if (disk < 16 && part < 16)
        return XVD_MAJOR << 8 | disk << 4 | part;
    if (disk < 1u << 20 && part < 256)
        return 1u << 28 | disk << 8 | part;
    return 0;
}

static uint32_t hd_number(unsigned disk, unsigned part)
{
    if (disk >= 4 || part >= 64)
        return 0;
    return (uint32_t)(disk < 2 ? HD_MAJOR_0 : HD_MAJOR_1) << 8 | (disk & 1) << 6 | part;
}

static uint32_t sd_number(unsigned disk, unsigned part)
{
    return disk < 16 && part < 16 ? (uint32_t)SD_MAJOR << 8 | disk << 4 | part : 0;
}

uint32_t vdev_number(const char *vdev)
{
    unsigned disk, part = 0;
    char letters[4];
    int n = 0;

    if (sscanf(vdev, "d%up%u%n", &disk, &part, &n) == 2 && n > 0 && !vdev[n])
        return xvd_number(disk, part);
    part = 0;

    const char *rest = strncmp(vdev, "xvd", 3) == 0 ? vdev + 3 : vdev + 2;
    bool known = rest == vdev + 3 || strncmp(vdev, "hd", 2) == 0 || strncmp(vdev, "sd", 2) == 0;
    if (!known || sscanf(rest, "%3[a-z]%n", letters, &n) != 1)
        return 0;
    if (rest[n]) {
        int m = 0;

        if (!isdigit((unsigned char)rest[n]) || rest[n] == '0' ||
            sscanf(rest + n, "%3u%n", &part, &m) != 1 || rest[n + m])
            return 0;
    }
    disk = 0;
    for (const char *p = letters; *p; p++)
        disk = disk * 26 + (unsigned)(*p - 'a') + 1;
    disk -= 1;
    if (rest == vdev + 3)
        return xvd_number(disk, part);
    return vdev[0] == 'h' ? hd_number(disk, part) : sd_number(disk, part);
}

static int bad(struct place at, struct diag *d, const char *what, const char *text,
               const char *remedy)
{
    return diag_set(d, "%s:%u: %s \"%s\"; %s", at.file, at.line, what, text, remedy);
}

/* Cuts the next comma-separated field, trimmed, out of *text; NULL at the end. */
static char *next_field(char **text)
{
    char *p = *text;

    if (!p)
        return NULL;
    char *comma = strchr(p, ',');
    *text = comma ? comma + 1 : NULL;
    if (comma)
        *comma = 0;
    while (isspace((unsigned char)*p))
        p++;
    for (size_t n = strlen(p); n && isspace((unsigned char)p[n - 1]); n--)
        p[n - 1] = 0;
    return p;
}

void disk_free(struct disk_spec *disk)
{
    free(disk->target);
    free(disk->base);
    disk->target = disk->base = NULL;
}

const char *disk_format_name(enum disk_format format)
{
    return format == DISK_QCOW2 ? "qcow2" : format == DISK_NBD ? "nbd" : "raw";
}

static int set_format(struct place at, struct disk_spec *disk, struct diag *d, const char *text)
{
    if (!*text || strcmp(text, "raw") == 0)
        return 0;
    if (strcmp(text, "qcow2") == 0) {
        disk->format = DISK_QCOW2;
        return 0;
    }
    return bad(at, d, "disk format", text,
               "raw and qcow2 are offered: convert the image"
               " (qemu-img convert -O qcow2)");
}

static int set_base(struct place at, struct disk_spec *disk, struct diag *d, const char *text)
{
    if (text[0] != '/')
        return bad(at, d, "disk base", text, "write the whole path, from /");
    free(disk->base);
    disk->base = strdup(text);
    return disk->base ? 0 : diag_set(d, "out of memory");
}

static int set_timeout(struct place at, struct disk_spec *disk, struct diag *d, const char *text)
{
    int n = 0;

    if (!isdigit((unsigned char)text[0]) || strlen(text) > 5 ||
        sscanf(text, "%u%n", &disk->timeout, &n) != 1 || text[n] || disk->timeout < 1 ||
        disk->timeout > CONFIG_MAX_DISK_TIMEOUT)
        return bad(at, d, "disk timeout", text, "write 1 to 86400, in seconds");
    return 0;
}

static int set_vdev(struct place at, struct disk_spec *disk, struct diag *d, const char *text)
{
    disk->vdev_id = strlen(text) < sizeof(disk->vdev) ? vdev_number(text) : 0;
    if (!disk->vdev_id)
        return bad(at, d, "disk vdev", text, "write xvda, xvdb, ... (sda and hda work too)");
    strcpy(disk->vdev, text);
    return 0;
}

static int set_access(struct place at, struct disk_spec *disk, struct diag *d, const char *text)
{
    if (strcmp(text, "r") == 0 || strcmp(text, "ro") == 0)
        disk->read_only = true;
    else if (strcmp(text, "w") == 0 || strcmp(text, "rw") == 0)
        disk->read_only = false;
    else
        return bad(at, d, "disk access", text, "write r or rw");
    return 0;
}

static int set_target(struct place at, struct disk_spec *disk, struct diag *d, const char *text)
{
    bool nbd = strncmp(text, "nbd", 3) == 0 && strstr(text, "://");

    if (text[0] != '/' && !nbd)
        return bad(at, d, "disk target", text,
                   "write the whole path, from /, or nbd://HOST:PORT/EXPORT");
    free(disk->target);
    disk->target = strdup(text);
    return disk->target ? 0 : diag_set(d, "out of memory");
}

static int disk_flag(struct place at, struct disk_spec *disk, struct diag *d, const char *word)
{
    if (strcmp(word, "cdrom") == 0 || strcmp(word, "devtype=cdrom") == 0)
        disk->cdrom = disk->removable = disk->read_only = true;
    else if (strcmp(word, "removable") == 0)
        disk->removable = true;
    else if (strcmp(word, "no-discard") == 0)
        disk->no_discard = true;
    else if (strcmp(word, "discard") == 0)
        disk->no_discard = false;
    else if (strcmp(word, "devtype=disk") == 0 || strcmp(word, "direct-io-safe") == 0)
        return 0;
    else
        return bad(
            at, d, "disk word", word,
            "known are format= vdev= access= target= base= timeout= backend= devtype= removable"
            " discard no-discard queues= ring-order= indirect= grants= batch= batch-us="
            " gather-us= poll-us= sector-size= cache= capture= limit= limit-group=");
    return 0;
}

/* Whose driver serves the device. The words before are xl's: a domain, which is always this one. */
static int take_backend(struct place at, bool *kernel, struct diag *d, const char *what,
                        const char *value)
{
    *kernel = strcmp(value, "kernel") == 0;
    if (*kernel || !strcmp(value, "tenue") || !strcmp(value, "0") || !strcmp(value, "Domain-0"))
        return 0;
    return bad(at, d, what, value,
               "devices are served by the control domain: write tenue, or kernel for its kernel's"
               " own driver");
}

static int disk_keyed(struct place at, struct disk_spec *disk, struct diag *d, const char *key,
                      const char *value, const char *whole)
{
    if (strcmp(key, "format") == 0)
        return set_format(at, disk, d, value);
    if (strcmp(key, "base") == 0)
        return set_base(at, disk, d, value);
    if (strcmp(key, "timeout") == 0)
        return set_timeout(at, disk, d, value);
    if (strcmp(key, "vdev") == 0)
        return set_vdev(at, disk, d, value);
    if (strcmp(key, "access") == 0)
        return set_access(at, disk, d, value);
    if (strcmp(key, "backendtype") == 0) /* xl's choice of driver; ours is always the same */
        return 0;
    if (strcmp(key, "backend") == 0)
        return take_backend(at, &disk->kernel, d, "disk backend", value);
    if (strcmp(key, "script") == 0)
        return bad(at, d, "disk script", value, "no scripts are run; name a file or a device");
    int rc = disk_serving_word(at, disk, d, key, value);
    return rc <= 0 ? rc : disk_flag(at, disk, d, whole);
}

/* Takes the text of "target=..." out of the list: it runs to the end, commas and all. */
static int split_target(struct place at, char *text, struct disk_spec *disk, struct diag *d)
{
    for (char *p = text; p; p = strchr(p, ',')) {
        p += *p == ',';
        p += strspn(p, " \t");
        if (strncmp(p, "target=", 7) == 0) {
            char *value = p + 7;

            *p = 0;
            return set_target(at, disk, d, value);
        }
    }
    return 0;
}

/* A legacy prefix: the format is implied and the positions shift. */
static char *skip_prefix(char *field, bool *legacy)
{
    static const char *const prefixes[] = {"phy:", "file:", "raw:", "tap:aio:", "aio:"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
        if (strncmp(field, prefixes[i], strlen(prefixes[i])) == 0) {
            *legacy = true;
            return field + strlen(prefixes[i]);
        }
    return field;
}

static int disk_positional(struct place at, struct disk_spec *disk, struct diag *d, unsigned *pos,
                           bool *legacy, char *field)
{
    switch ((*pos)++) {
    case 0:
        field = skip_prefix(field, legacy);
        *pos += *legacy;
        return set_target(at, disk, d, field);
    case 1:
        return set_format(at, disk, d, field);
    case 2: {
        char *colon = strchr(field, ':');

        if (colon && strcmp(colon, ":cdrom") == 0) {
            *colon = 0;
            disk->cdrom = disk->removable = true;
        }
        return set_vdev(at, disk, d, field);
    }
    case 3:
        return set_access(at, disk, d, field);
    }
    return bad(at, d, "disk word", field, "the order is target,format,vdev,access");
}

static int bad_for_kernel(struct place at, struct diag *d, const char *what, const char *key)
{
    return diag_set(d,
                    "%s:%u: %s %s: the kernel's backend has no such thing; leave it out, or leave"
                    " backend=kernel out",
                    at.file, at.line, what, key);
}

/* What of one format means nothing with another. */
static int disk_agrees(struct place at, struct disk_spec *disk, struct diag *d)
{
    if (disk->target[0] != '/') {
        if (disk->format != DISK_RAW)
            return bad(at, d, "disk format", disk_format_name(disk->format),
                       "an NBD server gives the disk itself: leave format= out");
        disk->format = DISK_NBD;
    }
    if (disk->base && disk->format != DISK_QCOW2)
        return bad(at, d, "disk base", disk->base, "only an image with format=qcow2 has one");
    if (disk->timeout && disk->format == DISK_RAW)
        return bad(at, d, "disk timeout of", disk->target,
                   "only qcow2 images and NBD servers have one");
    return 0;
}

/* What xen-blkback does not do. */
static int disk_kernel_agrees(struct place at, const struct disk_spec *disk, struct diag *d)
{
    const struct {
        const char *key;
        bool given;
    } ours[] = {
        {"format=qcow2", disk->format == DISK_QCOW2},
        {"an NBD server's target", disk->format == DISK_NBD},
        {"grants=", disk->serving.grants != DEVHOST_GRANTS_PERSISTENT},
        {"cache=writeback", disk->buffered},
        {"capture=", disk->capture[0] != 0},
        {"removable", disk->removable && !disk->cdrom},
        {"devtype=cdrom", disk->cdrom},
        {"limit=", disk->limit.rates.ops || disk->limit.rates.bytes},
        {"limit-group=", disk->limit.group[0] != 0},
    };
    const char *key = NULL;

    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours) && !key; i++)
        key = ours[i].given ? ours[i].key : NULL;
    for (unsigned i = 0; i < DEVHOST_NR_KNOBS && !key; i++)
        key = disk->serving.set & 1u << i ? devhost_knobs[i].key : NULL;
    return key && disk->kernel ? bad_for_kernel(at, d, "disk", key) : 0;
}

int disk_parse(struct place at, const char *text, struct disk_spec *disk, struct diag *d)
{
    char *copy = strdup(text), *rest = copy, *field;
    unsigned pos = 0;
    bool legacy = false;
    int rc;

    *disk = (struct disk_spec){.line = at.line};
    if (!copy)
        return diag_set(d, "out of memory");
    rc = split_target(at, copy, disk, d);
    if (disk->target)
        pos = 1;
    while (rc == 0 && (field = next_field(&rest)) != NULL) {
        char *eq = strchr(field, '=');
        bool word = strcmp(field, "cdrom") == 0 || strcmp(field, "removable") == 0 ||
                    strstr(field, "discard") == field || strcmp(field, "no-discard") == 0 ||
                    strcmp(field, "direct-io-safe") == 0;

        if (!*field) {
            pos += rest != NULL && pos > 0; /* an empty positional field keeps its place */
        } else if (word) {
            rc = disk_flag(at, disk, d, field);
        } else if (eq && field[0] != '/') {
            char key[32];

            snprintf(key, sizeof(key), "%.*s", (int)(eq - field), field);
            rc = disk_keyed(at, disk, d, key, eq + 1, field);
        } else {
            rc = disk_positional(at, disk, d, &pos, &legacy, field);
        }
    }
    free(copy);
    if (rc == 0 && !disk->target)
        rc = bad(at, d, "no target in disk", text, "add target=/path/to/image");
    if (rc == 0 && !disk->vdev_id)
        rc = bad(at, d, "no vdev in disk", text, "add vdev=xvda");
    rc = rc == 0 ? disk_agrees(at, disk, d) : rc;
    return rc == 0 ? disk_kernel_agrees(at, disk, d) : rc;
}

static int parse_mac(struct place at, const char *text, struct vif_spec *vif, struct diag *d)
{
    unsigned b[6];
    int n = 0;

    if (strlen(text) != 17 ||
        sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &n) !=
            6 ||
        n != 17)
        return bad(at, d, "vif mac", text, "write six pairs of digits such as 00:16:3e:00:00:01");
    if (b[0] & 1)
        return bad(at, d, "vif mac", text,
                   "this is a multicast address; the first pair must be"
                   " even");
    for (size_t i = 0; i < 6; i++)
        vif->mac[i] = (uint8_t)b[i];
    vif->mac_given = true;
    return 0;
}

/* The name of a network interface: what the kernel takes, and no path. */
static int set_ifname(struct place at, struct diag *d, const char *key, const char *text,
                      char to[16])
{
    if (!*text || strlen(text) > 15 || strpbrk(text, "/ \t:%") || strcmp(text, ".") == 0 ||
        strcmp(text, "..") == 0)
        return bad(at, d, key, text,
                   "an interface name has 1 to 15 characters, no / : % or"
                   " blanks");
    strcpy(to, text);
    return 0;
}

static int network_word(struct place at, struct vif_spec *vif, struct diag *d, const char *key,
                        const char *value)
{
    struct diag why = {0};
    int rc = key[0] == 'n' ? net_parse_network(value, &vif->net, &why)
                           : net_parse_forward(value, &vif->net, &why);

    return rc == 0 ? 0 : bad(at, d, key[0] == 'n' ? "vif network" : "vif forward", value, why.text);
}

/* What xen-netback does not do, or not for one interface alone. */
static int vif_kernel_agrees(struct place at, const struct vif_spec *vif, struct diag *d)
{
    const struct {
        const char *key;
        bool given;
    } ours[] = {
        {"queues=", vif->given.queues},
        {"coalesce-us=", vif->given.coalesce_us},
        {"poll-us=", vif->given.poll_us},
        {"mirror=", vif->mirror[0] != 0},
        {"capture=", vif->capture[0] != 0},
        {"vifname=", vif->ifname[0] != 0},
        {"arena=", vif->no_arena},
        {"rate=", vif->limit.rates.ops || vif->limit.rates.bytes},
        {"limit-group=", vif->limit.group[0] != 0},
    };

    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        if (vif->kernel && ours[i].given)
            return bad_for_kernel(at, d, "vif", ours[i].key);
    return 0;
}

/* What the words of one vif say together. */
static int vif_whole(struct place at, struct vif_spec *vif, struct diag *d)
{
    struct diag why = {0};

    if (vif->net.given && vif->bridge[0])
        return bad(at, d, "vif bridge", vif->bridge,
                   "network= says which bridge it is; write network=bridged:NAME");
    if (net_check_spec(&vif->net, &why) != 0)
        return diag_set(d, "%s:%u: vif forward: %s", at.file, at.line, why.text);
    if (!vif->bridge[0])
        strcpy(vif->bridge, vif->net.given ? vif->net.bridge : "xenbr0");
    return vif_kernel_agrees(at, vif, d);
}

#define VIF_WORDS                                                                                  \
    "known are mac= bridge= network= forward= vifname= backend= rate= rate-in= "                   \
    "limit-group= " VIF_SERVING_WORDS

static int vif_keyed(struct place at, struct vif_spec *vif, struct diag *d, const char *key,
                     const char *value, const char *whole)
{
    if (strcmp(key, "mac") == 0)
        return parse_mac(at, value, vif, d);
    if (strcmp(key, "bridge") == 0)
        return set_ifname(at, d, "vif bridge", value, vif->bridge);
    if (strcmp(key, "vifname") == 0)
        return set_ifname(at, d, "vif vifname", value, vif->ifname);
    if (strcmp(key, "network") == 0 || strcmp(key, "forward") == 0)
        return network_word(at, vif, d, key, value);
    if (strcmp(key, "rate") == 0)
        return limit_word(at, &vif->limit.rates, d, "vif rate", value);
    if (strcmp(key, "rate-in") == 0)
        return limit_word(at, &vif->limit.in, d, "vif rate-in", value);
    if (strcmp(key, "limit-group") == 0)
        return limit_group_word(at, vif->limit.group, d, "vif limit-group", value);
    if (strcmp(key, "type") == 0 && strcmp(value, "vif") == 0)
        return 0;
    if (strcmp(key, "script") == 0)
        return bad(at, d, "vif script", value, "no scripts are run; the device joins bridge=");
    if (strcmp(key, "backend") == 0)
        return take_backend(at, &vif->kernel, d, "vif backend", value);
    int rc = vif_serving_word(at, vif, d, key, value);
    return rc <= 0 ? rc : bad(at, d, "vif word", whole, VIF_WORDS);
}

int vif_parse(struct place at, const char *text, struct vif_spec *vif, struct diag *d)
{
    char *copy = strdup(text), *rest = copy, *field;
    int rc = 0;

    *vif = (struct vif_spec){.line = at.line, .coalesce_us = VIF_COALESCE_US};
    if (!copy)
        return diag_set(d, "out of memory");
    while (rc == 0 && (field = next_field(&rest)) != NULL) {
        char *eq = strchr(field, '=');
        char key[32];

        if (!*field)
            continue;
        if (!eq) {
            rc = bad(at, d, "vif word", field, VIF_WORDS);
            continue;
        }
        snprintf(key, sizeof(key), "%.*s", (int)(eq - field), field);
        rc = vif_keyed(at, vif, d, key, eq + 1, field);
    }
    free(copy);
    return rc == 0 ? vif_whole(at, vif, d) : rc;
}
