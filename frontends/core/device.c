/* SPDX-License-Identifier: MIT */
/* A device's place in the store, and its way through the states of both ends. */
#include "device.h"

#include <xen/errno.h>
#include <xen/io/xenbus.h>

#define CONNECT_NS 10000000000UL

static int path_of(char *path, size_t size, const char *dir, const char *leaf)
{
    return (size_t)front_snprintf(path, size, "%s/%s", dir, leaf) < size ? 0 : -XEN_E2BIG;
}

int front_dev_get(const char *dir, const char *leaf, u64 *value)
{
    char path[2 * DEV_PATH_MAX];
    int rc = path_of(path, sizeof(path), dir, leaf);

    return rc ? rc : front_xs_read_u64(path, value);
}

bool front_dev_flag(const char *dir, const char *leaf)
{
    u64 value = 0;

    return front_dev_get(dir, leaf, &value) == 0 && value == 1;
}

int front_dev_set(const struct front_dev *dev, const char *leaf, u64 value)
{
    char path[2 * DEV_PATH_MAX];
    int rc = path_of(path, sizeof(path), dev->node, leaf);

    return rc ? rc : front_xs_printf(path, "%lu", value);
}

int front_dev_wait(const struct front_dev *dev, u64 low, u64 high)
{
    char path[2 * DEV_PATH_MAX];
    int rc = path_of(path, sizeof(path), dev->backend, "state");

    return rc ? rc : front_xs_wait_u64(path, low, high, CONNECT_NS);
}

int front_dev_find(struct front_dev *dev, const char *class, unsigned id)
{
    char path[2 * DEV_PATH_MAX];
    u64 domid = 0;
    int rc = front_xs_init();

    if (!rc)
        rc = front_grant_init();
    if (rc)
        return rc;
    front_snprintf(dev->node, sizeof(dev->node), "device/%s/%u", class, id);
    front_snprintf(path, sizeof(path), "%s/backend", dev->node);
    rc = front_xs_read(path, dev->backend, sizeof(dev->backend));
    if (!rc)
        rc = front_dev_get(dev->node, "backend-id", &domid);
    if (!rc && domid >= DOMID_FIRST_RESERVED)
        rc = -XEN_EINVAL;
    dev->backend_id = (domid_t)domid;
    return rc;
}

int front_dev_begin(const struct front_dev *dev)
{
    int rc = front_dev_set(dev, "state", XenbusStateInitialising);

    return rc ? rc : front_dev_wait(dev, XenbusStateInitWait, XenbusStateInitWait);
}

int front_dev_close(const struct front_dev *dev)
{
    int rc = front_dev_set(dev, "state", XenbusStateClosing);

    if (!rc)
        rc = front_dev_wait(dev, XenbusStateClosing, XenbusStateClosed);
    if (!rc)
        rc = front_dev_set(dev, "state", XenbusStateClosed);
    if (!rc)
        rc = front_dev_wait(dev, XenbusStateClosed, XenbusStateClosed);
    return rc;
}
