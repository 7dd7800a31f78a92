/* SPDX-License-Identifier: MIT */
/*
 * A network's dnsmasq: addresses and names for its guests.
 *
 * One process for each network, a program of its own with a world of its own: a network namespace
 * in which it has eth0, plugged into the bridge, and a user namespace in which it may bind low
 * ports and do what a DHCP server does to that interface. To the machine it is user 240000 + the
 * network's number without any capability. So whoever takes it over is a guest on that network.
 *
 * `tenue net serve NAME` makes that world and becomes dnsmasq in it: a program, since the
 * supervisor has threads and must not fork. dnsmasq goes to the background once it serves; whether
 * it could is its exit status. Its end of the cable goes with it.
 */
#include "network.h"

#include "netlink.h"
#include "program.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RESOLVED "/run/systemd/resolve/resolv.conf" /* /etc/resolv.conf names a local one there */

enum { UID_BASE = 240000, END_MS = 3000, TURN_MS = 10, LAST_CAP = 63 };

static uid_t user_of(const struct network *net)
{
    return UID_BASE + net->slot;
}

/* Its own number is what it says itself; that the process is this user's is what the kernel says.
 */
int netdhcp_pid(const struct network *net)
{
    char path[NET_PATH_ROOM], text[16] = "", proc[32], exe[4];
    struct stat st;

    netstate_path(net->name, "dhcp/pid", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    const ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    if (fd >= 0)
        close(fd);
    const int pid = n > 0 && isdigit((unsigned char)text[0]) ? atoi(text) : 0;

    snprintf(proc, sizeof(proc), "/proc/%d", pid);
    const bool its = pid > 1 && stat(proc, &st) == 0 && st.st_uid == user_of(net);

    snprintf(proc, sizeof(proc), "/proc/%d/exe", pid); /* the dead have none */
    return its && readlink(proc, exe, sizeof(exe)) > 0 ? pid : 0;
}

static int write_files(const struct network *net, struct diag *d)
{
    char dir[NET_PATH_ROOM], path[NET_PATH_ROOM];
    char *hosts = net_dhcp_hosts(net);
    int rc = -1;

    snprintf(dir, sizeof(dir), NET_RUN_DIR "/%s", net->name);
    char *config =
        net_dhcp_config(net, dir, access(RESOLVED, R_OK) == 0 ? RESOLVED : "/etc/resolv.conf");

    netstate_path(net->name, "dhcp", path);
    if (!hosts || !config)
        diag_set(d, "out of memory");
    else if ((mkdir(path, 0755) != 0 && errno != EEXIST) || chmod(path, 0755) != 0 ||
             chown(path, user_of(net), user_of(net)) != 0)
        diag_errno(d, "cannot make %s", path);
    else {
        netstate_path(net->name, "hosts", path);
        rc = netstate_write(path, hosts, d);
        netstate_path(net->name, "dnsmasq.conf", path);
        if (rc == 0)
            rc = netstate_write(path, config, d);
    }
    free(hosts);
    free(config);
    return rc;
}

int netdhcp_update(const struct network *net, struct diag *d)
{
    const char *const serve[] = {"/proc/self/exe", "net", "serve", net->name, NULL};
    const int pid = netdhcp_pid(net);

    if (write_files(net, d) != 0)
        return -1;
    if (pid)
        return kill(pid, SIGHUP) == 0 ? 0 : diag_errno(d, "dnsmasq of network %s", net->name);
    return program_run(serve, "", NULL, 0, d);
}

void netdhcp_stop(const struct network *net)
{
    const struct timespec turn = {.tv_nsec = TURN_MS * 1000 * 1000};
    int pid = netdhcp_pid(net);

    for (int ms = 0; pid; ms += TURN_MS, pid = netdhcp_pid(net)) {
        if (ms > END_MS + 1000)
            return; /* the kernel does not let it go */
        kill(pid, ms == 0 ? SIGTERM : ms > END_MS ? SIGKILL : 0);
        nanosleep(&turn, NULL);
    }
}

/* ---- its world ---- */

static void cable_name(const struct network *net, char out[NET_IFNAME])
{
    snprintf(out, NET_IFNAME, "tns-%u", net->slot);
}

/* The one file, not all: the lock is held by whoever started us. */
static int read_network(const char *name, struct network *net, struct diag *d)
{
    char path[NET_PATH_ROOM], kind[16] = "";

    *net = (struct network){0};
    snprintf(net->name, sizeof(net->name), "%s", name);
    netstate_path(net->name, "network", path);
    FILE *f = fopen(path, "re");
    const bool found = f &&
                       fscanf(f, "{\"kind\": \"%15[a-z-]\", \"slot\": %u}", kind, &net->slot) == 2;

    if (f)
        fclose(f);
    return found ? 0 : diag_set(d, "there is no network %s", name);
}

static int write_map(pid_t pid, const char *map, uid_t uid)
{
    char path[32], text[32];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, map);
    const int len = snprintf(text, sizeof(text), "%u %u 1\n", uid, uid);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && write(fd, text, (size_t)len) == len;

    if (fd >= 0)
        close(fd);
    return ok ? 0 : -errno;
}

