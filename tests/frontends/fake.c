/* SPDX-License-Identifier: MIT */
/* What a driver calls, for one that runs as an ordinary program. */
#include "fake.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <xen/errno.h>

#define NODES 48

unsigned passed, failed;
struct fake_grant grants[REFS];
u8 pages[PAGES][FRONT_PAGE_SIZE] __attribute__((aligned(4096)));
unsigned ports_open, step, fail_at;
bool fake_writable[PAGES];
void (*fake_state)(unsigned state);
void (*fake_event)(void);
void (*fake_sleep)(void);

static struct {
    char path[128], value[128];
} nodes[NODES];
static bool page_out[PAGES], granted[PAGES];
static char state_node[128];
static u64 now;

/* True when this fallible step is the one that is to fail. */
static bool fails(void)
{
    return ++step == fail_at;
}

char *fake_node(const char *path, bool make)
{
    for (int i = 0; i < NODES; i++) {
        if (!strcmp(nodes[i].path, path))
            return nodes[i].value;
        if (!nodes[i].path[0] && make) {
            strcpy(nodes[i].path, path);
            return nodes[i].value;
        }
    }
    return NULL;
}

unsigned fake_node_u(const char *path)
{
    const char *v = fake_node(path, false);

    return v ? (unsigned)atoi(v) : 0;
}

void *fake_shared(const char *path)
{
    return pages[grants[fake_node_u(path)].mfn];
}

void fake_reset(const char *front, const char *back)
{
    char path[128];

    memset(nodes, 0, sizeof(nodes));
    snprintf(path, sizeof(path), "%s/backend", front);
    strcpy(fake_node(path, true), back);
    snprintf(path, sizeof(path), "%s/backend-id", front);
    strcpy(fake_node(path, true), "0");
    snprintf(state_node, sizeof(state_node), "%s/state", front);
    memset(grants, 0, sizeof(grants));
    memset(granted, 0, sizeof(granted));
    memset(fake_writable, 0, sizeof(fake_writable));
    memset(page_out, 0, sizeof(page_out));
    ASAN_UNPOISON_MEMORY_REGION(pages, sizeof(pages));
    memset(pages, SECRET, sizeof(pages));
    ASAN_POISON_MEMORY_REGION(pages, sizeof(pages));
    ports_open = step = fail_at = 0;
}

unsigned fake_grants_active(void)
{
    unsigned n = 0;

    for (int i = 0; i < REFS; i++)
        n += grants[i].active;
    return n;
}

unsigned fake_pages_used(void)
{
    unsigned n = 0;

    for (int i = 0; i < PAGES; i++)
        n += page_out[i];
    return n;
}

void fake_nothing_left(const char *what)
{
    CHECK(what, fake_grants_active() == 0);
    CHECK(what, ports_open == 0);
    CHECK(what, fake_pages_used() == 0);
}

int front_xs_init(void)
{
    return fails() ? -XEN_ENXIO : 0;
}

int front_grant_init(void)
{
    return fails() ? -XEN_ENOMEM : 0;
}

int front_xs_read(const char *path, char *value, size_t size)
{
    const char *v = fake_node(path, false);

    if (fails())
        return -XEN_EIO;
    if (!v || !*v)
        return -XEN_ENOENT;
    snprintf(value, size, "%s", v);
    return 0;
}

int front_xs_read_u64(const char *path, u64 *value)
{
    char text[128];
    int rc = front_xs_read(path, text, sizeof(text));

    if (!rc)
        *value = strtoull(text, NULL, 10);
    return rc;
}

int front_xs_write(const char *path, const char *value)
{
    if (fails())
        return -XEN_EIO;
    strcpy(fake_node(path, true), value);
    if (!strcmp(path, state_node))
        fake_state((unsigned)atoi(value));
    return 0;
}

int front_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

int front_xs_printf(const char *path, const char *fmt, ...)
{
    char value[64];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    return front_xs_write(path, value);
}

int front_xs_wait_u64(const char *path, u64 low, u64 high, u64 timeout_ns)
{
    u64 value = 0;
    int rc = front_xs_read_u64(path, &value);

    if (rc)
        return rc;
    now += timeout_ns;
    return value >= low && value <= high ? 0 : -XEN_ETIMEDOUT;
}

int front_grant_access(domid_t to, u64 mfn, bool readonly)
{
    (void)to;
    CHECK("a page has one grant", !granted[mfn]);
    for (int i = 0; !fails() && i < REFS; i++) {
        if (!grants[i].active) {
            granted[mfn] = true;
            fake_writable[mfn] = !readonly;
            grants[i].active = true;
            grants[i].readonly = readonly;
            grants[i].mapped = false;
            grants[i].mfn = mfn;
            return i;
        }
    }
    return -XEN_ENOSPC;
}

int front_grant_end(int ref)
{
    if (grants[ref].mapped)
        return -XEN_EBUSY;
    CHECK("a grant is ended once", grants[ref].active);
    grants[ref].active = false;
    granted[grants[ref].mfn] = fake_writable[grants[ref].mfn] = false;
    return 0;
}

int front_evtchn_alloc(domid_t remote)
{
    (void)remote;
    if (fails())
        return -XEN_ENOSPC;
    return (int)(5 + ports_open++);
}

int front_evtchn_close(evtchn_port_t port)
{
    (void)port;
    ports_open--;
    return 0;
}

int front_evtchn_send(evtchn_port_t port)
{
    (void)port;
    fake_event();
    return 0;
}

void front_evtchn_unmask(evtchn_port_t port)
{
    (void)port;
}

void *front_port_page_get(void)
{
    for (int i = 0; !fails() && i < PAGES; i += 2) {
        if (!page_out[i]) {
            page_out[i] = true;
            ASAN_UNPOISON_MEMORY_REGION(pages[i], FRONT_PAGE_SIZE);
            return memset(pages[i], 0, FRONT_PAGE_SIZE);
        }
    }
    return NULL;
}

void front_port_page_put(void *page)
{
    size_t i = (size_t)((u8 *)page - pages[0]) / FRONT_PAGE_SIZE;

    CHECK("a page is given back once", page_out[i]);
    CHECK("a page given back is granted to nobody", !granted[i]);
    page_out[i] = false;
    memset(page, SECRET, FRONT_PAGE_SIZE);
    ASAN_POISON_MEMORY_REGION(page, FRONT_PAGE_SIZE);
}

u64 front_port_page_mfn(const void *page)
{
    size_t i = (size_t)((const u8 *)page - pages[0]) / FRONT_PAGE_SIZE;

    CHECK("only pages of the driver's own are granted", i < PAGES && page_out[i]);
    return i;
}

u64 front_port_now(void)
{
    return now;
}

void front_port_sleep(u64 deadline_ns)
{
    now = deadline_ns;
    if (fake_sleep)
        fake_sleep();
}

void front_irq_disable(void)
{
}

void front_irq_enable(void)
{
}
