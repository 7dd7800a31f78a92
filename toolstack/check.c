/* SPDX-License-Identifier: MIT */
/* Pre-flight checks against the running machine: see check.h. */
#include "check.h"

#include "domain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* What a domain costs besides its memory: shared pages, grant table, bookkeeping. */
enum { DOMAIN_OVERHEAD_PAGES = 256 };

static int check_name(const struct guest_config *cfg, struct store *st, struct diag *d)
{
    uint32_t domid;

    if (!domain_name_taken(st, cfg->name, &domid))
        return 0;
    return diag_set(d,
                    "%s:%u: the name \"%s\" is in use by domain %u; choose another, or tenue"
                    " destroy %s first",
                    cfg->path, cfg->name_line, cfg->name, domid, cfg->name);
}

static int check_memory(const struct guest_config *cfg, struct hv *hv, struct diag *d)
{
    struct xen_sysctl_physinfo info;
    int rc = hv_physinfo(hv, &info);

    if (rc != 0)
        return diag_set(d, "the hypervisor does not say how much memory is free: %s",
                        strerror(-rc));
    uint64_t free_pages =
        info.free_pages > info.outstanding_pages ? info.free_pages - info.outstanding_pages : 0;
    if ((cfg->memory_mib << 8) + DOMAIN_OVERHEAD_PAGES <= free_pages)
        return 0;
    return diag_set(d,
                    "%s:%u: memory=%llu, but only %llu MiB are free; lower it, end another"
                    " guest, or give the control domain less (dom0_mem=)",
                    cfg->path, cfg->memory_line, (unsigned long long)cfg->memory_mib,
                    (unsigned long long)(free_pages > DOMAIN_OVERHEAD_PAGES
                                             ? free_pages - DOMAIN_OVERHEAD_PAGES
                                             : 0) >>
                        8);
}

/* One address against one vif that exists, read from the directory that only we can write. */
static int check_mac_against(const struct guest_config *cfg, struct store *st, const char *domid,
                             const char *devid, struct diag *d)
{
    char *text = store_read(st, "/local/domain/0/backend/vif/%s/%s/mac", domid, devid);
    unsigned b[6];
    int rc = 0;

    if (text &&
        sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) == 6)
        for (size_t i = 0; i < cfg->nr_vifs && rc == 0; i++) {
            const struct vif_spec *vif = &cfg->vifs[i];
            bool same = true;

            for (size_t j = 0; j < 6; j++)
                same &= vif->mac[j] == b[j];
            if (same)
                rc = diag_set(d,
                              "%s:%u: mac=%s is in use by domain %s; choose another, or leave"
                              " mac= out to get one",
                              cfg->path, vif->line, text, domid);
        }
    free(text);
    return rc;
}

static int check_macs(const struct guest_config *cfg, struct store *st, struct diag *d)
{
    unsigned nr_domains;
    char **domains = store_list(st, &nr_domains, "/local/domain/0/backend/vif");
    int rc = 0;

    for (unsigned i = 0; i < nr_domains && rc == 0; i++) {
        unsigned nr;
        char **vifs = store_list(st, &nr, "/local/domain/0/backend/vif/%s", domains[i]);

        for (unsigned j = 0; j < nr && rc == 0; j++)
            rc = check_mac_against(cfg, st, domains[i], vifs[j], d);
        free(vifs);
    }
    free(domains);
    return rc;
}

static bool same_image(const struct stat *mine, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    return S_ISBLK(st.st_mode) ? S_ISBLK(mine->st_mode) && st.st_rdev == mine->st_rdev
                               : st.st_dev == mine->st_dev && st.st_ino == mine->st_ino;
}

/* One disk against one vbd that exists, read from the directory that only we can write. */
static int check_disk_against(const struct guest_config *cfg, const struct disk_spec *disk,
                              const struct stat *mine, struct store *st, const char *domid,
                              const char *devid, struct diag *d)
{
    char *path = store_read(st, "/local/domain/0/backend/vbd/%s/%s/params", domid, devid);
    char *mode = store_read(st, "/local/domain/0/backend/vbd/%s/%s/mode", domid, devid);
    char *name = store_read(st, "/local/domain/%s/name", domid);
    bool both_read = disk->read_only && mode && strcmp(mode, "r") == 0;
    int rc = 0;

    if (path && !both_read && same_image(mine, path))
        rc = diag_set(d,
                      "%s:%u: image %s: in use by domain %s (%s); attach it read-only in both, or"
                      " use a copy",
                      cfg->path, disk->line, disk->target, domid, name ? name : "no name");
    free(path);
    free(mode);
    free(name);
    return rc;
}

static int check_disk(const struct guest_config *cfg, const struct disk_spec *disk,
                      struct store *st, struct diag *d)
{
    struct stat mine;
    unsigned nr_domains;
    char **domains;
    int rc = 0;

    if (!disk->target || stat(disk->target, &mine) != 0)
        return 0; /* devices_check() says what is wrong with it */
    domains = store_list(st, &nr_domains, "/local/domain/0/backend/vbd");
    for (unsigned i = 0; i < nr_domains && rc == 0; i++) {
        unsigned nr;
        char **vbds = store_list(st, &nr, "/local/domain/0/backend/vbd/%s", domains[i]);

        for (unsigned j = 0; j < nr && rc == 0; j++)
            rc = check_disk_against(cfg, disk, &mine, st, domains[i], vbds[j], d);
        free(vbds);
    }
    free(domains);
    return rc;
}

int check_images(const struct guest_config *cfg, struct store *st, struct diag *d)
{
    for (size_t i = 0; i < cfg->nr_disks; i++)
        if (check_disk(cfg, &cfg->disks[i], st, d) != 0)
            return -1;
    return 0;
}

int check_neighbours(const struct guest_config *cfg, struct hv *hv, struct store *st,
                     struct diag *d)
{
    if (check_name(cfg, st, d) != 0 || check_macs(cfg, st, d) != 0)
        return -1;
    return check_memory(cfg, hv, d);
}

int check_choose_macs(struct guest_config *cfg, struct diag *d)
{
    for (size_t i = 0; i < cfg->nr_vifs; i++) {
        struct vif_spec *vif = &cfg->vifs[i];

        if (vif->mac_given)
            continue;
        vif->mac[0] = 0x00;
        vif->mac[1] = 0x16;
        vif->mac[2] = 0x3e;
        /* An address is no secret: do not wait for entropy. */
        if (getrandom(&vif->mac[3], 3, GRND_INSECURE) != 3)
            return diag_errno(d, "no random numbers for a MAC address");
        vif->mac[3] &= 0x7f; /* the half that Xen's tools use for generated ones */
    }
    return 0;
}
