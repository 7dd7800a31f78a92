/* SPDX-License-Identifier: MIT */
/*
 * Between lwIP and netfront: frames one way and the other, time, and sleep. Frames that the
 * backend vouches for, or whose checksum is still blank (they come from a neighbour on this
 * machine), are not added up; the header of IP always is.
 */
#include <tenue-front/lwip.h>
#include <tenue-front/port.h>

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>
#include <xen/errno.h>

#define FRAME_MAX 65535 /* as much as a pbuf can say */
#define FRAMES_A_ROUND 64

static u8 frame[FRAME_MAX]; /* one at a time, within one call */
static struct netif netifs[4];

u32_t sys_now(void)
{
    return (u32_t)(front_port_now() / 1000000);
}

/* Guessable by who knows when the guest started and what it did: fit for telling transactions
 * apart, unfit for secrets. */
u32 front_lwip_random(void)
{
    static u64 state;

    state += front_port_now() + 0x9e3779b97f4a7c15UL;
    state ^= state >> 29;
    state *= 0xbf58476d1ce4e5b9UL;
    return (u32)(state >> 32);
}

static err_t send(struct netif *netif, struct pbuf *p)
{
    int rc;

    if (pbuf_copy_partial(p, frame, p->tot_len, 0) != p->tot_len)
        return ERR_BUF;
    rc = front_net_send(netif->state, frame, p->tot_len, 0);
    if (rc == -XEN_EAGAIN)
        return ERR_MEM; /* lwIP keeps the segment, and comes back */
    return rc ? ERR_IF : ERR_OK;
}

static err_t set_up(struct netif *netif)
{
    netif->name[0] = 'x';
    netif->name[1] = 'n';
    netif->hostname = "tenue-front";
    netif->mtu = (u16_t)front_net_mtu(netif->state);
    netif->hwaddr_len = 6;
    memcpy(netif->hwaddr, front_net_mac(netif->state), 6);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = etharp_output;
    netif->linkoutput = send;
    return ERR_OK;
}

/* "1.2.3.4/24,1.2.3.1" in its parts. */
static int parse(const char *text, ip4_addr_t *address, ip4_addr_t *mask, ip4_addr_t *gateway)
{
    char part[3][16] = {"", "", ""};
    unsigned which = 0, at = 0, bits = 0;

    for (; *text; text++) {
        if (*text == (which ? ',' : '/') && which < 2) {
            which++;
            at = 0;
        } else if (at + 1 < sizeof(part[0])) {
            part[which][at++] = *text;
        } else {
            return -XEN_EINVAL;
        }
    }
    for (const char *p = part[1]; *p; p++) {
        if (*p < '0' || *p > '9' || bits > 32)
            return -XEN_EINVAL;
        bits = bits * 10 + (unsigned)(*p - '0');
    }
    if (!part[1][0] || bits < 1 || bits > 32 || !ip4addr_aton(part[0], address) ||
        (which == 2 && !ip4addr_aton(part[2], gateway)))
        return -XEN_EINVAL;
    ip4_addr_set_u32(mask, lwip_htonl(~0U << (32 - bits)));
    return 0;
}

static struct netif *free_netif(void)
{
    for (unsigned i = 0; i < LWIP_ARRAYSIZE(netifs); i++) {
        if (!netifs[i].state)
            return &netifs[i];
    }
    return NULL;
}

int front_lwip_open(struct front_net *net, const char *address, struct netif **netif)
{
    static bool initialised;
    ip4_addr_t own = {0}, mask = {0}, gateway = {0};
    struct netif *n = free_netif();
    bool dhcp = !address || !*address;

    if (!n)
        return -XEN_ENOSPC;
    if (!dhcp && parse(address, &own, &mask, &gateway))
        return -XEN_EINVAL;
    if (!initialised)
        lwip_init();
    initialised = true;
    if (!netif_add(n, &own, &mask, &gateway, net, set_up, ethernet_input)) {
        n->state = NULL;
        return -XEN_ENOMEM;
    }
    netif_set_default(n);
    netif_set_link_up(n);
    netif_set_up(n);
    if (dhcp && dhcp_start(n) != ERR_OK) {
        front_lwip_close(n);
        return -XEN_ENOMEM;
    }
    *netif = n;
    return 0;
}

bool front_lwip_ready(const struct netif *netif)
{
    return netif_is_up(netif) && !ip4_addr_isany(netif_ip4_addr(netif));
}

static void take(struct netif *netif, unsigned len, unsigned flags)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)len, PBUF_POOL);
    u16_t checks = NETIF_CHECKSUM_ENABLE_ALL;

    if (!p)
        return; /* as if the network had lost it */
    pbuf_take(p, frame, (u16_t)len);
    if (flags & (FRONT_NET_CSUM_BLANK | FRONT_NET_CSUM_GOOD))
        checks &= (u16_t) ~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP);
    NETIF_SET_CHECKSUM_CTRL(netif, checks);
    if (netif->input(p, netif) != ERR_OK)
        pbuf_free(p);
}

int front_lwip_poll(struct netif *netif, u64 deadline_ns)
{
    u32_t sleep_ms;
    u64 next;

    for (unsigned i = 0; i < FRAMES_A_ROUND; i++) {
        unsigned flags = 0;
        int len = front_net_receive(netif->state, frame, sizeof(frame), &flags);

        if (len < 0)
            return len;
        if (!len)
            break;
        take(netif, (unsigned)len, flags);
    }
    sys_check_timeouts();
    sleep_ms = sys_timeouts_sleeptime();
    if (sleep_ms != SYS_TIMEOUTS_SLEEPTIME_INFINITE) {
        next = front_port_now() + sleep_ms * 1000000UL;
        deadline_ns = next < deadline_ns ? next : deadline_ns;
    }
    return front_net_wait(netif->state, deadline_ns) == -XEN_EIO ? -XEN_EIO : 0;
}

void front_lwip_close(struct netif *netif)
{
    dhcp_stop(netif);
    dhcp_cleanup(netif);
    netif_remove(netif);
    netif->state = NULL;
}
