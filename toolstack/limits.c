/* SPDX-License-Identifier: MIT */
/*
 * tenue limits: how much devices and groups of devices may do a second, and what that made wait.
 *
 * Limits lie in the files of <tenue/meter.h>, which the backends have mapped: a change is a store
 * there, seen within a tenth of a second. Which devices there are is in the store.
 */
#include "verbs.h"

#include "devmeter.h"
#include "domain.h"
#include "json.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct table {
    struct session *s;
    const char *device; /* NULL: all */
    const char *domain; /* whose devices are shown */
    struct json *json;  /* NULL: text */
    unsigned shown;
};

/* Of disks and network interfaces. */
static int each_device(struct session *s, uint32_t domid, device_fn *act, void *arg)
{
    int rc = devmeter_each(&devmeter_disks, &s->st, domid, act, arg);

    return rc ? rc : devmeter_each(&devmeter_nics, &s->st, domid, act, arg);
}

/* One limit of a device. A network interface has two: vif0 for what the guest sends, vif0-in for
 * what it gets. */
struct one {
    const struct device_name *dev;
    const char *in; /* "-in" or "" */
    const struct limit *limit;
    uint64_t waited, waited_ns;
};

/* Into `ones`; how many there are. */
static unsigned limits_of(const struct device_name *dev, const struct meter *m, struct one ones[2])
{
    ones[0] = (struct one){dev, "", &m->limit, m->throttled, m->throttled_ns};
    ones[1] = (struct one){dev, "-in", &m->limit_in, m->throttled_in, m->throttled_in_ns};
    return strcmp(dev->cls, "vif") == 0 ? 2 : 1;
}

/* name: of the user's; NULL stands for all. */
static bool is_named(const struct one *o, const char *name)
{
    char number[16], whole[48];

    snprintf(number, sizeof(number), "%u%s", o->dev->devid, o->in);
    snprintf(whole, sizeof(whole), "%s%s", o->dev->name, o->in);
    return !name || strcmp(name, whole) == 0 || strcmp(name, number) == 0;
}

/* ---- showing ---- */

static void json_rates(struct json *row, const struct limit_rates *r)
{
    json_add_number(row, "ops_per_second", (double)r->ops);
    json_add_number(row, "ops_burst", (double)r->ops_burst);
    json_add_number(row, "bytes_per_second", (double)r->bytes);
    json_add_number(row, "bytes_burst", (double)r->bytes_burst);
}

static void show_json(struct table *t, const struct one *o, const char *group, const char *device,
                      const struct limit_rates *r)
{
    struct json *row = json_object();

    json_add_string(row, "domain", t->domain);
    json_add_number(row, "domid", o->dev->domid);
    json_add_string(row, "device", device);
    json_rates(row, r);
    if (group[0])
        json_add_string(row, "group", group);
    json_add_number(row, "throttled_requests", (double)o->waited);
    json_add_number(row, "throttled_seconds", (double)o->waited_ns / 1e9);
    json_append(t->json, row);
}

static void show_one(struct table *t, const struct one *o, const char *group)
{
    struct limit_rates r;
    char text[LIMIT_TEXT_MAX], device[48];

    snprintf(device, sizeof(device), "%s%s", o->dev->name, o->in);
    limit_get(o->limit, &r);
    limit_print(&r, text, sizeof(text));
    if (t->json)
        show_json(t, o, group, device, &r);
    else
        printf("%-20s %-8s %-28s %-16s %12llu %10.3f\n", t->domain, device, text,
               group[0] ? group : "-", (unsigned long long)o->waited, (double)o->waited_ns / 1e9);
    t->shown++;
}

static int show_device(const struct device_name *dev, const struct meter *m, void *arg)
{
    struct table *t = arg;
    struct one ones[2];
    unsigned n = limits_of(dev, m, ones);

    for (unsigned i = 0; i < n; i++)
        if (is_named(&ones[i], t->device))
            show_one(t, &ones[i], m->group);
    return 0;
}

static int show_domain(struct session *s, const struct xen_domctl_getdomaininfo *info,
                       const char *name, void *arg)
{
    struct table *t = arg;

    t->domain = name;
    return each_device(s, info->domain, show_device, t);
}

static int show(struct session *s, const char *domain, const char *device, bool json)
{
    struct table t = {.s = s, .device = device, .json = json ? json_array() : NULL};

    if (!json)
        printf("%-20s %-8s %-28s %-16s %12s %10s\n", "Name", "Device", "Limit", "Group", "Waited",
               "Seconds");
    int rc = each_domain(s, domain, show_domain, &t);

    if (json)
        print_json(t.json);
    if (rc == 0 && device && !t.shown)
        rc = diag_set(&s->d, "%s has no device %s; tenue limits %s lists them", domain, device,
                      domain);
    return rc;
}

/* ---- changing ---- */