static int plug(const struct network *net, int ns)
{
    const uint8_t mac[6] = {0x02, 't', 'n', 2, (uint8_t)(net->slot >> 8), (uint8_t)net->slot};
    char cable[NET_IFNAME], bridge[NET_IFNAME];
    struct diag ignored = {0};
    struct netlink *nl = netlink_open(&ignored);
    int rc = nl ? 0 : -errno;

    cable_name(net, cable);
    net_bridge_of(net->name, bridge);
    if (rc == 0)
        rc = netlink_remove(nl, cable); /* of one that died just now */
    if (rc == 0)
        rc = netlink_add_veth(nl, cable, "eth0", ns, mac);
    if (rc == 0)
        rc = netlink_join(nl, cable, bridge);
    if (rc == 0)
        rc = netlink_up(nl, cable);
    netlink_close(nl);
    return rc;
}

/* We are a process of one purpose, so we may go there for good. */
static int equip(const struct network *net, int ns)
{
    struct diag ignored = {0};

    if (setns(ns, CLONE_NEWNET) != 0)
        return -errno;
    struct netlink *nl = netlink_open(&ignored);
    int rc = nl ? netlink_add_address(nl, "eth0", net_server(net->slot), NET_PREFIX) : -errno;

    if (rc == 0)
        rc = netlink_up(nl, "lo");
    if (rc == 0)
        rc = netlink_up(nl, "eth0");
    if (rc == 0)
        rc = netlink_add_route(nl, "eth0", 0, 0, net_gateway(net->slot));
    netlink_close(nl);
    return rc;
}

static int make_world(const struct network *net, pid_t pid)
{
    const uid_t uid = user_of(net);
    char path[32];
    int rc = write_map(pid, "gid_map", uid);

    if (rc == 0)
        rc = write_map(pid, "uid_map", uid);
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    int ns = open(path, O_RDONLY | O_CLOEXEC);

    if (rc == 0)
        rc = ns < 0 ? -errno : plug(net, ns);
    if (rc == 0)
        rc = equip(net, ns);
    if (ns >= 0)
        close(ns);
    return rc;
}

/* ---- the process itself, in it ---- */

static int limit(void)
{
    static const struct {
        int what;
        rlim_t most;
    } limits[] = {{RLIMIT_CORE, 0},
                  {RLIMIT_NOFILE, 256},
                  {RLIMIT_FSIZE, 4096},
                  {RLIMIT_NPROC, 16},
                  {RLIMIT_AS, 256u << 20}};

    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
        if (setrlimit(limits[i].what, &(struct rlimit){limits[i].most, limits[i].most}) != 0)
            return -1;
    return 0;
}

