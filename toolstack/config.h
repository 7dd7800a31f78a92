/* SPDX-License-Identifier: MIT */
/*
 * A guest as its file describes it: the PV subset of xl.cfg, checked.
 *
 * config_load() does everything that needs only the file itself: syntax, known keys, values,
 * clashes inside the file. What needs the machine (images that exist, free memory, other guests)
 * is check.c's. Device strings are taken apart by devspec.c.
 */
#ifndef TENUE_CONFIG_H
#define TENUE_CONFIG_H

#include "diag.h"
#include "netspec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tenue/devhost.h>
#include <tenue/meter.h>

enum {
    CONFIG_MAX_DISKS = 26,
    CONFIG_MAX_VIFS = 8,
    CONFIG_MAX_GROUPS = 8,
    CONFIG_MAX_DISK_TIMEOUT = 86400, /* s */
    CONFIG_MAX_MAPTRACK = 1024,      /* what a hypervisor gives by itself; more it may cut */
    CONFIG_MAX_VCPUS = 32,           /* 2-level events and the legacy vcpu_info array carry 32 */
    CONFIG_MAX_NAME = 64,
    CONFIG_MAX_CMDLINE = 1023, /* start_info holds 1024 with the NUL */
};

/* Stores the first complaint with the place it is about. */
struct place {
    const char *file;
    unsigned line;
};

enum disk_format { DISK_RAW, DISK_QCOW2, DISK_NBD };

/* What a device may do a second, by itself and with the others of a group ("": none). */
struct limit_spec {
    struct limit_rates rates, in; /* in: what a network interface receives */
    char group[METER_GROUP_NAME_MAX + 1];
};

struct group_spec {
    char name[METER_GROUP_NAME_MAX + 1];
    struct limit_rates rates;
};

enum { DISK_CAPTURE = 256 };

struct disk_spec {
    char *target; /* path of the image or the block device, or an NBD server's address */
    enum disk_format format;
    char *base;       /* qcow2: the file that it stands on, when it is not among the images */
    unsigned timeout; /* qcow2, NBD: seconds without an answer until requests fail; 0: default */
    char vdev[32];    /* as written: xvda, sda1, d0p1 ... */
    uint32_t vdev_id; /* the number blkfront wants: 51712 for xvda */
    bool read_only;
    bool cdrom;
    bool removable;
    bool no_discard;
    bool buffered;              /* cache=writeback */
    char capture[DISK_CAPTURE]; /* where its requests are recorded; empty: nowhere */
    bool kernel;                /* backend=kernel */
    struct devhost_serving serving;
    struct limit_spec limit;
    unsigned line;
};

enum {
    VIF_OWN_IPS = 7, /* ip= words */
    VIF_MAX_IPS = 8, /* with the one that its network gives it */
    VIF_IP_TEXT = 46,
    VIF_COALESCE_US = 100,
    VIF_MIRROR = 256,
};

struct vif_spec {
    uint8_t mac[6];
    bool mac_given;
    struct net_spec net; /* what network= says */
    char bridge[16];     /* IFNAMSIZ */
    char ifname[16];     /* empty: vif<domid>.<n> */
    struct {
        bool queues, mtu, coalesce_us, poll_us;
    } given;
    unsigned queues, mtu; /* 0: not given */
    unsigned coalesce_us, poll_us;
    bool spoofs;                        /* antispoof=off */
    bool no_arena;                      /* arena=off */
    bool kernel;                        /* backend=kernel */
    char mirror[VIF_MIRROR];            /* a path or an interface; empty: none */
    char capture[DISK_CAPTURE];         /* where its packets are recorded; empty: nowhere */
    char ips[VIF_MAX_IPS][VIF_IP_TEXT]; /* addresses that are its own; none: nobody knows */
    size_t nr_ips;
    struct limit_spec limit;
    unsigned line;
};

enum guest_action {
    ACTION_DESTROY,
    ACTION_RESTART,
    ACTION_RENAME_RESTART,
    ACTION_PRESERVE,
};

enum guest_tsc { TSC_DEFAULT, TSC_ALWAYS_EMULATE, TSC_NATIVE };

struct guest_config {
    char *path; /* the guest file, for messages */
    char *name;
    char *kernel;
    char *ramdisk;    /* NULL: none */
    char *cmdline;    /* never NULL */
    uint8_t uuid[16]; /* all zero: pick one */
    bool uuid_given;
    uint64_t memory_mib, maxmem_mib;
    unsigned vcpus, maxvcpus;
    unsigned maptrack_frames;        /* 0: maps nobody's grants */
    uint64_t cpus[CONFIG_MAX_VCPUS]; /* where each vcpu may run */
    unsigned cpu_weight, cap;        /* 0: the hypervisor's; percent of one CPU, 0: no cap */
    enum guest_tsc tsc;
    enum guest_action on_poweroff, on_reboot, on_crash;
    struct disk_spec disks[CONFIG_MAX_DISKS];
    size_t nr_disks;
    struct vif_spec vifs[CONFIG_MAX_VIFS];
    size_t nr_vifs;
    struct group_spec groups[CONFIG_MAX_GROUPS];
    size_t nr_groups;
    /* Lines of keys that later checks complain about; 0 when absent. */
    unsigned name_line, kernel_line, ramdisk_line, memory_line, cpus_line;
};

int config_load(const char *path, struct guest_config *cfg, struct diag *d) MUST_CHECK;
int config_parse(const char *name, const char *text, size_t len, struct guest_config *cfg,
                 struct diag *d) MUST_CHECK;
void config_free(struct guest_config *cfg);

const char *config_action_name(enum guest_action action);
const char *config_tsc_name(enum guest_tsc tsc);

void disk_free(struct disk_spec *disk);
const char *disk_format_name(enum disk_format format);

/* devspec.c: one element of disk=[...] or vif=[...]. */
int disk_parse(struct place at, const char *text, struct disk_spec *disk,
               struct diag *d) MUST_CHECK;
int vif_parse(struct place at, const char *text, struct vif_spec *vif, struct diag *d) MUST_CHECK;

/* The number that blkfront knows the device by; 0 if the name means nothing. */
uint32_t vdev_number(const char *vdev);

#endif
