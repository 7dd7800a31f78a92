/* SPDX-License-Identifier: MIT */
/* rtnetlink in short forms: see netlink.h. Owns no state: one request and its answer at a time. */
#include "netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 2048 };

struct request {
    struct nlmsghdr *h;
    char room[ROOM];
};

struct mnl_socket *netlink_open(struct diag *d)
{
    struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

    if (nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0)
        return nl;
    diag_errno(d, "the kernel takes no requests about interfaces (rtnetlink)");
    if (nl)
        mnl_socket_close(nl);
    return NULL;
}

void netlink_close(struct mnl_socket *nl)
{
    if (nl)
        mnl_socket_close(nl);
}

static struct nlmsghdr *begin(struct request *r, uint16_t type, uint16_t flags)
{
    static uint32_t sequence;

    r->h = mnl_nlmsg_put_header(r->room);
    r->h->nlmsg_type = type;
    r->h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    r->h->nlmsg_seq = ++sequence;
    return r->h;
}

static int ask(struct mnl_socket *nl, const struct request *r)
{
    char answer[8192];

    if (mnl_socket_sendto(nl, r->h, r->h->nlmsg_len) < 0)
        return -errno;
    ssize_t n = mnl_socket_recvfrom(nl, answer, sizeof(answer));

    if (n < 0)
        return -errno;
    return mnl_cb_run(answer, (size_t)n, r->h->nlmsg_seq, mnl_socket_get_portid(nl), NULL, NULL) < 0
               ? -errno
               : 0;
}

/* Another namespace's name is not ours to look up, so links are named, not numbered. */
static struct ifinfomsg *begin_link(struct request *r, uint16_t type, uint16_t flags,
                                    const char *name)
{
    begin(r, type, flags);
    struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(r->h, sizeof(*ifi));

    ifi->ifi_family = AF_UNSPEC;
    mnl_attr_put_strz(r->h, IFLA_IFNAME, name);
    return ifi;
}

/* What there is to know of an interface, asked of the handle's own namespace. */
static int look_up(struct mnl_socket *nl, const char *name, int *index, uint8_t mac[6])
{
    char answer[8192];
    struct request r;
    const struct nlattr *attr;

    begin_link(&r, RTM_GETLINK, 0, name);
    r.h->nlmsg_flags = NLM_F_REQUEST;
    if (mnl_socket_sendto(nl, r.h, r.h->nlmsg_len) < 0)
        return -errno;
    ssize_t n = mnl_socket_recvfrom(nl, answer, sizeof(answer));

    if (n < (ssize_t)sizeof(struct nlmsghdr))
        return n < 0 ? -errno : -EPROTO;
    const struct nlmsghdr *h = (const struct nlmsghdr *)answer;

    if (h->nlmsg_type == NLMSG_ERROR)
        return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);

    *index = ifi->ifi_index;
    mnl_attr_for_each(attr, h, sizeof(*ifi)) if (mac && mnl_attr_get_type(attr) == IFLA_ADDRESS &&
                                                 mnl_attr_get_payload_len(attr) == 6)
        memcpy(mac, mnl_attr_get_payload(attr), 6);
    return 0;
}

static int index_of(struct mnl_socket *nl, const char *name, int *index)
{
    return look_up(nl, name, index, NULL);
}

int netlink_mac(struct mnl_socket *nl, const char *name, uint8_t mac[6])
{
    int index;

    return look_up(nl, name, &index, mac);
}

