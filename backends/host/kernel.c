/* SPDX-License-Identifier: MIT */
/*
 * kernel.c - devices that the control domain's kernel serves: xen-blkback, xen-netback.
 *
 * The drivers act upon the nodes of the store by themselves. What is done here is what hotplug
 * scripts do elsewhere: give an image a block device, put an interface on its bridge, say so.
 *
 * Nothing here has to outlive its process for the guest to go on, and nothing stays when the nodes
 * are removed: the interface is the driver's, the loop device clears itself when the driver closes
 * it, and the image's lock belongs to the description that the loop device holds. Only a block
 * device's lock is this process's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

#define BUS "/sys/bus/xen-backend"
enum {
    LOOP_TRIES = 16, /* others take loop devices, too */
    STOP_TRIES = 1000,
    STOP_WAIT_US = 10 * 1000,
    QUICK_TRIES = 10,
    QUICK_WAIT_US = 1000,
};

struct devhost_kernel {
    struct devhost *host;
    struct devhost_spec spec; /* strings are the caller's */
    int fd;                   /* disk: the loop device, or the block device itself; else -1 */
    bool loop;
    char ifname[IFNAME_BUF]; /* "" for a disk */
};

static const char *module_of(enum devhost_class cls)
{
    return cls == DEVHOST_BLOCK ? "xen-blkback" : "xen-netback";
}

static void driver_path(const struct devhost_spec *s, char buf[PATH_BUF], const char *file)
{
    snprintf(buf, PATH_BUF, BUS "/devices/%s-%u-%u%s", class_node(s->cls), s->domid, s->devid,
             file);
}

int kernel_check(const struct devhost_spec *spec, char *err, size_t err_len)
{
    char path[PATH_BUF];

    snprintf(path, sizeof(path), BUS "/drivers/%s", class_node(spec->cls));
    if (access(path, F_OK)) {
        return err_set(err, err_len, -ENODEV,
                       "backend=kernel: this kernel's backend is not loaded; modprobe %s",
                       module_of(spec->cls));
    }
    return 0;
}

/* ---- a disk's block device ---- */

static int configure_loop(int loop, int image, const struct devhost_spec *s)
{
    struct loop_config c = {.fd = (uint32_t)image,
                            .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO |
                                             (s->block.readonly ? LO_FLAGS_READ_ONLY : 0)};

    snprintf((char *)c.info.lo_file_name, sizeof(c.info.lo_file_name), "%s", s->block.path);
    return ioctl(loop, LOOP_CONFIGURE, &c) ? -errno : 0;
}

