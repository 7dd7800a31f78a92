/* SPDX-License-Identifier: MIT */
/*
 * web - serves the files of a tar archive on its disk over HTTP, on port 80. The guest's command
 * line is its address, "10.0.2.30/24,10.0.2.2"; without one it asks by DHCP.
 *
 * One loop: front_lwip_poll() calls back when a connection comes, when a request has arrived, and
 * when there is room for more of an answer. A connection asks for one file after another until it
 * is closed, or has asked for nothing in half a minute.
 */
#include <tenue-front/lwip.h>
#include <tenue-front/port.h>
#include <tenue-front/x86.h>

#include <lwip/tcp.h>

#define XVDA 51712
#define REQUEST_MAX 2048
#define HEAD_MAX 320
#define POLLS_A_SECOND 2 /* tcp_poll's interval of 1 is half a second */
#define PATIENCE (30 * POLLS_A_SECOND)

struct connection {
    struct tcp_pcb *pcb;
    const struct front_tar_file *file; /* being sent; NULL: a request is awaited */
    u64 sent;
    char request[REQUEST_MAX];
    unsigned got, idle;
    bool keep; /* for another request, after this answer */
};

static struct front_tar *site;
static u8 *page;
static u64 served;

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".css", "text/css"},
                                           {".js", "text/javascript"},
                                           {".txt", "text/plain; charset=utf-8"},
                                           {".json", "application/json"},
                                           {".svg", "image/svg+xml"},
                                           {".png", "image/png"},
                                           {".jpg", "image/jpeg"}};
    size_t len = strlen(name);

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(types); i++) {
        size_t end = strlen(types[i][0]);

        if (len >= end && !strcmp(name + len - end, types[i][0]))
            return types[i][1];
    }
    return "application/octet-stream";
}

static err_t end(struct connection *c)
{
    struct tcp_pcb *pcb = c->pcb;

    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    tcp_err(pcb, NULL);
    front_free(c);
    if (tcp_close(pcb) == ERR_OK)
        return ERR_OK;
    tcp_abort(pcb);
    return ERR_ABRT;
}

/* ---- answers ---- */

/* As much of the file as there is room for. False: the disk failed, the connection must end. */
static bool send_more(struct connection *c)
{
    while (c->file && tcp_sndbuf(c->pcb)) {
        u64 at = c->sent & ~FRONT_PAGE_MASK;
        int n = front_tar_read(site, c->file, at, page);
        u64 left = at + (u64)n - c->sent;

        if (n < 0)
            return false;
        if (left > tcp_sndbuf(c->pcb))
            left = tcp_sndbuf(c->pcb);
        if (tcp_write(c->pcb, page + (c->sent - at), (u16_t)left, TCP_WRITE_FLAG_COPY))
            break; /* no memory now: again when something has been acknowledged */
        c->sent += left;
        if (c->sent == c->file->size)
            c->file = NULL;
    }
    tcp_output(c->pcb);
    return true;
}

static bool say(struct connection *c, const char *status, const char *type, u64 length,
                const char *text)
{
    char all[HEAD_MAX];
    int n = front_snprintf(all, sizeof(all),
                           "HTTP/1.1 %s\r\nServer: tenue-front\r\nContent-Type: %s\r\n"
                           "Content-Length: %lu\r\nConnection: %s\r\n\r\n%s",
                           status, type, length, c->keep ? "keep-alive" : "close", text);

    return tcp_write(c->pcb, all, (u16_t)n, TCP_WRITE_FLAG_COPY) == ERR_OK;
}

static bool refuse(struct connection *c, const char *status)
{
    c->keep = false;
    return say(c, status, "text/plain", strlen(status), status);
}

/* Names are compared, not walked: nothing but the archive's own files can be reached. */
static const struct front_tar_file *find(const char *path)
{
    const struct front_tar_file *f = front_tar_find(site, path);
    char name[300];

    if (f || front_snprintf(name, sizeof(name), "%s%sindex.html", path,
                            *path && path[strlen(path) - 1] != '/' ? "/" : "") >= (int)sizeof(name))
        return f;
    return front_tar_find(site, name);
}

static bool has_header(const char *request, const char *line)
{
    for (size_t len = strlen(line); *request; request++) {
        size_t i = 0;

        while (request[0] == '\n' && i < len && (request[1 + i] | 0x20) == (line[i] | 0x20))
            i++;
        if (i == len)
            return true;
    }
    return false;
}

