/* SPDX-License-Identifier: MIT */
/* tenue create: from a guest file to a running guest, or to the plan of one. */
#include "verbs.h"

#include "build.h"
#include "check.h"
#include "config.h"
#include "device.h"
#include "domain.h"
#include "supervise.h"
#include "json.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    bool console, paused, quiet, dry_run;
    const char *file;
};

static int parse_options(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {{"dry-run", no_argument, NULL, 'n'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"paused", no_argument, NULL, 'p'},
                                          {"console", no_argument, NULL, 'c'},
                                          {0}};
    int opt;

    *o = (struct options){0};
    while ((opt = getopt_long(argc, argv, "npqc", longs, NULL)) != -1) {
        switch (opt) {
        case 'n':
            o->dry_run = true;
            break;
        case 'p':
            o->paused = true;
            break;
        case 'q':
            o->quiet = true;
            break;
        case 'c':
            o->console = true;
            break;
        default:
            return -1;
        }
    }
    if (optind + 1 != argc)
        return -1;
    o->file = argv[optind];
    return 0;
}

/* The supervisor opens these again for every life, from wherever it then stands. */
static void make_absolute(char **path)
{
    char *whole = *path ? realpath(*path, NULL) : NULL;

    if (whole) {
        free(*path);
        *path = whole;
    }
}

static void json_disks(struct json *root, const struct guest_config *cfg)
{
    struct json *disks = json_add_array(root, "disks");

    for (size_t i = 0; i < cfg->nr_disks; i++) {
        struct json *disk = json_object();

        json_add_string(disk, "vdev", cfg->disks[i].vdev);
        json_add_number(disk, "devid", cfg->disks[i].vdev_id);
        json_add_string(disk, "target", cfg->disks[i].target);
        json_add_string(disk, "format", disk_format_name(cfg->disks[i].format));
        json_add_string(disk, "access", cfg->disks[i].read_only ? "r" : "rw");
        json_append(disks, disk);
    }
}

static void json_network(struct json *vif, const struct net_spec *net)
{
    char text[NET_FORWARD_TEXT];
    struct json *forwards;

    json_add_string(vif, "kind", net_kind_name(net->kind));
    json_add_string(vif, "network", net->name);
    forwards = json_add_array(vif, "forwards");
    for (size_t i = 0; i < net->nr_forwards; i++) {
        net_forward_text(&net->forwards[i], text);
        json_append(forwards, json_string(text));
    }
}

static void json_vifs(struct json *root, const struct guest_config *cfg)
{
    struct json *vifs = json_add_array(root, "vifs");

    for (size_t i = 0; i < cfg->nr_vifs; i++) {
        const struct vif_spec *v = &cfg->vifs[i];
        struct json *vif = json_object();
        char mac[18] = "random";

        if (v->mac_given)
            snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1],
                     v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
        json_add_number(vif, "devid", (double)i);
        json_add_string(vif, "mac", mac);
        json_add_string(vif, "bridge", v->bridge);
        if (v->net.given)
            json_network(vif, &v->net);
        json_append(vifs, vif);
    }
}

static void add_hex(struct json *to, const char *key, uint64_t value)
{
    char text[20];

    snprintf(text, sizeof(text), "%#llx", (unsigned long long)value);
    json_add_string(to, key, text);
}

static void json_layout(struct json *root, const struct build_plan *plan)
{
    const struct layout *l = &plan->layout;
    struct json *j = json_add_object(root, "layout");

    json_add_string(j, "guest_os", plan->image.elf.guest_os);
    add_hex(j, "virt_base", l->virt_base);
    add_hex(j, "entry", plan->image.elf.entry);
    json_add_number(j, "mapped_pages", (double)l->mapped_pages);
    json_add_number(j, "start_info_pfn", (double)l->start_info_pfn);
    json_add_number(j, "page_table_pfn", (double)l->pt_pfn);
    json_add_number(j, "page_table_pages", (double)l->nr_pt);
    json_add_number(j, "stack_pfn", (double)l->stack_pfn);
    add_hex(j, "p2m_address", l->p2m_va);
    json_add_number(j, "p2m_pfn", (double)l->p2m_pfn);
    json_add_number(j, "p2m_pages", (double)(l->p2m_data_pages + l->p2m_table_pages));
    if (plan->ramdisk_fd >= 0)
        json_add_number(j, "ramdisk_pfn", (double)l->ramdisk_pfn);
}

