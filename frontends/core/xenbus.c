/* SPDX-License-Identifier: MIT */
/*
 * The store, as a client on the ring page: one request at a time, each answered before the next.
 * Owns the ring and its port. The store is trusted with the contents of an answer but not with
 * the ring's indices: an index that cannot be is -XEN_EIO and the connection is not used again.
 *
 * Watches say that something below a path may have changed, and not what: their events set a flag
 * each, whenever the ring is read, and coalesce there, so that no store can make them pile up.
 */
#include <tenue-front/front.h>
#include <tenue-front/port.h>
#include <xen/errno.h>
#include <xen/io/xs_wire.h>

#define ANSWER_TIMEOUT_NS 10000000000UL
#define POLL_NS 5000000UL
#define NR_WATCHES 16

static struct xenstore_domain_interface *ring;
static evtchn_port_t ring_port;
static u32 last_id;
static bool broken;
static struct {
    bool used, fired;
} watches[NR_WATCHES];
static char event[XENSTORE_PAYLOAD_MAX + 1];

int front_xs_init(void)
{
    if (ring)
        return 0;
    if (!front_si->store_mfn)
        return -XEN_ENXIO;
    ring = front_port_map(front_si->store_mfn);
    if (!ring)
        return -XEN_ENOMEM;
    ring_port = front_si->store_evtchn;
    front_evtchn_unmask(ring_port);
    return 0;
}

/* Sleep until the ring's other end moved the index away from `seen`, or the time is over. */
static int wait_index(const XENSTORE_RING_IDX *index, XENSTORE_RING_IDX seen, u64 end)
{
    for (;;) {
        front_irq_disable();
        if (READ_ONCE(*index) != seen) {
            front_irq_enable();
            return 0;
        }
        if (front_port_now() >= end) {
            front_irq_enable();
            return -XEN_ETIMEDOUT;
        }
        front_port_sleep(end);
    }
}

static int transfer_error(int rc)
{
    broken = true;
    return rc;
}

static int put(const void *data, size_t len, u64 end)
{
    const char *p = data;

    while (len) {
        XENSTORE_RING_IDX cons = READ_ONCE(ring->req_cons), prod = ring->req_prod;

        if ((u32)(prod - cons) > XENSTORE_RING_SIZE)
            return transfer_error(-XEN_EIO);
        if ((u32)(prod - cons) == XENSTORE_RING_SIZE) {
            int rc;

            front_evtchn_send(ring_port);
            rc = wait_index(&ring->req_cons, cons, end);
            if (rc)
                return transfer_error(rc);
            continue;
        }
        front_mb(); /* the room was seen before it is filled */
        ring->req[MASK_XENSTORE_IDX(prod)] = *p++;
        len--;
        front_wmb();
        WRITE_ONCE(ring->req_prod, prod + 1);
    }
    return 0;
}

/* `data` NULL: read and forget. */
static int get(void *data, size_t len, u64 end)
{
    char *p = data;

    while (len) {
        XENSTORE_RING_IDX cons = ring->rsp_cons, prod = READ_ONCE(ring->rsp_prod);

        if ((u32)(prod - cons) > XENSTORE_RING_SIZE)
            return transfer_error(-XEN_EIO);
        if (prod == cons) {
            int rc = wait_index(&ring->rsp_prod, prod, end);

            if (rc)
                return transfer_error(rc);
            continue;
        }
        front_rmb();
        if (p)
            *p++ = ring->rsp[MASK_XENSTORE_IDX(cons)];
        len--;
        front_mb();
        WRITE_ONCE(ring->rsp_cons, cons + 1);
        if (!len || (cons + 1) % (XENSTORE_RING_SIZE / 2) == 0)
            front_evtchn_send(ring_port);
    }
    return 0;
}

static int error_number(const char *name)
{
    static const struct {
        const char *name;
        int error;
    } names[] = {{"ENOENT", XEN_ENOENT}, {"EACCES", XEN_EACCES}, {"EINVAL", XEN_EINVAL},
                 {"EEXIST", XEN_EEXIST}, {"EAGAIN", XEN_EAGAIN}, {"EQUOTA", XEN_ENOSPC},
                 {"ENOSPC", XEN_ENOSPC}, {"ENOMEM", XEN_ENOMEM}, {"ENOSYS", XEN_ENOSYS}};

    for (unsigned i = 0; i < FRONT_ARRAY_SIZE(names); i++) {
        if (!strcmp(name, names[i].name))
            return -names[i].error;
    }
    return -XEN_EIO;
}

/* Tokens are "w<number>"; others are of watches long gone, or made up. */
static void mark(size_t len)
{
    const char *token = event + strlen(event) + 1;
    unsigned n = 0;

    event[len] = '\0';
    if (token >= event + len || *token++ != 'w' || !*token)
        return;
    for (; *token >= '0' && *token <= '9' && n < NR_WATCHES; token++)
        n = n * 10 + (unsigned)(*token - '0');
    if (!*token && n < NR_WATCHES)
        watches[n].fired = true;
}

