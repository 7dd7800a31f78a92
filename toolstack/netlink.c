/* SPDX-License-Identifier: MIT */
/* rtnetlink in short forms: see netlink.h. Owns no state: one request and its answer at a time. */
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 2048 };

struct netlink {
    int fd;
    uint32_t port; /* our address, which the kernel chose */
};

struct request {
    struct nlmsghdr *h;
    char room[ROOM] __attribute__((aligned(NLMSG_ALIGNTO)));
};

struct netlink *netlink_open(struct diag *d)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    socklen_t len = sizeof(address);
    struct netlink *nl = calloc(1, sizeof(*nl));

    if (!nl) {
        diag_set(d, "out of memory");
        return NULL;
    }
    nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (nl->fd >= 0 && bind(nl->fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        getsockname(nl->fd, (struct sockaddr *)&address, &len) == 0) {
        nl->port = address.nl_pid;
        return nl;
    }
    diag_errno(d, "the kernel takes no requests about interfaces (rtnetlink)");
    netlink_close(nl);
    return NULL;
}

void netlink_close(struct netlink *nl)
{
    if (nl && nl->fd >= 0)
        close(nl->fd);
    free(nl);
}

/* ---- messages: all ours fit ROOM by far ---- */

static struct nlmsghdr *begin(struct request *r, uint16_t type, uint16_t flags)
{
    static uint32_t sequence;

    memset(r->room, 0, sizeof(r->room));
    r->h = (struct nlmsghdr *)r->room;
    r->h->nlmsg_len = NLMSG_HDRLEN;
    r->h->nlmsg_type = type;
    r->h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    r->h->nlmsg_seq = ++sequence;
    return r->h;
}

/* The next part; zeros, and so is what aligns the one after it. */
static void *put_room(struct nlmsghdr *h, size_t len)
{
    void *at = (char *)h + h->nlmsg_len;

    h->nlmsg_len += (uint32_t)NLMSG_ALIGN(len);
    return at;
}

static void put(struct nlmsghdr *h, unsigned type, size_t len, const void *data)
{
    struct nlattr *attr = put_room(h, NLA_HDRLEN + len);

    attr->nla_type = (uint16_t)type;
    attr->nla_len = (uint16_t)(NLA_HDRLEN + len);
    memcpy((char *)attr + NLA_HDRLEN, data, len);
}

static void put_string(struct nlmsghdr *h, unsigned type, const char *text)
{
    put(h, type, strlen(text) + 1, text);
}

static void put_u32(struct nlmsghdr *h, unsigned type, uint32_t value)
{
    put(h, type, sizeof(value), &value);
}

static struct nlattr *begin_nest(struct nlmsghdr *h, unsigned type)
{
    struct nlattr *attr = put_room(h, NLA_HDRLEN);

    attr->nla_type = (uint16_t)(type | NLA_F_NESTED);
    return attr;
}

static void end_nest(struct nlmsghdr *h, struct nlattr *attr)
{
    attr->nla_len = (uint16_t)((char *)h + h->nlmsg_len - (char *)attr);
}

/* Sends a request and receives what is said to it. Its length, or -errno. */
static ssize_t exchange(const struct netlink *nl, const struct request *r, void *answer,
                        size_t room)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    const struct nlmsghdr *h = answer;

    if (sendto(nl->fd, r->h, r->h->nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) <
        0)
        return -errno;
    ssize_t n = recv(nl->fd, answer, room, 0);

    if (n < 0)
        return -errno;
    if ((size_t)n < sizeof(*h) || h->nlmsg_len < sizeof(*h) || h->nlmsg_len > (size_t)n ||
        h->nlmsg_seq != r->h->nlmsg_seq || h->nlmsg_pid != nl->port)
        return -EPROTO;
    if (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        return -EPROTO;
    return n;
}

static int ask(struct netlink *nl, const struct request *r)
{
    char answer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
    const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
    ssize_t n = exchange(nl, r, answer, sizeof(answer));

    if (n < 0)
        return (int)n;
    return h->nlmsg_type == NLMSG_ERROR ? ((const struct nlmsgerr *)NLMSG_DATA(h))->error : -EPROTO;
}

