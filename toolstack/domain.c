/* SPDX-License-Identifier: MIT */
/* Domains in hypervisor and store: see domain.h. */
#include "domain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PATH_ROOM = 128,
    GONE_TRIES = 220, /* about ten seconds for a dying domain to vanish ... */
    GONE_WAIT_US = 50 * 1000,
    QUICK_TRIES = 20, /* ... looked at more often in the beginning */
    QUICK_WAIT_US = 2 * 1000,
    RELEASE_TRY = 40, /* after about a second, ask the store to let go */
};

static const char *const classes[] = {"vbd", "vif", "console"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void domain_uuid_text(const uint8_t uuid[16], char out[DOMAIN_UUID_TEXT])
{
    char *p = out;

    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        p += sprintf(p, "%02x", uuid[i]);
    }
}

/* Nodes below the domain's directory that it reads, then those it owns. */
static void put_guest_nodes(struct store_batch *b, const char *home, uint32_t domid)
{
    static const char *const owned[] = {
        "control/shutdown",
        "control/feature-poweroff",
        "control/feature-reboot",
        "control/feature-suspend",
        "control/sysrq",
        "device/suspend/event-channel",
        "data",
        "drivers",
        "feature",
        "attr",
        "error",
    };
    char path[PATH_ROOM];

    for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); i++) {
        snprintf(path, sizeof(path), "%s/%s", home, owned[i]);
        store_put(b, path, "%s", "");
        store_grant(b, path, domid, STORE_GUEST_OWNS);
    }
}