/* What follows a head that is not waited for. */
static int pass_over(const struct xsd_sockmsg *head, u64 end)
{
    int rc;

    if (head->type != XS_WATCH_EVENT)
        return get(NULL, head->len, end);
    memset(event, 0, sizeof(event));
    rc = get(event, head->len, end);
    if (!rc)
        mark(head->len);
    return rc;
}

/* The answer to request `id`; longer than `size` is cut, the text is always terminated. */
static int answer(u32 id, char *out, size_t size, u64 end)
{
    struct xsd_sockmsg head;
    size_t keep;
    int rc;

    for (;;) {
        rc = get(&head, sizeof(head), end);
        if (rc)
            return rc;
        if (head.len > XENSTORE_PAYLOAD_MAX)
            return transfer_error(-XEN_EIO);
        if (head.type != XS_WATCH_EVENT && head.req_id == id)
            break;
        rc = pass_over(&head, end);
        if (rc)
            return rc;
    }
    keep = head.len < size ? head.len : size - 1;
    rc = get(out, keep, end);
    if (!rc)
        rc = get(NULL, head.len - keep, end);
    out[keep] = '\0';
    if (rc)
        return rc;
    return head.type == XS_ERROR ? error_number(out) : 0;
}

static int request(u32 type, const char *path, const char *value, char *out, size_t size)
{
    u64 end = front_port_now() + ANSWER_TIMEOUT_NS;
    /* A token ends with a NUL, a value does not. */
    bool token = type == XS_WATCH || type == XS_UNWATCH;
    size_t path_len = strlen(path) + 1, value_len = value ? strlen(value) + token : 0;
    struct xsd_sockmsg head = {
        .type = type, .req_id = ++last_id, .len = (u32)(path_len + value_len)};
    int rc;

    if (!ring || broken)
        return -XEN_EIO;
    if (head.len > XENSTORE_PAYLOAD_MAX)
        return -XEN_E2BIG;
    rc = put(&head, sizeof(head), end);
    if (!rc)
        rc = put(path, path_len, end);
    if (!rc)
        rc = put(value, value_len, end);
    if (rc)
        return rc;
    front_evtchn_send(ring_port);
    return answer(head.req_id, out, size, end);
}

int front_xs_read(const char *path, char *value, size_t size)
{
    return request(XS_READ, path, NULL, value, size);
}

int front_xs_write(const char *path, const char *value)
{
    char ok[8];

    return request(XS_WRITE, path, value, ok, sizeof(ok));
}

int front_xs_printf(const char *path, const char *fmt, ...)
{
    char value[256];
    va_list ap;

    va_start(ap, fmt);
    front_vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    return front_xs_write(path, value);
}

int front_xs_read_u64(const char *path, u64 *value)
{
    char text[24];
    int rc = front_xs_read(path, text, sizeof(text));

    if (rc)
        return rc;
    if (!text[0])
        return -XEN_EINVAL;
    *value = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9' || __builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (u64)(*p - '0'), value))
            return -XEN_EINVAL;
    }
    return 0;
}

int front_xs_wait_u64(const char *path, u64 low, u64 high, u64 timeout_ns)
{
    u64 end = front_port_now() + timeout_ns, value;

    for (;;) {
        int rc = front_xs_read_u64(path, &value);

        if (!rc && value >= low && value <= high)
            return 0;
        if (rc && rc != -XEN_ENOENT)
            return rc;
        if (front_port_now() >= end)
            return -XEN_ETIMEDOUT;
        front_irq_disable();
        front_port_sleep(front_port_now() + POLL_NS);
    }
}

/* ---- watches ---- */

int front_xs_watch(const char *path)
{
    char token[8], ok[8];
    int i = 0, rc;

    while (i < NR_WATCHES && watches[i].used)
        i++;
    if (i == NR_WATCHES)
        return -XEN_ENOSPC;
    front_snprintf(token, sizeof(token), "w%d", i);
    watches[i].fired = false;
    rc = request(XS_WATCH, path, token, ok, sizeof(ok));
    watches[i].used = !rc;
    return rc ? rc : i;
}

int front_xs_unwatch(const char *path, int watch)
{
    char token[8], ok[8];
    int rc;

    front_snprintf(token, sizeof(token), "w%d", watch);
    rc = request(XS_UNWATCH, path, token, ok, sizeof(ok));
    if (!rc)
        watches[watch].used = false;
    return rc;
}

bool front_xs_fired(int watch)
{
    u64 end = front_port_now() + ANSWER_TIMEOUT_NS;
    struct xsd_sockmsg head;
    bool fired;

    while (ring && !broken && READ_ONCE(ring->rsp_prod) != ring->rsp_cons) {
        if (get(&head, sizeof(head), end))
            break;
        if (head.len > XENSTORE_PAYLOAD_MAX) {
            transfer_error(-XEN_EIO);
            break;
        }
        if (pass_over(&head, end))
            break;
    }
    fired = watches[watch].fired;
    watches[watch].fired = false;
    return fired;
}
