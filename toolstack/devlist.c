/* SPDX-License-Identifier: MIT */
/*
 * tenue block-list and network-list, in xl's columns.
 *
 * Which devices there are is read from the backend directory, which only the control domain
 * writes. What comes from the guest's side (state, ring references, event channels) is shown as a
 * number and used for nothing.
 */
#include "verbs.h"
#include "json.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct column {
    const char *title; /* NULL: only in JSON */
    const char *json;
    const char *node;
    bool front, number;
    int width;
};

static const struct column disk_columns[] = {
    {"evt-ch", "event_channel", "event-channel", true, true, 6},
    {"ring-ref", "ring_ref", "ring-ref", true, true, 8},
    {NULL, "vdev", "dev", false, false, 0},
    {NULL, "target", "params", false, false, 0},
    {NULL, "mode", "mode", false, false, 0},
};

static const struct column vif_columns[] = {
    {"evt-ch", "event_channel", "event-channel-tx", true, true, 6},
    {"tx-ref", "tx_ring_ref", "tx-ring-ref", true, true, 6},
    {"rx-ref", "rx_ring_ref", "rx-ring-ref", true, true, 6},
    {NULL, "bridge", "bridge", false, false, 0},
};

struct view {
    const char *cls, *first_title;
    const struct column *columns;
    size_t nr_columns;
};

static const struct view disk_view = {"vbd", "Vdev", disk_columns,
                                      sizeof(disk_columns) / sizeof(*disk_columns)};
static const struct view vif_view = {"vif", "Idx", vif_columns,
                                     sizeof(vif_columns) / sizeof(*vif_columns)};

static char *read_column(struct store *st, const struct view *view, uint32_t domid,
                         const char *devid, const struct column *c)
{
    if (c->front)
        return store_read(st, "/local/domain/%u/device/%s/%s/%s", domid, view->cls, devid, c->node);
    return store_read(st, "/local/domain/0/backend/%s/%u/%s/%s", view->cls, domid, devid, c->node);
}

static int read_state(struct store *st, const struct view *view, uint32_t domid, const char *devid)
{
    char *text = store_read(st, "/local/domain/%u/device/%s/%s/state", domid, view->cls, devid);
    int state = text ? atoi(text) : 0;

    free(text);
    return state;
}

static char *read_mac(struct store *st, const struct view *view, uint32_t domid, const char *devid)
{
    return view == &vif_view ? store_read(st, "/local/domain/0/backend/vif/%u/%s/mac", domid, devid)
                             : NULL;
}

static const char *served_by(struct store *st, const struct view *view, uint32_t domid,
                             const char *devid)
{
    char *text =
        store_read(st, "/local/domain/0/backend/%s/%u/%s/served-by", view->cls, domid, devid);
    bool kernel = text && strcmp(text, "kernel") == 0;

    free(text);
    return kernel ? "kernel" : "tenue";
}

static void print_device(struct store *st, const struct view *view, uint32_t domid,
                         const char *devid)
{
    char *mac = read_mac(st, view, domid, devid);

    printf("%-5s %-3d ", devid, 0);
    if (view == &vif_view)
        printf("%-17s ", mac ? mac : "?");
    printf("%-6u %-5d ", domid, read_state(st, view, domid, devid));
    for (size_t i = 0; i < view->nr_columns; i++) {
        const struct column *c = &view->columns[i];
        char *text = c->title ? read_column(st, view, domid, devid, c) : NULL;

        if (c->title)
            printf("%-*d ", c->width, text ? atoi(text) : -1);
        free(text);
    }
    printf("/local/domain/0/backend/%s/%u/%s%s\n", view->cls, domid, devid,
           *served_by(st, view, domid, devid) == 'k' ? " (kernel)" : "");
    free(mac);
}

static struct json *json_device(struct store *st, const struct view *view, uint32_t domid,
                                const char *devid)
{
    struct json *row = json_object();
    char *mac = read_mac(st, view, domid, devid);

    json_add_number(row, "devid", atoi(devid));
    json_add_number(row, "backend_domid", 0);
    json_add_number(row, "frontend_domid", domid);
    json_add_string(row, "backend", served_by(st, view, domid, devid));
    json_add_number(row, "state", read_state(st, view, domid, devid));
    if (mac)
        json_add_string(row, "mac", mac);
    for (size_t i = 0; i < view->nr_columns; i++) {
        const struct column *c = &view->columns[i];
        char *text = read_column(st, view, domid, devid, c);

        if (c->number)
            json_add_number(row, c->json, text ? atoi(text) : -1);
        else if (text)
            json_add_string(row, c->json, text);
        free(text);
    }
    free(mac);
    return row;
}

static void print_title(const struct view *view)
{
    printf("%-5s %-3s ", view->first_title, "BE");
    if (view == &vif_view)
        printf("%-17s ", "Mac Addr.");
    printf("%-6s %-5s ", "handle", "state");
    for (size_t i = 0; i < view->nr_columns; i++)
        if (view->columns[i].title)
            printf("%-*s ", view->columns[i].width, view->columns[i].title);
    printf("BE-path\n");
}

static int list_devices(int argc, char **argv, const struct view *view)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'}, {0}};
    struct session s;
    uint32_t domid;
    unsigned n;
    bool json = false;
    int opt;

    while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (opt != 'j')
            return usage();
        json = true;
    }
    if (optind + 1 != argc)
        return usage();
    int rc = session_open_domain(&s, NEED_BOTH, argv[optind], &domid);
    if (rc)
        return rc;
    struct json *array = json ? json_array() : NULL;
    char **ids = store_list(&s.st, &n, "/local/domain/0/backend/%s/%u", view->cls, domid);

    if (!json)
        print_title(view);
    for (unsigned i = 0; i < n; i++) {
        if (json)
            json_append(array, json_device(&s.st, view, domid, ids[i]));
        else
            print_device(&s.st, view, domid, ids[i]);
    }
    free(ids);
    if (json)
        print_json(array);
    return session_close(&s, 0);
}

int verb_block_list(int argc, char **argv)
{
    return list_devices(argc, argv, &disk_view);
}

int verb_network_list(int argc, char **argv)
{
    return list_devices(argc, argv, &vif_view);
}