/* Of its namespaces' capabilities those that dnsmasq insists on. */
static int keep_capabilities(void)
{
    const uint32_t keep = 1u << CAP_NET_BIND_SERVICE | 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[2] = {{keep, keep, keep}, {0}};

    for (int cap = 0; cap <= LAST_CAP; cap++)
        if ((cap > 31 || !(keep >> cap & 1)) && prctl(PR_CAPBSET_DROP, cap) != 0 && errno != EINVAL)
            return -1;
    if (syscall(SYS_capset, &head, caps) != 0)
        return -1;
    for (int cap = 0; cap < 32; cap++) /* the ambient ones outlast the exec */
        if (keep >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) != 0)
            return -1;
    return 0;
}

/*
 * What a server of names and addresses never asks for: other kinds of netlink than that of routes
 * (packet filters among them), namespaces, mounts, other processes, programs for the kernel.
 */
static int forbid(void)
{
    static const int calls[] = {
        SCMP_SYS(unshare),
        SCMP_SYS(setns),
        SCMP_SYS(mount),
        SCMP_SYS(umount2),
        SCMP_SYS(pivot_root),
        SCMP_SYS(chroot),
        SCMP_SYS(ptrace),
        SCMP_SYS(bpf),
        SCMP_SYS(keyctl),
        SCMP_SYS(add_key),
        SCMP_SYS(request_key),
        SCMP_SYS(userfaultfd),
        SCMP_SYS(perf_event_open),
        SCMP_SYS(io_uring_setup),
        SCMP_SYS(process_vm_readv),
        SCMP_SYS(process_vm_writev),
        SCMP_SYS(init_module),
        SCMP_SYS(finit_module),
        SCMP_SYS(kexec_load),
        SCMP_SYS(open_by_handle_at),
    };
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    int rc = f ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < sizeof(calls) / sizeof(*calls); i++)
        rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 2,
                              SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
                              SCMP_A2(SCMP_CMP_NE, NETLINK_ROUTE));
    if (rc == 0)
        rc = seccomp_load(f); /* sets no_new_privs */
    if (f)
        seccomp_release(f);
    return rc;
}

static void __attribute__((noreturn)) become(const struct network *net, int told, int tell)
{
    char option[NET_PATH_ROOM + 16], path[NET_PATH_ROOM], go;
    const uid_t uid = user_of(net);

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && setgroups(0, NULL) == 0 &&
        unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && write(tell, "n", 1) == 1 &&
        read(told, &go, 1) == 1 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0 &&
        limit() == 0 && keep_capabilities() == 0 && forbid() == 0) {
        netstate_path(net->name, "dnsmasq.conf", path);
        snprintf(option, sizeof(option), "--conf-file=%s", path);
        execl("/usr/sbin/dnsmasq", "dnsmasq", option, (char *)NULL);
    }
    fprintf(stderr, "no world of its own for dnsmasq (package dnsmasq-base): %s", strerror(errno));
    _exit(1);
}

int netdhcp_serve(const char *name, struct diag *d)
{
    int to[2], from[2], status = 0, rc;
    struct network net;
    char ready;

    if (read_network(name, &net, d) != 0)
        return -1;
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
        return diag_errno(d, "no pipe");
    const pid_t pid = fork();

    if (pid == 0)
        become(&net, to[0], from[1]);
    close(from[1]);
    if (pid < 0)
        return diag_errno(d, "cannot fork");
    rc = read(from[0], &ready, 1) == 1 ? make_world(&net, pid) : -ECHILD;
    if (rc == 0 && write(to[1], "g", 1) != 1)
        rc = -errno;
    if (rc != 0)
        kill(pid, SIGKILL);
    if (waitpid(pid, &status, 0) != pid || rc != 0)
        return diag_set(d, "dnsmasq of network %s has no world of its own: %s", name,
                        strerror(-rc));
    return status == 0 ? 0 : diag_set(d, "dnsmasq of network %s does not start", name);
}
