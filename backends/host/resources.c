/* SPDX-License-Identifier: MIT */
/*
 * resources.c - what only root can open for a device: the image, locked; the tap, on its bridge;
 * the pty and the log.
 *
 * Order of descriptors, which the backends rely on:
 *   block    image; of an image that a server has, a connection (link.c); then where its requests
 *            are recorded, if anywhere
 *   net      tap, one for each queue; then what it is mirrored to, if anything
 *   console  pty master, pty slave, inotify on the slave, then log and its predecessor if there is
 * a log
 *
 * An image is locked by an open file description lock, shared by this process and the backend, for
 * writing or for reading; the kernel drops it when both are gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <tenue/capture.h>

#include "host.h"

#define TAP_QUEUE 512 /* packets that wait for a slow guest; then the newest are dropped (BE-7) */
#define MIN_MTU 68u
#define MAX_MTU 65535u

/* ---- image ---- */

static int lock_image(int fd, bool readonly)
{
    struct flock fl = {.l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_OFD_SETLK, &fl) ? -errno : 0;
}

static int open_plain(const char *path, int flags, bool buffered)
{
    int fd = open(path, flags | (buffered ? 0 : O_DIRECT));

    if (fd < 0 && errno == EINVAL && !buffered) {
        fd = open(path, flags); /* tmpfs, and others without direct I/O */
    }
    return fd;
}

int resources_open_image(const struct devhost_spec *spec, char *err, size_t err_len)
{
    const char *path = spec->block.path;
    bool ro = spec->block.readonly;
    int flags = O_CLOEXEC | O_NONBLOCK | (ro ? O_RDONLY : O_RDWR);
    struct stat st;
    int fd, rc;

    if (!path || stat(path, &st)) {
        return err_set(err, err_len, -ENOENT, "image %s: %s", path ? path : "(none)",
                       path ? strerror(errno) : "no path given");
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        return err_set(err, err_len, -EINVAL,
                       "image %s: neither a raw image file nor a block device", path);
    }
    if (S_ISREG(st.st_mode) && st.st_size < 512) {
        return err_set(err, err_len, -EINVAL, "image %s: smaller than one sector", path);
    }
    if (S_ISBLK(st.st_mode) && !ro) {
        flags |= O_EXCL; /* refused while mounted here */
    }
    fd = open_plain(path, flags, spec->block.force_buffered);
    if (fd < 0) {
        return err_set(err, err_len, -errno, "image %s: %s%s", path, strerror(errno),
                       errno == EBUSY ? " (mounted or used in this domain)"
                       : (errno == EACCES || errno == EROFS) && !ro ? " (attach it read-only?)"
                                                                    : "");
    }
    rc = lock_image(fd, ro);
    if (rc) {
        close(fd);
        return err_set(err, err_len, -EBUSY, "image %s: in use by another guest%s", path,
                       ro ? ", which writes to it"
                          : " (attach it read-only in both, or use a copy)");
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
}

static unsigned long long read_number_file(const char *path)
{
    unsigned long long v = 0;
    FILE *f = fopen(path, "re");

    if (!f) {
        return 0;
    }
    if (fscanf(f, "%llu", &v) != 1) {
        v = 0;
    }
    fclose(f);
    return v;
}

static unsigned long long queue_limit(dev_t rdev, const char *name)
{
    static const char *const where[] = {"", "../"}; /* of a partition: its disk's */
    unsigned long long v = 0;
    char path[96];

    for (unsigned i = 0; i < 2 && !v; i++) {
        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/%s", major(rdev), minor(rdev),
                 where[i], name);
        v = read_number_file(path);
    }
    return v;
}

/* A granularity alone does not mean that the device can discard. */
static uint32_t block_discard_granularity(dev_t rdev)
{
    unsigned long long g = queue_limit(rdev, "discard_granularity");

    return queue_limit(rdev, "discard_max_bytes") && g <= UINT32_MAX ? (uint32_t)g : 0;
}

static uint32_t discard_granularity(int fd)
{
    struct stat st;
    off_t end;

    if (fstat(fd, &st)) {
        return 0;
    }
    if (S_ISBLK(st.st_mode)) {
        return block_discard_granularity(st.st_rdev);
    }
    /* Punching a hole beyond the end changes nothing, and tells whether the file system can. */
    end = (st.st_size + 4095) & ~(off_t)4095;
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, end, 4096) ? 0 : 4096;
}