struct change {
    struct session *s;
    const char *device;
    struct limit_rates rates;
    unsigned changed;
};

static int change_one(struct change *c, const struct one *o)
{
    struct limit *l = meter_map_limit(o->dev->cls, o->dev->domid, o->dev->devid, o->in[0] != '\0');

    if (!l)
        return diag_errno(&c->s->d, "the limit of %s%s cannot be changed", o->dev->name, o->in);
    limit_set(l, &c->rates);
    meter_unmap_limit(l);
    c->changed++;
    return 0;
}

static int change_device(const struct device_name *dev, const struct meter *m, void *arg)
{
    struct change *c = arg;
    struct one ones[2];
    unsigned n = limits_of(dev, m, ones);
    int rc = 0;

    for (unsigned i = 0; i < n && rc == 0; i++)
        if (is_named(&ones[i], c->device))
            rc = change_one(c, &ones[i]);
    return rc;
}

static int parse_limit(struct session *s, const char *text, struct limit_rates *r)
{
    char why[DEVHOST_ERR_MAX];

    if (limit_parse(text, r, why, sizeof(why)) == 0)
        return 0;
    return diag_set(&s->d, "limit: %s", why);
}

static int change(struct session *s, const char *domain, const char *device, const char *text)
{
    struct change c = {.s = s, .device = device};
    uint32_t domid;

    if (parse_limit(s, text, &c.rates) != 0 ||
        domain_find(s->hv, &s->st, domain, &domid, &s->d) != 0 ||
        each_device(s, domid, change_device, &c) != 0)
        return -1;
    if (!c.changed)
        return diag_set(&s->d, "%s has no device %s; tenue limits %s lists them", domain, device,
                        domain);
    return 0;
}

/* ---- groups ---- */

static int show_group(struct session *s, const char *name, struct json *json)
{
    struct limit *l = meter_map_group(name);
    struct limit_rates r;
    char text[LIMIT_TEXT_MAX];

    if (!l)
        return diag_errno(&s->d, "group %s", name);
    limit_get(l, &r);
    meter_unmap_limit(l);
    if (json) {
        struct json *row = json_object();

        json_add_string(row, "group", name);
        json_rates(row, &r);
        json_append(json, row);
        return 0;
    }
    limit_print(&r, text, sizeof(text));
    printf("%-32s %s\n", name, text);
    return 0;
}

static int show_groups(struct session *s, const char *name, bool json)
{
    struct json *array = json ? json_array() : NULL;
    DIR *dir = name ? NULL : opendir(METER_GROUP_DIR);
    const struct dirent *e;
    int rc = 0;

    if (!json)
        printf("%-32s %s\n", "Group", "Limit");
    if (name)
        rc = show_group(s, name, array);
    while (rc == 0 && dir && (e = readdir(dir)) != NULL)
        if (meter_group_name_valid(e->d_name))
            rc = show_group(s, e->d_name, array);
    if (dir)
        closedir(dir);
    if (json)
        print_json(array);
    return rc;
}

static int change_group(struct session *s, const char *name, const char *text)
{
    struct limit_rates r;
    int fd;

    if (parse_limit(s, text, &r) != 0)
        return -1;
    fd = meter_open_group(name, &r);
    if (fd < 0)
        return diag_set(&s->d, "group %s: %s", name, strerror(-fd));
    close(fd);
    return 0;
}

static int groups(int argc, char **argv, bool json)
{
    struct session s = {0};
    int rc;

    if (argc > 2)
        return usage();
    if (argc && !meter_group_name_valid(argv[0]))
        rc = diag_set(&s.d, "group \"%s\": 1 to %d letters, digits and _ . -, not . first", argv[0],
                      METER_GROUP_NAME_MAX);
    else if (argc == 2)
        rc = change_group(&s, argv[0], argv[1]);
    else
        rc = show_groups(&s, argc ? argv[0] : NULL, json);
    return session_close(&s, rc);
}

int verb_limits(int argc, char **argv)
{
    static const struct option longs[] = {
        {"json", no_argument, NULL, 'j'}, {"group", no_argument, NULL, 'g'}, {0}};
    bool json = false, of_groups = false;
    struct session s;
    int opt, rc;

    while ((opt = getopt_long(argc, argv, "g", longs, NULL)) != -1) {
        if (opt != 'j' && opt != 'g')
            return usage();
        json |= opt == 'j';
        of_groups |= opt == 'g';
    }
    argc -= optind;
    argv += optind;
    if (of_groups)
        return groups(argc, argv, json);
    if (argc > 3)
        return usage();
    rc = session_open(&s, NEED_BOTH);
    if (rc)
        return rc;
    if (argc == 3)
        rc = change(&s, argv[0], argv[1], argv[2]);
    else
        rc = show(&s, argc ? argv[0] : NULL, argc > 1 ? argv[1] : NULL, json);
    return session_close(&s, rc);
}
