/* SPDX-License-Identifier: MIT */
/* Files that say which networks there are: see netstate.h. Only root writes here. */
#include "netstate.h"
#include "json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_ROOM = 8192 };

void netstate_path(const char *name, const char *file, char out[NET_PATH_ROOM])
{
    snprintf(out, NET_PATH_ROOM, NET_RUN_DIR "/%s/%s", name, file);
}

static void port_path(const char *name, const char *owner, unsigned vif, char out[NET_PATH_ROOM])
{
    snprintf(out, NET_PATH_ROOM, NET_RUN_DIR "/%s/%s.%u.port", name, owner, vif);
}

int netstate_write(const char *path, const char *text, struct diag *d)
{
    char part[NET_PATH_ROOM + 8];
    const size_t len = strlen(text);

    snprintf(part, sizeof(part), "%s.part", path);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    const bool written = fd >= 0 && fchmod(fd, 0644) == 0 && write(fd, text, len) == (ssize_t)len;

    if (fd >= 0)
        close(fd);
    if (written && rename(part, path) == 0)
        return 0;
    return diag_errno(d, "cannot write %s", path);
}

/* A directory that everybody may look into, whatever our umask. */
static int make_open(const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return -1;
    return chmod(path, 0755);
}

static struct json *read_json(int fd)
{
    char text[FILE_ROOM];
    const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = 0;
    return json_parse(text);
}

static const char *text_of(const struct json *j, const char *key)
{
    const char *text = json_get_text(json_get(j, key));

    return text ? text : "";
}

static unsigned number_of(const struct json *j, const char *key)
{
    const double number = json_get_number(json_get(j, key), 0);

    return number >= 0 && number <= UINT32_MAX ? (unsigned)number : 0;
}

/* ---- ports ---- */

static char *port_json(const struct net_member *m)
{
    struct json *j = json_object(), *forwards;
    char text[NET_FORWARD_TEXT];

    net_mac_text(m->mac, text);
    json_add_string(j, "owner", m->owner);
    json_add_number(j, "vif", m->vif);
    json_add_string(j, "mac", text);
    json_add_number(j, "address", m->address);
    forwards = json_add_array(j, "forwards");
    for (size_t i = 0; i < m->nr_forwards; i++) {
        net_forward_text(&m->forwards[i], text);
        json_append(forwards, json_string(text));
    }
    char *out = json_print_flat(j);

    json_free(j);
    return out;
}

static bool parse_port(const struct json *j, struct net_member *m)
{
    struct net_spec spec = {0};
    struct diag ignored = {0};
    const struct json *forward;
    unsigned b[6];

    *m = (struct net_member){.vif = number_of(j, "vif"), .address = number_of(j, "address")};
    snprintf(m->owner, sizeof(m->owner), "%s", text_of(j, "owner"));
    if (sscanf(text_of(j, "mac"), "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1], &b[2], &b[3], &b[4],
               &b[5]) != 6)
        return false;
    for (size_t i = 0; i < 6; i++)
        m->mac[i] = (uint8_t)b[i];
    for (forward = json_first(json_get(j, "forwards")); forward; forward = json_next(forward)) {
        const char *text = json_get_text(forward);

        if (!text || net_parse_forward(text, &spec, &ignored) != 0)
            return false;
    }
    memcpy(m->forwards, spec.forwards, sizeof(m->forwards));
    m->nr_forwards = spec.nr_forwards;
    return true;
}

static bool append(struct network *net, const struct net_member *m)
{
    struct net_member *more = realloc(net->members, (net->nr_members + 1) * sizeof(*more));

    if (!more)
        return false;
    net->members = more;
    net->members[net->nr_members++] = *m;
    return true;
}

int netstate_plug(struct network *net, const struct net_member *m, struct diag *d)
{
    char path[NET_PATH_ROOM];
    char *text = port_json(m);

    port_path(net->name, m->owner, m->vif, path);
    unlink(path); /* of an owner that died; the lock must be on a file of our own */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (!text || fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 ||
        write(fd, text, strlen(text)) != (ssize_t)strlen(text) || !append(net, m)) {
        diag_errno(d, "cannot write %s", path);
        if (fd >= 0)
            close(fd);
        unlink(path);
        fd = -1;
    }
    free(text);
    return fd;
}

static void drop(struct network *net, size_t i)
{
    char path[NET_PATH_ROOM];

    port_path(net->name, net->members[i].owner, net->members[i].vif, path);
    unlink(path);
    net->nr_members--;
    memmove(&net->members[i], &net->members[i + 1],
            (net->nr_members - i) * sizeof(net->members[i]));
}

void netstate_unplug(struct network *net, const char *owner, unsigned vif)
{
    for (size_t i = 0; i < net->nr_members; i++)
        if (net->members[i].vif == vif && strcmp(net->members[i].owner, owner) == 0) {
            drop(net, i);
            return;
        }
}