/* Another namespace's name is not ours to look up, so links are named, not numbered. */
static struct ifinfomsg *begin_link(struct request *r, uint16_t type, uint16_t flags,
                                    const char *name)
{
    begin(r, type, flags);
    struct ifinfomsg *ifi = put_room(r->h, sizeof(*ifi));

    ifi->ifi_family = AF_UNSPEC;
    put_string(r->h, IFLA_IFNAME, name);
    return ifi;
}

static void find_mac(const struct nlmsghdr *h, uint8_t mac[6])
{
    const struct rtattr *attr = IFLA_RTA(NLMSG_DATA(h));
    int left = (int)IFLA_PAYLOAD(h);

    for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
        if (attr->rta_type == IFLA_ADDRESS && RTA_PAYLOAD(attr) == 6)
            memcpy(mac, RTA_DATA(attr), 6);
}

/* What there is to know of an interface, asked of the handle's own namespace. */
static int look_up(struct netlink *nl, const char *name, int *index, uint8_t mac[6])
{
    char answer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
    const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
    struct request r;

    begin_link(&r, RTM_GETLINK, 0, name);
    r.h->nlmsg_flags = NLM_F_REQUEST;
    ssize_t n = exchange(nl, &r, answer, sizeof(answer));

    if (n < 0)
        return (int)n;
    if (h->nlmsg_type == NLMSG_ERROR)
        return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
    if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
        return -EPROTO;
    *index = ((const struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
    if (mac)
        find_mac(h, mac);
    return 0;
}

static int index_of(struct netlink *nl, const char *name, int *index)
{
    return look_up(nl, name, index, NULL);
}

int netlink_mac(struct netlink *nl, const char *name, uint8_t mac[6])
{
    int index;

    return look_up(nl, name, &index, mac);
}

int netlink_add_bridge(struct netlink *nl, const char *name, const uint8_t mac[6],
                       const char *alias)
{
    struct request r;

    begin_link(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
    put(r.h, IFLA_ADDRESS, 6, mac);
    struct nlattr *info = begin_nest(r.h, IFLA_LINKINFO);
    put_string(r.h, IFLA_INFO_KIND, "bridge");
    struct nlattr *data = begin_nest(r.h, IFLA_INFO_DATA);
    put_u32(r.h, IFLA_BR_STP_STATE, 0);
    put_u32(r.h, IFLA_BR_FORWARD_DELAY, 0);
    end_nest(r.h, data);
    end_nest(r.h, info);
    int rc = ask(nl, &r);

    if (rc != 0)
        return rc == -EEXIST ? 0 : rc;
    begin_link(&r, RTM_NEWLINK, 0, name);
    put_string(r.h, IFLA_IFALIAS, alias);
    return ask(nl, &r);
}

int netlink_add_veth(struct netlink *nl, const char *name, const char *peer, int peer_ns,
                     const uint8_t peer_mac[6])
{
    struct request r;

    begin_link(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
    struct nlattr *info = begin_nest(r.h, IFLA_LINKINFO);
    put_string(r.h, IFLA_INFO_KIND, "veth");
    struct nlattr *data = begin_nest(r.h, IFLA_INFO_DATA);
    struct nlattr *end = begin_nest(r.h, VETH_INFO_PEER);
    put_room(r.h, sizeof(struct ifinfomsg));
    put_string(r.h, IFLA_IFNAME, peer);
    put_u32(r.h, IFLA_NET_NS_FD, (uint32_t)peer_ns);
    put(r.h, IFLA_ADDRESS, 6, peer_mac);
    end_nest(r.h, end);
    end_nest(r.h, data);
    end_nest(r.h, info);
    return ask(nl, &r);
}

int netlink_remove(struct netlink *nl, const char *name)
{
    struct request r;

    begin_link(&r, RTM_DELLINK, 0, name);
    int rc = ask(nl, &r);

    return rc == -ENODEV ? 0 : rc;
}

int netlink_join(struct netlink *nl, const char *name, const char *bridge)
{
    struct request r;
    int master = 0, rc = index_of(nl, bridge, &master);

    if (rc != 0)
        return rc;
    begin_link(&r, RTM_NEWLINK, 0, name);
    put_u32(r.h, IFLA_MASTER, (uint32_t)master);
    return ask(nl, &r);
}

int netlink_isolate(struct netlink *nl, const char *name)
{
    const uint8_t yes = 1;
    struct request r;
    int index = 0, rc = index_of(nl, name, &index);

    if (rc != 0)
        return rc;
    begin(&r, RTM_SETLINK, 0);
    struct ifinfomsg *ifi = put_room(r.h, sizeof(*ifi));

    ifi->ifi_family = AF_BRIDGE;
    ifi->ifi_index = index;
    struct nlattr *port = begin_nest(r.h, IFLA_PROTINFO);
    put(r.h, IFLA_BRPORT_ISOLATED, 1, &yes);
    end_nest(r.h, port);
    return ask(nl, &r);
}

int netlink_up(struct netlink *nl, const char *name)
{
    struct request r;
    struct ifinfomsg *ifi = begin_link(&r, RTM_NEWLINK, 0, name);

    ifi->ifi_flags = ifi->ifi_change = IFF_UP;
    return ask(nl, &r);
}

static int change_address(struct netlink *nl, bool add, const char *name, int family,
                          const void *address, size_t len, unsigned prefix, unsigned seconds)
{
    struct request r;
    int index = 0, rc = index_of(nl, name, &index);

    if (rc != 0)
        return rc;
    begin(&r, add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct ifaddrmsg *ifa = put_room(r.h, sizeof(*ifa));

    ifa->ifa_family = (uint8_t)family;
    ifa->ifa_prefixlen = (uint8_t)prefix;
    ifa->ifa_index = (uint32_t)index;
    ifa->ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0;
    put(r.h, IFA_LOCAL, len, address);
    put(r.h, IFA_ADDRESS, len, address);
    if (seconds) {
        const struct ifa_cacheinfo life = {.ifa_prefered = seconds, .ifa_valid = seconds};

        put(r.h, IFA_CACHEINFO, sizeof(life), &life);
    }
    rc = ask(nl, &r);
    return add && rc == -EEXIST ? 0 : rc;
}

int netlink_add_address(struct netlink *nl, const char *name, uint32_t address, unsigned prefix)
{
    const uint32_t wire = htonl(address);

    return change_address(nl, true, name, AF_INET, &wire, sizeof(wire), prefix, 0);
}

int netlink_add_address6(struct netlink *nl, const char *name, const uint8_t address[16],
                         unsigned prefix)
{
    return change_address(nl, true, name, AF_INET6, address, 16, prefix, 0);
}

int netlink_lend_address(struct netlink *nl, const char *name, uint32_t address, unsigned prefix,
                         unsigned seconds)
{
    const uint32_t wire = htonl(address);

    return change_address(nl, true, name, AF_INET, &wire, sizeof(wire), prefix, seconds);
}

int netlink_remove_address(struct netlink *nl, const char *name, uint32_t address, unsigned prefix)
{
    const uint32_t wire = htonl(address);

    return change_address(nl, false, name, AF_INET, &wire, sizeof(wire), prefix, 0);
}

int netlink_add_route(struct netlink *nl, const char *name, uint32_t to, unsigned prefix,
                      uint32_t via)
{
    struct request r;
    int index = 0, rc = index_of(nl, name, &index);

    if (rc != 0)
        return rc;
    begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *rt = put_room(r.h, sizeof(*rt));

    rt->rtm_family = AF_INET;
    rt->rtm_dst_len = (uint8_t)prefix;
    rt->rtm_table = RT_TABLE_MAIN;
    rt->rtm_protocol = RTPROT_STATIC;
    rt->rtm_scope = via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    rt->rtm_type = RTN_UNICAST;
    if (prefix)
        put_u32(r.h, RTA_DST, htonl(to));
    if (via)
        put_u32(r.h, RTA_GATEWAY, htonl(via));
    put_u32(r.h, RTA_OIF, (uint32_t)index);
    return ask(nl, &r);
}

int netlink_add_neighbour(struct netlink *nl, const char *name, uint32_t address,
                          const uint8_t mac[6], bool for_good)
{
    struct request r;
    int index = 0, rc = index_of(nl, name, &index);

    if (rc != 0)
        return rc;
    begin(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
    struct ndmsg *nd = put_room(r.h, sizeof(*nd));

    nd->ndm_family = AF_INET;
    nd->ndm_ifindex = index;
    nd->ndm_state = for_good ? NUD_PERMANENT : NUD_REACHABLE;
    put_u32(r.h, NDA_DST, htonl(address));
    put(r.h, NDA_LLADDR, 6, mac);
    return ask(nl, &r);
}