int netlink_add_bridge(struct mnl_socket *nl, const char *name, const uint8_t mac[6],
                       const char *alias)
{
    struct request r;

    begin_link(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
    mnl_attr_put(r.h, IFLA_ADDRESS, 6, mac);
    struct nlattr *info = mnl_attr_nest_start(r.h, IFLA_LINKINFO);
    mnl_attr_put_strz(r.h, IFLA_INFO_KIND, "bridge");
    struct nlattr *data = mnl_attr_nest_start(r.h, IFLA_INFO_DATA);
    mnl_attr_put_u32(r.h, IFLA_BR_STP_STATE, 0);
    mnl_attr_put_u32(r.h, IFLA_BR_FORWARD_DELAY, 0);
    mnl_attr_nest_end(r.h, data);
    mnl_attr_nest_end(r.h, info);
    int rc = ask(nl, &r);

    if (rc != 0)
        return rc == -EEXIST ? 0 : rc;
    begin_link(&r, RTM_NEWLINK, 0, name);
    mnl_attr_put_strz(r.h, IFLA_IFALIAS, alias);
    return ask(nl, &r);
}

int netlink_add_veth(struct mnl_socket *nl, const char *name, const char *peer, int peer_ns,
                     const uint8_t peer_mac[6])
{
    struct request r;

    begin_link(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name);
    struct nlattr *info = mnl_attr_nest_start(r.h, IFLA_LINKINFO);
    mnl_attr_put_strz(r.h, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(r.h, IFLA_INFO_DATA);
    struct nlattr *end = mnl_attr_nest_start(r.h, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(r.h, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(r.h, IFLA_IFNAME, peer);
    mnl_attr_put_u32(r.h, IFLA_NET_NS_FD, (uint32_t)peer_ns);
    mnl_attr_put(r.h, IFLA_ADDRESS, 6, peer_mac);
    mnl_attr_nest_end(r.h, end);
    mnl_attr_nest_end(r.h, data);
    mnl_attr_nest_end(r.h, info);
    return ask(nl, &r);
}

int netlink_remove(struct mnl_socket *nl, const char *name)
{
    struct request r;

    begin_link(&r, RTM_DELLINK, 0, name);
    int rc = ask(nl, &r);

    return rc == -ENODEV ? 0 : rc;
}

int netlink_join(struct mnl_socket *nl, const char *name, const char *bridge)
{
    struct request r;
    int master = 0, rc = index_of(nl, bridge, &master);

    if (rc != 0)
        return rc;
    begin_link(&r, RTM_NEWLINK, 0, name);
    mnl_attr_put_u32(r.h, IFLA_MASTER, (uint32_t)master);
    return ask(nl, &r);
}

int netlink_isolate(struct mnl_socket *nl, const char *name)
{
    struct request r;
    int index = 0, rc = index_of(nl, name, &index);

    if (rc != 0)
        return rc;
    begin(&r, RTM_SETLINK, 0);
    struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(r.h, sizeof(*ifi));

    ifi->ifi_family = AF_BRIDGE;
    ifi->ifi_index = index;
    struct nlattr *port = mnl_attr_nest_start(r.h, IFLA_PROTINFO);
    mnl_attr_put_u8(r.h, IFLA_BRPORT_ISOLATED, 1);
    mnl_attr_nest_end(r.h, port);
    return ask(nl, &r);
}

int netlink_up(struct mnl_socket *nl, const char *name)
{
    struct request r;
    struct ifinfomsg *ifi = begin_link(&r, RTM_NEWLINK, 0, name);

    ifi->ifi_flags = ifi->ifi_change = IFF_UP;
    return ask(nl, &r);
}

static int change_address(struct mnl_socket *nl, bool add, const char *name, int family,
                          const void *address, size_t len, unsigned prefix, unsigned seconds)
{
    struct request r;
    int index = 0, rc = index_of(nl, name, &index);

    if (rc != 0)
        return rc;
    begin(&r, add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(r.h, sizeof(*ifa));

    ifa->ifa_family = (uint8_t)family;
    ifa->ifa_prefixlen = (uint8_t)prefix;
    ifa->ifa_index = (uint32_t)index;
    ifa->ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0;
    mnl_attr_put(r.h, IFA_LOCAL, len, address);
    mnl_attr_put(r.h, IFA_ADDRESS, len, address);
    if (seconds) {
        const struct ifa_cacheinfo life = {.ifa_prefered = seconds, .ifa_valid = seconds};

        mnl_attr_put(r.h, IFA_CACHEINFO, sizeof(life), &life);
    }
    rc = ask(nl, &r);
    return add && rc == -EEXIST ? 0 : rc;
}

int netlink_add_address(struct mnl_socket *nl, const char *name, uint32_t address, unsigned prefix)
{
    const uint32_t wire = htonl(address);

    return change_address(nl, true, name, AF_INET, &wire, sizeof(wire), prefix, 0);
}

int netlink_add_address6(struct mnl_socket *nl, const char *name, const uint8_t address[16],
                         unsigned prefix)
{
    return change_address(nl, true, name, AF_INET6, address, 16, prefix, 0);
}

int netlink_lend_address(struct mnl_socket *nl, const char *name, uint32_t address, unsigned prefix,
                         unsigned seconds)
{
    const uint32_t wire = htonl(address);

    return change_address(nl, true, name, AF_INET, &wire, sizeof(wire), prefix, seconds);
}

int netlink_remove_address(struct mnl_socket *nl, const char *name, uint32_t address,
                           unsigned prefix)
{
    const uint32_t wire = htonl(address);

    return change_address(nl, false, name, AF_INET, &wire, sizeof(wire), prefix, 0);
}

int netlink_add_route(struct mnl_socket *nl, const char *name, uint32_t to, unsigned prefix,
                      uint32_t via)
{
    struct request r;
    int index = 0, rc = index_of(nl, name, &index);

    if (rc != 0)
        return rc;
    begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *rt = mnl_nlmsg_put_extra_header(r.h, sizeof(*rt));

    rt->rtm_family = AF_INET;
    rt->rtm_dst_len = (uint8_t)prefix;
    rt->rtm_table = RT_TABLE_MAIN;
    rt->rtm_protocol = RTPROT_STATIC;
    rt->rtm_scope = via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    rt->rtm_type = RTN_UNICAST;
    if (prefix)
        mnl_attr_put_u32(r.h, RTA_DST, htonl(to));
    if (via)
        mnl_attr_put_u32(r.h, RTA_GATEWAY, htonl(via));
    mnl_attr_put_u32(r.h, RTA_OIF, (uint32_t)index);
    return ask(nl, &r);
}

int netlink_add_neighbour(struct mnl_socket *nl, const char *name, uint32_t address,
                          const uint8_t mac[6], bool for_good)
{
    struct request r;
    int index = 0, rc = index_of(nl, name, &index);

    if (rc != 0)
        return rc;
    begin(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
    struct ndmsg *nd = mnl_nlmsg_put_extra_header(r.h, sizeof(*nd));

    nd->ndm_family = AF_INET;
    nd->ndm_ifindex = index;
    nd->ndm_state = for_good ? NUD_PERMANENT : NUD_REACHABLE;
    mnl_attr_put_u32(r.h, NDA_DST, htonl(address));
    mnl_attr_put(r.h, NDA_LLADDR, 6, mac);
    return ask(nl, &r);
}