static int open_block(struct devhost_device *dev, char *err, size_t err_len)
{
    int fd;

    if (link_wanted(&dev->spec)) {
        dev->res.discard_granularity = dev->spec.block.no_discard ? 0 : 4096;
        return link_open(dev, err, err_len);
    }
    fd = resources_open_image(&dev->spec, err, err_len);
    if (fd < 0) {
        return fd;
    }
    dev->res.fds[dev->res.nr_fds++] = fd;
    if (!dev->spec.block.readonly && !dev->spec.block.no_discard) {
        dev->res.discard_granularity = discard_granularity(fd);
    }
    return 0;
}

/* ---- tap ---- */

static void set_ifname(struct ifreq *ifr, const char *name)
{
    memset(ifr, 0, sizeof(*ifr));
    snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
}

unsigned resources_if_mtu(const char *ifname)
{
    struct ifreq ifr;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc;

    if (s < 0) {
        return 0;
    }
    set_ifname(&ifr, ifname);
    rc = ioctl(s, SIOCGIFMTU, &ifr);
    close(s);
    return rc ? 0 : (unsigned)ifr.ifr_mtu;
}

static int open_tap_queue(struct devhost_device *dev, short flags, char *err, size_t err_len)
{
    struct ifreq ifr;
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        return err_set(err, err_len, -errno, "%s: /dev/net/tun: %s (is module tun loaded?)",
                       dev->name, strerror(errno));
    }
    dev->res.fds[dev->res.nr_fds++] = fd;
    set_ifname(&ifr, dev->res.ifname);
    ifr.ifr_flags = flags;
    if (ioctl(fd, TUNSETIFF, &ifr)) {
        return err_set(err, err_len, -errno, "%s: cannot create tap %s: %s%s", dev->name,
                       dev->res.ifname, strerror(errno),
                       errno == EBUSY ? " (the name is taken)" : "");
    }
    return 0;
}

static int create_tap(struct devhost_device *dev, char *err, size_t err_len)
{
    const unsigned queues = dev->spec.net.queues ? dev->spec.net.queues : 1;
    const short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0);
    int rc = 0;

    if (queues > CHANNEL_MAX_QUEUES) {
        return err_set(err, err_len, -EINVAL, "%s: %u queues are not within 1..%u", dev->name,
                       queues, CHANNEL_MAX_QUEUES);
    }
    for (unsigned i = 0; i < queues && !rc; i++) {
        rc = open_tap_queue(dev, flags, err, err_len);
    }
    return rc;
}

/* The tap's own address must not become the bridge's, which takes the lowest of its ports. */
static int set_high_address(int s, const char *ifname)
{
    struct ifreq ifr;

    set_ifname(&ifr, ifname);
    ifr.ifr_hwaddr.sa_family = 1; /* ARPHRD_ETHER */
    memset(ifr.ifr_hwaddr.sa_data, 0xff, 6);
    ifr.ifr_hwaddr.sa_data[0] = (char)0xfe;
    return ioctl(s, SIOCSIFHWADDR, &ifr);
}

/* This end has no business with IPv6 of its own; without the file there is no IPv6 to turn off. */
static void disable_ipv6(const char *ifname)
{
    char path[80];
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", ifname);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (write(fd, "1", 1) != 1) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    }
    close(fd);
}

static int set_mtu(int s, const char *ifname, unsigned mtu)
{
    struct ifreq ifr;

    set_ifname(&ifr, ifname);
    ifr.ifr_mtu = (int)mtu;
    return ioctl(s, SIOCSIFMTU, &ifr);
}

static int set_queue(int s, const char *ifname)
{
    struct ifreq ifr;

    set_ifname(&ifr, ifname);
    ifr.ifr_qlen = TAP_QUEUE;
    return ioctl(s, SIOCSIFTXQLEN, &ifr);
}

static int add_to_bridge(int s, const char *bridge, const char *ifname)
{
    struct ifreq ifr;

    set_ifname(&ifr, bridge);
    ifr.ifr_ifindex = (int)if_nametoindex(ifname);
    return ioctl(s, SIOCBRADDIF, &ifr);
}