/* A loop device on the image; -EBUSY if somebody else was faster. */
static int take_loop(int control, int image, const struct devhost_spec *s)
{
    char path[32];
    int rc, fd, n = ioctl(control, LOOP_CTL_GET_FREE);

    if (n < 0) {
        return -errno;
    }
    snprintf(path, sizeof(path), "/dev/loop%d", n);
    fd = open(path, (s->block.readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    rc = configure_loop(fd, image, s);
    if (rc) {
        close(fd);
        return rc;
    }
    return fd;
}

static int open_loop(int image, const struct devhost_spec *s, char *err, size_t err_len)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int fd = -EBUSY;

    if (control < 0) {
        return err_set(err, err_len, -errno,
                       "image %s: backend=kernel needs a loop device: /dev/loop-control: %s; "
                       "modprobe loop",
                       s->block.path, strerror(errno));
    }
    for (int i = 0; i < LOOP_TRIES && fd == -EBUSY; i++) {
        fd = take_loop(control, image, s);
    }
    close(control);
    if (fd < 0) {
        return err_set(err, err_len, fd, "image %s: no loop device: %s", s->block.path,
                       strerror(-fd));
    }
    return fd;
}

static int open_disk(struct devhost_kernel *k, char *err, size_t err_len)
{
    int fd = imagefile_open(&k->spec, err, err_len);
    struct stat st;

    if (fd < 0) {
        return fd;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        int image = fd;

        k->loop = true;
        fd = open_loop(image, &k->spec, err, err_len);
        close(image);
        if (fd < 0) {
            return fd;
        }
    }
    k->fd = fd;
    if (fstat(fd, &st)) {
        return err_set(err, err_len, -errno, "image %s: %s", k->spec.block.path, strerror(errno));
    }
    k->spec.block.device = st.st_rdev;
    return 0;
}

/* ---- life ---- */

int devhost_kernel_start(struct devhost *h, const struct devhost_spec *spec,
                         struct devhost_kernel **out, char *err, size_t err_len)
{
    struct devhost_kernel *k = calloc(1, sizeof(*k));
    int rc = kernel_check(spec, err, err_len);

    *out = NULL;
    if (!k) {
        return err_set(err, err_len, -ENOMEM, "out of memory");
    }
    k->host = h;
    k->spec = *spec;
    k->fd = -1;
    if (!rc && spec->cls == DEVHOST_BLOCK) {
        rc = open_disk(k, err, err_len);
    } else {
        snprintf(k->ifname, sizeof(k->ifname), "vif%u.%u", spec->domid, spec->devid);
    }
    rc = rc ? rc : devhost_write_nodes(h, &k->spec, err, err_len);
    if (rc) {
        if (k->fd >= 0) {
            close(k->fd);
        }
        free(k);
        return rc;
    }
    *out = k;
    return 0;
}

/* Where the kernel's drivers say what they do not like. */
static void error_path(const struct devhost_spec *s, char buf[PATH_BUF], const char *file)
{
    snprintf(buf, PATH_BUF, "/local/domain/0/error/backend/%s/%u/%u%s", class_node(s->cls),
             s->domid, s->devid, file);
}

static int refusal(struct devhost_kernel *k, char *err, size_t err_len)
{
    char path[PATH_BUF];
    unsigned len;
    char *text;
    int rc = 0;

    error_path(&k->spec, path, "/error");
    text = xsc_read(k->host->xs, XSC_NO_TRANSACTION, path, &len);
    if (text) {
        rc = err_set(err, err_len, -EIO, "%s: %s", module_of(k->spec.cls), text);
    }
    free(text);
    return rc;
}

int devhost_kernel_look(struct devhost_kernel *k, char *err, size_t err_len)
{
    char path[PATH_BUF];

    if (k->spec.cls == DEVHOST_NET) {
        snprintf(path, sizeof(path), "/sys/class/net/%s", k->ifname);
    } else {
        driver_path(&k->spec, path, "/physical_device");
    }
    return access(path, F_OK) == 0 ? 1 : refusal(k, err, err_len);
}

int devhost_kernel_go(struct devhost_kernel *k, char *err, size_t err_len)
{
    unsigned mtu;
    int rc = 0;

    if (k->spec.cls == DEVHOST_NET) {
        rc = interface_choose_mtu(&k->spec, &mtu, err, err_len);
        rc = rc ? rc : interface_plug(&k->spec, k->ifname, mtu, err, err_len);
    }
    if (!rc) {
        rc = nodes_write_key(k->host, &k->spec, "hotplug-status", "connected");
        if (rc) {
            err_set(err, err_len, rc, "the store refuses hotplug-status: %s", strerror(-rc));
        }
    }
    return rc;
}

/* The driver sees by itself that its device has another size. */
int devhost_kernel_resize(struct devhost_kernel *k)
{
    return k->loop && ioctl(k->fd, LOOP_SET_CAPACITY) ? -errno : 0;
}

const char *devhost_kernel_ifname(const struct devhost_kernel *k)
{
    return k->ifname;
}

/* A device leaves its bus before its driver has ended; a network driver's interface goes last. */
static bool is_held(const struct devhost_kernel *k)
{
    char path[PATH_BUF];

    driver_path(&k->spec, path, "");
    if (access(path, F_OK) == 0) {
        return true;
    }
    snprintf(path, sizeof(path), "/sys/class/net/%s", k->ifname);
    return k->ifname[0] && access(path, F_OK) == 0;
}

int devhost_kernel_stop(struct devhost_kernel *k)
{
    char path[PATH_BUF];
    bool gone = false;

    if (!k) {
        return 0;
    }
    devhost_remove_nodes(k->host, &k->spec);
    error_path(&k->spec, path, "");
    xsc_rm(k->host->xs, XSC_NO_TRANSACTION, path);
    for (int i = 0; i < STOP_TRIES && !gone; i++) {
        gone = !is_held(k);
        if (!gone) {
            usleep(i < QUICK_TRIES ? QUICK_WAIT_US : STOP_WAIT_US);
        }
    }
    if (!gone) {
        host_log(k->host, "%s %u/%u: %s does not let go of it", class_node(k->spec.cls),
                 k->spec.domid, k->spec.devid, module_of(k->spec.cls));
    }
    if (k->fd >= 0) {
        close(k->fd);
    }
    free(k);
    return gone ? 0 : -EBUSY;
}

/* Is there an entry of the domain's, by its name, with `below` in it? */
static bool lists(const char *path, const char *form, const char *below, unsigned domid)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    bool found = false;
    char there[300];
    unsigned id;

    while (dir && !found && (e = readdir(dir)) != NULL) {
        snprintf(there, sizeof(there), "%s%s", e->d_name, below);
        found = sscanf(e->d_name, form, &id) == 1 && id == domid &&
                faccessat(dirfd(dir), there, F_OK, 0) == 0;
    }
    if (dir) {
        closedir(dir);
    }
    return found;
}

/* As is_held(), of all devices of a domain whose supervisor is gone. */
bool devhost_kernel_holds(unsigned domid)
{
    return lists(BUS "/devices", "vbd-%u-", "", domid) ||
           lists(BUS "/devices", "vif-%u-", "", domid) ||
           lists("/sys/class/net", "vif%u.", "/device", domid);
}