static bool owner_lives(const struct network *net, const struct net_member *m)
{
    char path[NET_PATH_ROOM];

    port_path(net->name, m->owner, m->vif, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const bool lives = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;

    if (fd >= 0)
        close(fd);
    return lives;
}

size_t netstate_forget_dead(struct network *net)
{
    size_t n = 0;

    for (size_t i = net->nr_members; i-- > 0;)
        if (!owner_lives(net, &net->members[i])) {
            drop(net, i);
            n++;
        }
    return n;
}

/* ---- networks ---- */

static bool is_port(const char *file)
{
    const char *end = strrchr(file, '.');

    return end && strcmp(end, ".port") == 0;
}

static int read_ports(struct network *net, struct diag *d)
{
    char path[NET_PATH_ROOM];
    struct dirent *entry;

    netstate_path(net->name, "", path);
    DIR *dir = opendir(path);

    if (!dir)
        return diag_errno(d, "cannot read %s", path);
    while ((entry = readdir(dir)) != NULL) {
        struct net_member m;

        if (!is_port(entry->d_name))
            continue;
        int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
        struct json *j = fd >= 0 ? read_json(fd) : NULL;

        if (fd >= 0)
            close(fd);
        if (j && parse_port(j, &m) && append(net, &m))
            ; /* noted */
        else
            unlinkat(dirfd(dir), entry->d_name, 0); /* its owner died while writing it */
        json_free(j);
    }
    closedir(dir);
    return 0;
}

static bool parse_network(const struct json *j, struct network *net)
{
    for (size_t i = 0; i < NET_KINDS; i++)
        if (strcmp(text_of(j, "kind"), net_kind_name((enum net_kind)i)) == 0) {
            net->kind = (enum net_kind)i;
            net->slot = number_of(j, "slot");
            return net->slot < NET_SLOTS;
        }
    return false;
}

static struct network *new_network(struct netstate *s, const char *name)
{
    struct network *more = realloc(s->nets, (s->nr + 1) * sizeof(*more));

    if (!more)
        return NULL;
    s->nets = more;
    s->nets[s->nr] = (struct network){0};
    snprintf(s->nets[s->nr].name, sizeof(s->nets->name), "%s", name);
    return &s->nets[s->nr++];
}

/* A directory whose network file is missing is one that was not finished: it is made anew by its
 * name. */
static int read_network(struct netstate *s, const char *name, struct diag *d)
{
    char path[NET_PATH_ROOM];

    netstate_path(name, "network", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return 0;
    struct network *net = new_network(s, name);
    struct json *j = read_json(fd);
    const bool ok = net && j && parse_network(j, net);

    json_free(j);
    close(fd);
    if (!ok)
        return diag_set(
            d, "%s makes no sense; remove the directory when no guest is on the network", path);
    return read_ports(net, d);
}

static int read_all(struct netstate *s, struct diag *d)
{
    DIR *dir = opendir(NET_RUN_DIR);
    struct dirent *entry;
    int rc = 0;

    if (!dir)
        return diag_errno(d, "cannot read " NET_RUN_DIR);
    while (rc == 0 && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' && strlen(entry->d_name) <= NET_MAX_NAME &&
            entry->d_type == DT_DIR)
            rc = read_network(s, entry->d_name, d);
    closedir(dir);
    return rc;
}

static int open_with(struct netstate *s, int flags, struct diag *d)
{
    *s = (struct netstate){.lock_fd = open(NET_RUN_DIR "/lock", O_RDWR | O_CLOEXEC | flags, 0600)};
    if (s->lock_fd < 0 && errno == ENOENT && !flags)
        return 0;
    if (s->lock_fd < 0 || flock(s->lock_fd, LOCK_EX) != 0)
        return diag_errno(d, "cannot lock " NET_RUN_DIR "/lock");
    if (read_all(s, d) == 0)
        return 0;
    netstate_close(s);
    return -1;
}

int netstate_open(struct netstate *s, struct diag *d)
{
    return open_with(s, 0, d);
}

int netstate_create(struct netstate *s, struct diag *d)
{
    if (make_open(NET_RUN_DIR) != 0)
        return diag_errno(d, "cannot make " NET_RUN_DIR);
    return open_with(s, O_CREAT, d);
}

void netstate_close(struct netstate *s)
{
    for (size_t i = 0; i < s->nr; i++)
        free(s->nets[i].members);
    free(s->nets);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    *s = (struct netstate){.lock_fd = -1};
}

struct network *netstate_find(struct netstate *s, const char *name)
{
    for (size_t i = 0; i < s->nr; i++)
        if (strcmp(s->nets[i].name, name) == 0)
            return &s->nets[i];
    return NULL;
}

struct network *netstate_add(struct netstate *s, const char *name, enum net_kind kind,
                             unsigned slot, struct diag *d)
{
    char path[NET_PATH_ROOM], text[80];
    struct network *net = new_network(s, name);

    if (!net) {
        diag_set(d, "out of memory");
        return NULL;
    }
    net->kind = kind;
    net->slot = slot;
    snprintf(text, sizeof(text), "{\"kind\": \"%s\", \"slot\": %u}\n", net_kind_name(kind), slot);
    netstate_path(name, "", path);
    if (make_open(path) != 0) {
        diag_errno(d, "cannot make %s", path);
    } else {
        netstate_path(name, "network", path);
        if (netstate_write(path, text, d) == 0)
            return net;
    }
    netstate_remove(s, net);
    return NULL;
}

void netstate_remove(struct netstate *s, struct network *net)
{
    static const char *const files[] = {"network",    "network.part", "hosts",
                                        "hosts.part", "dnsmasq.conf", "dnsmasq.conf.part",
                                        "dhcp/pid",   "dhcp",         ""};
    char path[NET_PATH_ROOM];

    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        netstate_path(net->name, files[i], path);
        remove(path);
    }
    free(net->members);
    s->nr--;
    memmove(net, net + 1, (size_t)(&s->nets[s->nr] - net) * sizeof(*net));
}
