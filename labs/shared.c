/* SPDX-License-Identifier: MIT */
/*
 * The slow memory of shared.h: stores that wait, a copy of a ring's contents as the last read
 * barrier found them, and the peer's turns. One processor; not for handlers of events, which have
 * their own order with whom they interrupt.
 */
#include <shared.h>

#define STORES 4096

struct store {
    volatile u8 *at;
    u32 size;
    u64 value;
};
static struct store stores[STORES];
static unsigned nr_stores;

static const u8 *slow_start;
static size_t slow_size;
static u8 slow_copy[FRONT_PAGE_SIZE];

void (*lab_turn)(void);
unsigned lab_accesses;

static void turn(void)
{
    static bool running;

    if (!lab_turn || running)
        return;
    running = true;
    lab_turn();
    running = false;
}

static void put(volatile void *at, size_t size, u64 value)
{
    switch (size) {
    case 1:
        *(volatile u8 *)at = (u8)value;
        break;
    case 2:
        *(volatile u16 *)at = (u16)value;
        break;
    case 4:
        *(volatile u32 *)at = (u32)value;
        break;
    case 8:
        *(volatile u64 *)at = value;
        break;
    default:
        front_panic("a shared access of %lu bytes", size);
    }
}

static u64 get(const volatile void *at, size_t size)
{
    switch (size) {
    case 1:
        return *(const volatile u8 *)at;
    case 2:
        return *(const volatile u16 *)at;
    case 4:
        return *(const volatile u32 *)at;
    case 8:
        return *(const volatile u64 *)at;
    default:
        front_panic("a shared access of %lu bytes", size);
    }
}

void shared_wmb(void)
{
    while (nr_stores) {
        const struct store *s = &stores[--nr_stores];

        put(s->at, s->size, s->value);
        turn();
    }
}

void shared_rmb(void)
{
    memcpy(slow_copy, slow_start, slow_size);
}

void shared_mb(void)
{
    shared_wmb();
    shared_rmb();
}

/* The waiting store to exactly this place. One that only overlaps is let out first. */
static struct store *waiting(const volatile u8 *at, size_t size)
{
    for (unsigned i = nr_stores; i-- > 0;) {
        struct store *s = &stores[i];

        if (s->at == at && s->size == size)
            return s;
        if (s->at < at + size && at < s->at + s->size) {
            shared_wmb();
            return NULL;
        }
    }
    return NULL;
}

u64 lab_shared_read(const volatile void *at, size_t size)
{
    const volatile u8 *from = at;
    const struct store *own = waiting(from, size);
    u64 value;

    lab_accesses++;
    if (own)
        value = own->value;
    else if (from >= slow_start && from + size <= slow_start + slow_size)
        value = get(slow_copy + (from - slow_start), size);
    else
        value = get(from, size);
    turn();
    return value;
}

void lab_shared_write(volatile void *at, size_t size, u64 value)
{
    struct store *own = waiting(at, size);

    lab_accesses++;
    if (own) {
        own->value = value;
        return;
    }
    if (nr_stores == STORES)
        shared_wmb();
    stores[nr_stores++] = (struct store){.at = at, .size = (u32)size, .value = value};
}

u64 lab_shared_cmpxchg(volatile void *at, size_t size, u64 was, u64 becomes)
{
    u64 found;

    lab_accesses++;
    shared_mb();
    found = get(at, size);
    if (found == was)
        put(at, size, becomes);
    turn();
    return found;
}

int shared_notify(evtchn_port_t port)
{
    shared_mb();
    return front_evtchn_send(port);
}

void lab_slow_loads(const void *start, size_t size)
{
    slow_start = start;
    slow_size = size;
    shared_rmb();
}

evtchn_port_t lab_loopback(void (*kicked)(evtchn_port_t port, void *opaque))
{
    evtchn_port_t far = (evtchn_port_t)front_evtchn_alloc(DOMID_SELF);
    evtchn_port_t near = (evtchn_port_t)front_evtchn_connect(DOMID_SELF, far);

    front_evtchn_take(far);
    front_evtchn_handle(far, kicked, NULL);
    front_evtchn_unmask(far);
    front_irq_enable();
    return near;
}