static void print_plan(const struct guest_config *cfg, const struct build_plan *plan,
                       bool neighbours_checked)
{
    struct json *root = json_object();

    json_add_string(root, "name", cfg->name);
    json_add_string(root, "kernel", cfg->kernel);
    if (cfg->ramdisk)
        json_add_string(root, "ramdisk", cfg->ramdisk);
    json_add_string(root, "cmdline", cfg->cmdline);
    json_add_number(root, "memory_mib", (double)cfg->memory_mib);
    json_add_number(root, "maxmem_mib", (double)cfg->maxmem_mib);
    json_add_number(root, "vcpus", cfg->vcpus);
    json_add_number(root, "maxvcpus", cfg->maxvcpus);
    json_add_number(root, "max_maptrack_frames", cfg->maptrack_frames);
    if (cfg->cpu_weight)
        json_add_number(root, "cpu_weight", cfg->cpu_weight);
    json_add_number(root, "cap", cfg->cap);
    json_add_string(root, "tsc_mode", config_tsc_name(cfg->tsc));
    json_add_string(root, "on_poweroff", config_action_name(cfg->on_poweroff));
    json_add_string(root, "on_reboot", config_action_name(cfg->on_reboot));
    json_add_string(root, "on_crash", config_action_name(cfg->on_crash));
    json_disks(root, cfg);
    json_vifs(root, cfg);
    json_layout(root, plan);
    json_add_bool(root, "checked_against_running_guests", neighbours_checked);
    print_json(root);
}

/* Everything but the making. Without a hypervisor the checks that need one are left out. */
static int dry_run(struct guest_config *cfg, struct diag *d)
{
    struct diag ignored = {0};
    struct build_plan plan;
    struct store st = {0};
    int rc = 0;

    if (check_choose_macs(cfg, d) != 0 || devices_check(cfg, d) != 0 ||
        build_plan_open(cfg, &plan, d) != 0)
        return -1;
    struct hv *hv = hv_open(&ignored);
    bool there = hv && store_open(&st, &ignored) == 0;
    if (there)
        rc = check_neighbours(cfg, hv, &st, d);
    if (rc == 0)
        print_plan(cfg, &plan, there);
    store_close(&st);
    hv_close(hv);
    build_plan_close(&plan);
    return rc;
}

/* With a console the command lives on, so it keeps memory of its own. */
static bool lends(const struct options *o)
{
#ifdef __SANITIZE_ADDRESS__ /* it knows one stack a process */
    (void)o;
    return false;
#else
    return !o->console;
#endif
}

static int run_guest(struct guest_config *cfg, const struct options *o, struct session *s)
{
    const struct supervise_order order = {.cfg = cfg, .hv = s->hv, .st = &s->st, .lend = lends(o)};
    struct supervised guest;
    struct store st = {0};
    int tty = -1;

    if (!order.lend) {
        store_close(&s->st);
        hv_close(s->hv);
    }
    if (supervise_start(&order, &guest, &s->d) != 0)
        return -1;
    if (o->console) {
        if (store_open(&st, &s->d) == 0)
            tty = console_open(&st, guest.domid, &s->d);
        store_close(&st);
        if (tty < 0) {
            close(guest.fd);
            return -1;
        }
    }
    if (supervise_go(&guest, o->paused, &s->d) != 0)
        return -1;
    return tty >= 0 ? console_attach(tty, &s->d) : 0;
}

/* Refuses early, in this process, what needs no lock; the rest is checked under it. */
static int prepare(struct guest_config *cfg, struct session *s)
{
    make_absolute(&cfg->kernel);
    make_absolute(&cfg->ramdisk);
    s->hv = hv_open(&s->d);
    if (!s->hv || store_open(&s->st, &s->d) != 0 || check_images(cfg, &s->st, &s->d) != 0 ||
        check_choose_macs(cfg, &s->d) != 0)
        return -1;
    return devices_check(cfg, &s->d);
}

/* By system calls alone: what else there is may belong to the supervisor now. */
static void __attribute__((noreturn)) leave(int rc, const struct diag *d)
{
    char line[sizeof(d->text) + 16];
    int n = snprintf(line, sizeof(line), "tenue: %s\n", d->text[0] ? d->text : "failed");

    if (rc == 0)
        _exit(0);
    while (write(STDERR_FILENO, line, (size_t)n) < 0 && errno == EINTR)
        ;
    _exit(EXIT_FAILED);
}

int verb_create(int argc, char **argv)
{
    struct guest_config cfg;
    struct session s = {0};
    struct options o;

    if (parse_options(argc, argv, &o) != 0)
        return usage();
    int rc = config_load(o.file, &cfg, &s.d);

    if (rc == 0 && o.dry_run) {
        rc = dry_run(&cfg, &s.d);
        config_free(&cfg);
        return session_close(&s, rc);
    }
    if (rc == 0 && !o.quiet)
        printf("Parsing config from %s\n", o.file);
    if (rc == 0)
        rc = prepare(&cfg, &s);
    fflush(stdout);
    if (rc == 0)
        rc = run_guest(&cfg, &o, &s);
    leave(rc, &s.d);
}