static int isolate(const char *ifname)
{
    char path[80];
    int fd, rc;

    snprintf(path, sizeof(path), "/sys/class/net/%s/brport/isolated", ifname);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    rc = write(fd, "1", 1) == 1 ? 0 : -1;
    close(fd);
    return rc;
}

static int bring_up(int s, const char *ifname)
{
    struct ifreq ifr;

    set_ifname(&ifr, ifname);
    if (ioctl(s, SIOCGIFFLAGS, &ifr)) {
        return -1;
    }
    ifr.ifr_flags |= IFF_UP;
    return ioctl(s, SIOCSIFFLAGS, &ifr);
}

int resources_plug(const struct devhost_spec *spec, const char *ifname, unsigned mtu, char *err,
                   size_t err_len)
{
    const char *bridge = spec->net.bridge;
    const char *step = "socket";
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = -1;

    if (s < 0) {
        goto out;
    }
    disable_ipv6(ifname);
    step = "set its address";
    if (set_high_address(s, ifname)) {
        goto out;
    }
    step = "set its MTU";
    if (set_mtu(s, ifname, mtu) || (!spec->kernel && set_queue(s, ifname))) {
        goto out;
    }
    step = "add it to the bridge";
    if (bridge && add_to_bridge(s, bridge, ifname)) {
        goto out;
    }
    step = "isolate it from other ports";
    if (spec->net.isolated && isolate(ifname)) {
        goto out;
    }
    step = "bring it up";
    rc = bring_up(s, ifname);

out:
    if (rc) {
        rc = err_set(err, err_len, -errno, "vif %u/%u: interface %s, bridge %s: cannot %s: %s",
                     spec->domid, spec->devid, ifname, bridge ? bridge : "(none)", step,
                     strerror(errno));
    }
    if (s >= 0) {
        close(s);
    }
    return rc;
}

int resources_mtu(const struct devhost_spec *s, unsigned *mtu, char *err, size_t err_len)
{
    *mtu = s->net.mtu;
    if (!*mtu && s->net.bridge) {
        *mtu = resources_if_mtu(s->net.bridge);
    }
    if (!*mtu) {
        *mtu = 1500;
    }
    if (*mtu < MIN_MTU || *mtu > MAX_MTU) {
        return err_set(err, err_len, -EINVAL, "vif %u/%u: mtu %u is not within %u..%u", s->domid,
                       s->devid, *mtu, MIN_MTU, MAX_MTU);
    }
    return 0;
}

static int open_net(struct devhost_device *dev, char *err, size_t err_len)
{
    const struct devhost_spec *s = &dev->spec;
    int rc;

    if (s->net.ifname) {
        snprintf(dev->res.ifname, sizeof(dev->res.ifname), "%s", s->net.ifname);
    } else {
        snprintf(dev->res.ifname, sizeof(dev->res.ifname), "vif%u.%u", s->domid, s->devid);
    }
    rc = resources_mtu(s, &dev->res.mtu, err, err_len);
    rc = rc ? rc : create_tap(dev, err, err_len);
    dev->res.nr_taps = dev->res.nr_fds;
    rc = rc ? rc : resources_plug(s, dev->res.ifname, dev->res.mtu, err, err_len);
    return rc ? rc : mirror_open(dev, err, err_len);
}

/* ---- pty and log ---- */

static void add_fd(struct resources *res, int fd)
{
    res->fds[res->nr_fds++] = fd;
}

static int make_raw(int fd)
{
    struct termios tio;

    if (tcgetattr(fd, &tio)) {
        return -1;
    }
    cfmakeraw(&tio);
    return tcsetattr(fd, TCSANOW, &tio);
}

static int new_pty(struct resources *res)
{
    int slave, watch;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    if (master < 0) {
        return -errno;
    }
    add_fd(res, master);
    if (grantpt(master) || unlockpt(master) || ptsname_r(master, res->tty, sizeof(res->tty))) {
        return -errno;
    }
    slave = open(res->tty, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) {
        return -errno;
    }
    add_fd(res, slave);
    if (make_raw(slave) || chmod(res->tty, 0600)) {
        return -errno;
    }
    watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch < 0) {
        return -errno;
    }
    add_fd(res, watch);
    return inotify_add_watch(watch, res->tty, IN_OPEN | IN_CLOSE) < 0 ? -errno : 0;
}

