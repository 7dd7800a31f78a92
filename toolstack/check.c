/* SPDX-License-Identifier: MIT */
/* Pre-flight checks against the running machine: see check.h. */
#include "check.h"

#include "cpulist.h"

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

typedef int against_fn(const struct guest_config *cfg, struct store *st, const char *domid,
                       const char *devid, struct diag *d);

/* Holds the guest's own, of which there are nr_own, against each device of a kind that a guest has.
 */
static int check_against_all(const struct guest_config *cfg, size_t nr_own, struct store *st,
                             const char *kind, against_fn *against, struct diag *d)
{
    unsigned nr_domains;

    if (nr_own == 0)
        return 0;
    char **domains = store_list(st, &nr_domains, "/local/domain/0/backend/%s", kind);
    int rc = 0;

    for (unsigned i = 0; i < nr_domains && rc == 0; i++) {
        unsigned nr;
        char **devices = store_list(st, &nr, "/local/domain/0/backend/%s/%s", kind, domains[i]);

        for (unsigned j = 0; j < nr && rc == 0; j++)
            rc = against(cfg, st, domains[i], devices[j], d);
        free(devices);
    }
    free(domains);
    return rc;
}

static bool same_image(const struct stat *known, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    return S_ISBLK(st.st_mode) ? S_ISBLK(known->st_mode) && st.st_rdev == known->st_rdev
                               : st.st_dev == known->st_dev && st.st_ino == known->st_ino;
}

/* One vbd that exists, read from the directory that only we can write. */
static int check_image_against(const struct guest_config *cfg, struct store *st, const char *domid,
                               const char *devid, struct diag *d)
{
    char *path = store_read(st, "/local/domain/0/backend/vbd/%s/%s/params", domid, devid);
    char *mode = store_read(st, "/local/domain/0/backend/vbd/%s/%s/mode", domid, devid);
    bool read_only = mode && strcmp(mode, "r") == 0;
    struct stat theirs;
    int rc = 0;

    bool file = path && stat(path, &theirs) == 0;

    if (path)
        for (size_t i = 0; i < cfg->nr_disks && rc == 0; i++) {
            const struct disk_spec *disk = &cfg->disks[i];

            if (disk->target && !(disk->read_only && read_only) &&
                (file ? same_image(&theirs, disk->target) : strcmp(path, disk->target) == 0)) {
                char *name = store_read(st, "/local/domain/%s/name", domid);

                rc = diag_set(d,
                              "%s:%u: image %s: in use by domain %s (%s); attach it read-only in"
                              " both, or use a copy",
                              cfg->path, disk->line, disk->target, domid, name ? name : "no name");
                free(name);
            }
        }
    free(path);
    free(mode);
    return rc;
}

int check_images(const struct guest_config *cfg, struct store *st, struct diag *d)
{
    return check_against_all(cfg, cfg->nr_disks, st, "vbd", check_image_against, d);
}

static int check_cpus(const struct guest_config *cfg, struct hv *hv, struct diag *d)
{
    struct xen_sysctl_physinfo info;
    int rc = hv_physinfo(hv, &info), missing;

    if (rc != 0)
        return diag_set(d, "the hypervisor does not describe the machine: %s", strerror(-rc));
    for (unsigned i = 0; i < cfg->maxvcpus; i++) {
        missing = cpulist_missing(cfg->cpus[i], info.nr_cpus);
        if (missing >= 0)
            return diag_set(d, "%s:%u: cpus names CPU %d; this machine has CPUs 0 to %u", cfg->path,
                            cfg->cpus_line, missing, info.nr_cpus - 1);
    }
    if ((cfg->cpu_weight || cfg->cap) && !hv_scheduler_shares(hv_scheduler(hv)))
        return diag_set(d,
                        "%s: the hypervisor's scheduler has no weights and caps; remove"
                        " cpu_weight and cap, or start it without sched=",
                        cfg->path);
    return 0;
}

int check_neighbours(const struct guest_config *cfg, struct hv *hv, struct store *st,
                     struct diag *d)
{
    if (check_name(cfg, st, d) != 0 ||
        check_against_all(cfg, cfg->nr_vifs, st, "vif", check_mac_against, d) != 0)
        return -1;
    return check_cpus(cfg, hv, d) != 0 ? -1 : check_memory(cfg, hv, d);
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