/* c->request is one whole request, its end replaced by a NUL. False: the connection must end. */
static bool answer(struct connection *c)
{
    bool head = !strncmp(c->request, "HEAD ", 5);
    char *path = c->request + (head ? 5 : 4), *stop = path;
    const struct front_tar_file *f;

    while (*stop && *stop != ' ' && *stop != '?' && *stop != '\r')
        stop++;
    c->keep = !strncmp(stop, " HTTP/1.1", 9) && !has_header(stop, "connection: close");
    served++;
    if (!head && strncmp(c->request, "GET ", 4))
        return refuse(c, "405 Method Not Allowed");
    if (*path != '/')
        return refuse(c, "400 Bad Request");
    *stop = '\0';
    f = find(path + 1);
    if (!f)
        return refuse(c, "404 Not Found");
    if (!say(c, "200 OK", type_of(f->name), f->size, ""))
        return false;
    c->file = head || !f->size ? NULL : f;
    c->sent = 0;
    return send_more(c);
}

/* ---- connections ---- */

/* Requests that have arrived whole, one after the other, as far as their answers have gone out. */
static err_t go_on(struct connection *c)
{
    while (!c->file && tcp_sndbuf(c->pcb) >= HEAD_MAX) {
        unsigned n = 0;

        while (n + 4 <= c->got && memcmp(c->request + n, "\r\n\r\n", 4))
            n++;
        if (n + 4 > c->got) {
            tcp_output(c->pcb);
            if (c->got < REQUEST_MAX)
                return ERR_OK;
            refuse(c, "431 Request Header Fields Too Large");
            return end(c);
        }
        c->request[n] = '\0';
        c->idle = 0;
        if (!answer(c) || (!c->keep && !c->file))
            return end(c);
        memmove(c->request, c->request + n + 4, c->got - n - 4);
        c->got -= n + 4;
    }
    return ERR_OK;
}

static err_t received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct connection *c = arg;

    (void)err;
    if (!p)
        return end(c);
    tcp_recved(pcb, p->tot_len);
    c->got += pbuf_copy_partial(p, c->request + c->got, (u16_t)(REQUEST_MAX - c->got), 0);
    pbuf_free(p);
    return go_on(c);
}

static err_t acknowledged(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    struct connection *c = arg;

    (void)pcb;
    (void)len;
    c->idle = 0;
    if (c->file && !send_more(c))
        return end(c);
    if (!c->file && !c->keep && c->sent)
        return end(c);
    return c->file ? ERR_OK : go_on(c);
}

static err_t half_a_second(void *arg, struct tcp_pcb *pcb)
{
    struct connection *c = arg;

    (void)pcb;
    return ++c->idle > PATIENCE ? end(c) : ERR_OK;
}

static void lost(void *arg, err_t err)
{
    (void)err;
    front_free(arg);
}

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
    struct connection *c = pcb ? front_calloc(1, sizeof(*c)) : NULL;

    (void)arg;
    if (err || !c)
        return ERR_MEM;
    c->pcb = pcb;
    tcp_arg(pcb, c);
    tcp_recv(pcb, received);
    tcp_sent(pcb, acknowledged);
    tcp_poll(pcb, half_a_second, 1);
    tcp_err(pcb, lost);
    return ERR_OK;
}

static struct netif *listen(struct front_net *net)
{
    struct netif *netif;
    struct tcp_pcb *pcb;
    int rc = front_lwip_open(net, (const char *)front_si->cmd_line, &netif);

    if (rc)
        front_panic("the address \"%s\" is refused: %d", (const char *)front_si->cmd_line, rc);
    pcb = tcp_new();
    if (!pcb || tcp_bind(pcb, IP_ADDR_ANY, 80) || !(pcb = tcp_listen(pcb)))
        front_panic("nothing can listen on port 80");
    tcp_accept(pcb, accepted);
    return netif;
}

void front_main(void)
{
    struct front_blk *disk;
    struct front_net *net;
    struct netif *netif;
    enum front_power wanted;
    bool told = false;
    int rc;

    front_irq_enable();
    page = front_page_alloc();
    rc = front_blk_open(XVDA, &disk);
    if (rc || (rc = front_tar_open(disk, &site)))
        front_panic("xvda: no disk, or no tar archive: %d", rc);
    rc = front_net_open(0, &net);
    if (rc)
        front_panic("the first network interface does not open: %d", rc);
    netif = listen(net);
    front_power_init();
    while ((wanted = front_power_wanted()) == FRONT_POWER_NONE || wanted == FRONT_POWER_SUSPEND) {
        if (wanted == FRONT_POWER_SUSPEND)
            front_suspend();
        rc = front_lwip_poll(netif, front_port_now() + 1000000000UL);
        if (rc)
            front_panic("the network interface is broken: %d, after %lu requests", rc, served);
        if (!told && front_lwip_ready(netif))
            front_printf("web: http://%s/\n", ip4addr_ntoa(netif_ip4_addr(netif)));
        told |= front_lwip_ready(netif);
    }
    front_lwip_close(netif);
    front_net_close(net);
    front_blk_close(disk);
    front_printf("web: %lu requests served\n", served);
    front_console_drain();
}