static int inherit_pty(struct resources *res, const struct devhost_device *from)
{
    for (unsigned i = 0; i < 3; i++) {
        int fd = fcntl(from->res.fds[i], F_DUPFD_CLOEXEC, 3);

        if (fd < 0) {
            return -errno;
        }
        add_fd(res, fd);
    }
    memcpy(res->tty, from->res.tty, sizeof(res->tty));
    res->tty_inherited = true;
    return 0;
}

static int open_log(struct resources *res, const char *path)
{
    static const char *const suffix[] = {"", ".1"};
    char name[512];

    for (unsigned i = 0; i < 2; i++) {
        int fd;

        snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
        fd = open(name, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (fd < 0) {
            return -errno;
        }
        add_fd(res, fd);
    }
    return 0;
}

static int open_console(struct devhost_device *dev, char *err, size_t err_len)
{
    struct devhost_spec *s = &dev->spec;
    int rc = s->console.inherit_tty_from ? inherit_pty(&dev->res, s->console.inherit_tty_from)
                                         : new_pty(&dev->res);

    s->console.inherit_tty_from = NULL;
    if (rc) {
        return err_set(err, err_len, rc, "%s: pty: %s (is devpts mounted on /dev/pts?)", dev->name,
                       strerror(-rc));
    }
    if (!s->console.log_max_bytes) {
        s->console.log_max_bytes = 1 << 20;
    }
    rc = s->console.log_path ? open_log(&dev->res, s->console.log_path) : 0;
    if (rc) {
        return err_set(err, err_len, rc, "%s: log %s: %s", dev->name, s->console.log_path,
                       strerror(-rc));
    }
    return 0;
}

static int open_class(struct devhost_device *dev, char *err, size_t err_len)
{
    switch (dev->spec.cls) {
    case DEVHOST_BLOCK:
        return open_block(dev, err, err_len);
    case DEVHOST_NET:
        return open_net(dev, err, err_len);
    case DEVHOST_CONSOLE:
        return open_console(dev, err, err_len);
    }
    return err_set(err, err_len, -EINVAL, "unknown device class %d", dev->spec.cls);
}

/* Its size is sealed: a process that was taken over cannot cut it off under its successor. */
static int open_journal(struct devhost_device *dev, char *err, size_t err_len)
{
    int fd = memfd_create("journal", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    dev->res.journal = fd;
    if (fd < 0 || ftruncate(fd, JOURNAL_BYTES) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        return err_set(err, err_len, -errno, "%s: journal: %s", dev->name, strerror(errno));
    }
    return 0;
}

static int open_meter(struct devhost_device *dev, char *err, size_t err_len)
{
    const struct devhost_spec *s = &dev->spec;
    int fd = meter_create(class_node(s->cls), s->domid, s->devid, &s->limit, &s->limit_in,
                          s->limit_group);

    if (fd < 0) {
        return err_set(err, err_len, fd, "%s: " METER_DIR ": %s", dev->name, strerror(-fd));
    }
    dev->res.meter = fd;
    if (s->limit_group) {
        fd = meter_open_group(s->limit_group, NULL);
        if (fd < 0) {
            return err_set(err, err_len, fd, "%s: " METER_GROUP_DIR "/%s: %s", dev->name,
                           s->limit_group, strerror(-fd));
        }
        dev->res.group = fd;
    }
    return 0;
}

int resources_open(struct devhost_device *dev, char *err, size_t err_len)
{
    int rc = open_journal(dev, err, err_len);

    if (!rc && dev->spec.cls != DEVHOST_CONSOLE) { /* which is neither counted nor limited */
        rc = open_meter(dev, err, err_len);
    }
    rc = rc ? rc : capture_create(dev, err, err_len);
    return rc ? rc : open_class(dev, err, err_len);
}

static void close_one(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void resources_close(struct resources *res)
{
    close_one(&res->journal);
    close_one(&res->meter);
    close_one(&res->group);
    if (res->capture >= 0) {
        capture_finish(res->capture);
        close_one(&res->capture);
    }
    while (res->nr_fds) {
        close(res->fds[--res->nr_fds]);
    }
}