static void put(struct store_batch *b, const char *home, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void put(struct store_batch *b, const char *home, const char *key, const char *fmt, ...)
{
    char path[PATH_ROOM], value[CONFIG_MAX_NAME + 64];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    snprintf(path, sizeof(path), "%s/%s", home, key);
    store_put(b, path, "%s", value);
}

static void put_cpus(struct store_batch *b, const char *home, const struct guest_config *cfg)
{
    char key[32];

    for (unsigned i = 0; i < cfg->maxvcpus; i++) {
        snprintf(key, sizeof(key), "cpu/%u/availability", i);
        put(b, home, key, "%s", i < cfg->vcpus ? "online" : "offline");
    }
}

static void put_all(struct store_batch *b, const struct guest_config *cfg, const uint8_t uuid[16],
                    const struct built *built)
{
    char home[32], vm[64], text[DOMAIN_UUID_TEXT];
    uint32_t domid = built->domid;

    domain_uuid_text(uuid, text);
    snprintf(home, sizeof(home), "/local/domain/%u", domid);
    snprintf(vm, sizeof(vm), "/vm/%s", text);

    /* Children inherit what their parent allows, so the parents come first. */
    store_put(b, vm, "%s", "");
    store_grant(b, vm, domid, STORE_GUEST_READS);
    put(b, vm, "uuid", "%s", text);
    put(b, vm, "name", "%s", cfg->name);
    put(b, vm, "start_time", "%lld", (long long)time(NULL));

    store_put(b, home, "%s", "");
    store_grant(b, home, domid, STORE_GUEST_READS);
    put(b, home, "vm", "%s", vm);
    put(b, home, "name", "%s", cfg->name);
    put(b, home, "domid", "%u", domid);
    put(b, home, "memory/static-max", "%llu", (unsigned long long)cfg->maxmem_mib << 10);
    put(b, home, "memory/target", "%llu", (unsigned long long)cfg->memory_mib << 10);
    put(b, home, "memory/videoram", "0");
    put(b, home, "device", "%s", "");
    put(b, home, "control", "%s", "");
    put(b, home, "control/platform-feature-multiprocessor-suspend", "1");
    put(b, home, "control/platform-feature-xs_reset_watches", "1");
    put(b, home, "store/port", "%u", built->store_port);
    put(b, home, "store/ring-ref", "%llu", (unsigned long long)built->store_mfn);
    put_cpus(b, home, cfg);
    put_guest_nodes(b, home, domid);
}

/*
 * Whatever an earlier domain of this number left would be inherited whole (LC-5). With t, from
 * within its batch.
 */
static void forget_nodes(struct store *st, uint32_t t, uint32_t domid)
{
    char *vm = store_read(st, "/local/domain/%u/vm", domid), path[PATH_ROOM];

    if (vm && strncmp(vm, "/vm/", 4) == 0)
        xsc_rm(st->xs, t, vm);
    free(vm);
    for (size_t i = 0; i < COUNT(classes); i++) {
        snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%u", classes[i], domid);
        xsc_rm(st->xs, t, path);
    }
    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    xsc_rm(st->xs, t, path);
}

int domain_announce(struct store *st, const struct guest_config *cfg, const uint8_t uuid[16],
                    const struct built *built, struct diag *d)
{
    struct store_batch b;
    int rc;

    do {
        if (!store_batch_begin(&b, st))
            return diag_errno(d, "the store refuses a transaction");
        forget_nodes(st, b.t, built->domid);
        put_all(&b, cfg, uuid, built);
        rc = store_batch_end(&b);
    } while (rc > 0);
    if (rc < 0)
        return diag_errno(d, "the store refuses /local/domain/%u", built->domid);
    if (!xsc_introduce(st->xs, built->domid, built->store_mfn, built->store_port))
        return diag_errno(d, "the store refuses to talk to domain %u", built->domid);
    return 0;
}

void domain_forget(struct store *st, uint32_t domid)
{
    unsigned n;

    if (!st->xs)
        return;
    xsc_batch(st->xs);
    forget_nodes(st, XSC_NO_TRANSACTION, domid);
    for (size_t i = 0; i < COUNT(classes); i++) {
        free(store_list(st, &n, "/local/domain/0/backend/%s", classes[i]));
        if (n == 0)
            store_remove(st, "/local/domain/0/backend/%s", classes[i]);
    }
    if (xsc_batch_end(st->xs) != 0)
        return; /* what stays is taken away when the number is given again */
}

char *domain_name(struct store *st, uint32_t domid)
{
    char *name = store_read(st, "/local/domain/%u/name", domid);

    return name || domid ? name : strdup("Domain-0");
}

bool domain_name_taken(struct store *st, const char *name, uint32_t *domid)
{
    unsigned n;
    char **ids = store_list(st, &n, "/local/domain");
    bool found = strcmp(name, "Domain-0") == 0;

    *domid = 0;
    for (unsigned i = 0; i < n && !found; i++) {
        if (strcmp(ids[i], "0") == 0)
            continue;
        char *other = store_read(st, "/local/domain/%s/name", ids[i]);

        found = other && strcmp(other, name) == 0;
        if (found)
            *domid = (uint32_t)strtoul(ids[i], NULL, 10);
        free(other);
    }
    free(ids);
    return found;
}

int domain_find(struct hv *hv, struct store *st, const char *what, uint32_t *domid, struct diag *d)
{
    struct xen_domctl_getdomaininfo info;
    char *end;
    unsigned long v = strtoul(what, &end, 10);

    if (*what >= '0' && *what <= '9' && !*end && v < DOMID_FIRST_RESERVED) {
        *domid = (uint32_t)v;
        if (hv_info(hv, *domid, &info) == 0)
            return 0;
    } else if (domain_name_taken(st, what, domid)) {
        return 0;
    }
    if (!st->xs)
        return diag_set(d, "without a store only numbers are known: tenue list shows them");
    return diag_set(d, "%s is no domain; tenue list shows those there are", what);
}

/*
 * Waits for a destroyed domain to give its last page back. The store unmaps its ring when the
 * hypervisor tells it of the death, and then tells everybody who waits for that. Only if it seems
 * not to have heard is it asked to let go: asked earlier, it would have nothing left to tell.
 */
static int wait_gone(struct hv *hv, struct store *st, uint32_t domid, struct diag *d)
{
    struct xen_domctl_getdomaininfo info = {0};

    for (int i = 0; i < GONE_TRIES; i++) {
        int rc = hv_info(hv, domid, &info);

        if (rc == -ESRCH)
            return 0;
        if (rc != 0)
            return diag_set(d, "cannot ask for domain %u: %s", domid, strerror(-rc));
        if (i == RELEASE_TRY && st->xs)
            xsc_release(st->xs, domid);
        usleep(i < QUICK_TRIES ? QUICK_WAIT_US : GONE_WAIT_US);
    }
    return diag_set(d,
                    "domain %u is dead but %llu of its pages are still mapped by someone; it"
                    " stays visible as dying",
                    domid, (unsigned long long)info.tot_pages);
}

int domain_destroy(struct hv *hv, struct store *st, uint32_t domid, struct diag *d)
{
    if (domid == 0)
        return diag_set(d, "the control domain is not destroyed; shut the machine down instead");
    int rc = hv_destroy(hv, domid);
    if (rc != 0 && rc != -ESRCH)
        return diag_set(d, "cannot destroy domain %u: %s", domid, strerror(-rc));
    return wait_gone(hv, st, domid, d);
}

/* Drivers of the kernel hold pages of a guest, too; they let go when their nodes are removed. */
static void take_from_kernel(struct hv *hv, struct store *st, uint32_t domid)
{
    if (!st->xs || !devhost_kernel_holds(domid))
        return;
    (void)!hv_pause(hv, domid); /* fails if it is gone already, which is as good */
    for (size_t i = 0; i < COUNT(classes); i++)
        store_remove(st, "/local/domain/0/backend/%s/%u", classes[i], domid);
    for (int i = 0; i < GONE_TRIES && devhost_kernel_holds(domid); i++)
        usleep(GONE_WAIT_US);
}

int domain_destroy_orphan(struct hv *hv, struct store *st, uint32_t domid, struct diag *d)
{
    if (domid != 0)
        take_from_kernel(hv, st, domid);

    int rc = domain_destroy(hv, st, domid, d);

    if (domid != 0)
        domain_forget(st, domid);
    return rc;
}

static void put_control(struct store_batch *b, uint64_t kib)
{
    static const char home[] = "/local/domain/0", pool[] = "/local/pool/0";

    put(b, home, "domid", "0");
    put(b, home, "name", "Domain-0");
    put(b, home, "memory/target", "%llu", (unsigned long long)kib);
    put(b, home, "memory/static-max", "%llu", (unsigned long long)kib);
    put(b, home, "memory/freemem-slack", "0");
    put(b, home, "libxl/disable_udev", "1"); /* xl: no hotplug scripts by udev */
    put(b, home, "cpu/0/availability", "online");
    put(b, pool, "name", "Pool-0");
    put(b, pool, "uuid", "00000000-0000-0000-0000-000000000000");
}

int domain_init_control(struct hv *hv, struct store *st, struct diag *d)
{
    struct xen_domctl_getdomaininfo info;
    struct store_batch b;
    int rc = hv_info(hv, 0, &info);

    if (rc != 0)
        return diag_set(d, "the hypervisor does not list the control domain: %s", strerror(-rc));
    do {
        if (!store_batch_begin(&b, st))
            return diag_errno(d, "the store refuses a transaction");
        put_control(&b, info.tot_pages * 4);
        rc = store_batch_end(&b);
    } while (rc > 0);
    if (rc < 0)
        return diag_errno(d, "the store refuses /local/domain/0");
    if ((mkdir("/run/tenue", 0700) != 0 && errno != EEXIST) ||
        (mkdir("/var/log/tenue", 0700) != 0 && errno != EEXIST))
        return diag_errno(d, "cannot make /run/tenue and /var/log/tenue");
    return 0;
}
