/* SPDX-License-Identifier: MIT */
/*
 * Tenue guest SDK: the public header. A freestanding x86-64 PV guest supplies front_main() and
 * links libtenue-front.a; the SDK has by then set up traps, events, console and shared memory.
 *
 * Errors: 0 or -XEN_E*; functions that return a port or grant reference return it as a
 * non-negative int. Nothing here allocates behind the caller's back except pages, from the pool
 * that port.h describes.
 */
#ifndef TENUE_FRONT_FRONT_H
#define TENUE_FRONT_FRONT_H

#include <tenue-front/hypercall.h>
#include <tenue-front/types.h>
#include <tenue-front/version.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

/* ---- supplied by the guest ---- */

void front_main(void);
/* Optional: runs before the SDK has made a single hypercall. */
void front_early(void);
/* Optional: called when a trap nobody wanted, or front_panic(), ends the guest. */
void front_dying(const char *why);

/* ---- state handed over by the builder ---- */

extern const start_info_t *front_si;
extern shared_info_t *front_shared;
static inline bool front_is_initdomain(void)
{
    return front_si->flags & SIF_INITDOMAIN;
}
vcpu_info_t *front_vcpu_info(unsigned vcpu);
void front_vcpu_info_moved(unsigned vcpu, vcpu_info_t *to);

/* ---- text ---- */

int front_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int front_snprintf(char *buf, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Control domain: console_io. Any other: the console ring, once front_console_init() mapped it. */
int front_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void front_console_init(void);
void front_console_write(const char *text, size_t len);
/* What was typed, up to `size` bytes; 0 when there is nothing. */
size_t front_console_read(char *buf, size_t size);
void front_console_drain(void); /* wait, at most a second, until the ring was read */
void front_panic(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

void *memset(void *dst, int c, size_t n);
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* ---- heap ---- */

/* Aligned to 16 bytes; NULL when the domain has no more memory. Pages for devices are not from
 * here (front_page_alloc() in x86.h). */
void *front_malloc(size_t bytes);
void *front_calloc(size_t count, size_t bytes);
void front_free(void *p);
u64 front_heap_used(void);

/* ---- events ---- */

typedef void (*front_evtchn_fn)(evtchn_port_t port, void *opaque);

void front_evtchn_init(void);
void front_evtchn_upcall(void); /* from the event callback */
int front_evtchn_bind_virq(unsigned virq, unsigned vcpu);
int front_evtchn_bind_ipi(unsigned vcpu);
int front_evtchn_alloc(domid_t remote);
int front_evtchn_connect(domid_t remote, evtchn_port_t remote_port);
int front_evtchn_send(evtchn_port_t port);
int front_evtchn_close(evtchn_port_t port); /* returns when no handler of it runs any more */
int front_evtchn_status(evtchn_port_t port, evtchn_status_t *status);
void front_evtchn_handle(evtchn_port_t port, front_evtchn_fn fn, void *opaque);
void front_evtchn_mask(evtchn_port_t port);
void front_evtchn_unmask(evtchn_port_t port);
bool front_evtchn_pending(evtchn_port_t port);
bool front_evtchn_take(evtchn_port_t port); /* was pending; clears it */
void front_irq_disable(void);
void front_irq_enable(void); /* delivers what is waiting before it returns */
bool front_irq_enabled(void);

/* ---- vCPUs that share something ---- */

/* Not served in the order of arrival: the next in line may not be running, and all would wait for
 * it. Who waits gives its processor away, as the holder may need it. Not for handlers of events,
 * which would wait for whom they interrupted, unless the lock is always held with events off. */
struct front_lock {
    u32 held;
};
static inline void front_lock(struct front_lock *lock)
{
    while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE)) {
        while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
            hc_sched_op(SCHEDOP_yield, 0);
    }
}
static inline void front_unlock(struct front_lock *lock)
{
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/* ---- grants ---- */

int front_grant_init(void); /* maps the first frame of the table */
int front_grant_access(domid_t to, u64 mfn, bool readonly);
int front_grant_end(int ref); /* -XEN_EBUSY while the other side still maps it */
grant_entry_v1_t *front_grant_entry(int ref);

/* ---- time ---- */

u64 front_time_ns(void); /* since the hypervisor started, never backwards on one vCPU */
int front_timer_at(u64 deadline_ns);
bool front_wait(volatile u64 *counter, u64 until, u64 timeout_ns);

/* ---- store (xenbus) ---- */

int front_xs_init(void);
int front_xs_read(const char *path, char *value, size_t size);
int front_xs_write(const char *path, const char *value);
int front_xs_printf(const char *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int front_xs_read_u64(const char *path, u64 *value);
/* Poll a path until it reads a number in [low, high] or the time is over. */
int front_xs_wait_u64(const char *path, u64 low, u64 high, u64 timeout_ns);
/* A watch, by its number: something at or below the path may have changed since it was last asked.
 * It has fired once as soon as it is made. Its events also end front_port_sleep(). */
int front_xs_watch(const char *path);
bool front_xs_fired(int watch);
int front_xs_unwatch(const char *path, int watch);

/* ---- power: what the toolstack asks of the guest ---- */

enum front_power {
    FRONT_POWER_NONE,
    FRONT_POWER_OFF,
    FRONT_POWER_REBOOT,
    FRONT_POWER_SUSPEND,
    FRONT_POWER_OTHER /* something newer than this library */
};
int front_power_init(void); /* tells the toolstack which of them it may ask for */
/* Asked each time round a guest's loop; each request is given once. To obey is the guest's part:
 * front_shutdown(SHUTDOWN_poweroff), when its disks are closed. */
enum front_power front_power_wanted(void);

/* ---- block device ---- */

struct front_blk;
int front_blk_open(unsigned vdev, struct front_blk **blk);
u64 front_blk_sectors(const struct front_blk *blk);
/* One after the other, of at most a page: these wait for the answer. */
int front_blk_read(struct front_blk *blk, u64 sector, void *page, unsigned sectors);
int front_blk_write(struct front_blk *blk, u64 sector, void *page, unsigned sectors);
/* -XEN_EOPNOTSUPP where the disk has no such thing. */
int front_blk_flush(struct front_blk *blk);
int front_blk_discard(struct front_blk *blk, u64 sector, u64 sectors);
int front_blk_close(struct front_blk *blk); /* what is out fails first */

/* Several at once, of up to front_blk_max_sectors(). The request and its data are the driver's from
 * submit until `result` is no longer FRONT_BLK_PENDING; `done`, which may be NULL, is called then,
 * from poll, from the functions that wait, or from close, and may submit again. No order is kept
 * among requests: who needs one waits, or flushes. */
#define FRONT_BLK_PENDING 1
enum front_blk_op { FRONT_BLK_READ, FRONT_BLK_WRITE, FRONT_BLK_FLUSH, FRONT_BLK_DISCARD };
struct front_blk_io {
    enum front_blk_op op;
    u64 sector, sectors;
    void *data;
    void (*done)(struct front_blk_io *io);
    void *opaque; /* the caller's */
    int result;
};
u64 front_blk_max_sectors(const struct front_blk *blk);
int front_blk_submit(struct front_blk *blk, struct front_blk_io *io); /* -XEN_EAGAIN: too many */
int front_blk_poll(struct front_blk *blk); /* how many have ended; negative: the device is broken */
int front_blk_wait(struct front_blk *blk, u64 deadline_ns); /* the same, or -XEN_ETIMEDOUT */

/* ---- files: a tar archive on a disk, read only ---- */

struct front_tar;
struct front_tar_file {
    const char *name; /* "index.html", "img/logo.png": without what leads to the archive's top */
    u64 sector, size;
    const struct front_tar_file *next;
};
int front_tar_open(struct front_blk *blk, struct front_tar **tar);
const struct front_tar_file *front_tar_files(const struct front_tar *tar);
/* The last file of that name, as tar itself would leave it. */
const struct front_tar_file *front_tar_find(const struct front_tar *tar, const char *name);
/* The bytes from `offset` (a multiple of a page) on, at most a page: how many; 0 at the end. */
int front_tar_read(struct front_tar *tar, const struct front_tar_file *file, u64 offset,
                   void *page);
void front_tar_close(struct front_tar *tar);

/* ---- network interface ---- */

struct front_net;
struct front_net_stats {
    u64 tx_frames, tx_refused; /* by the backend */
    u64 rx_frames, rx_dropped; /* those that cannot be, or are longer than the reader's buffer */
};
/* Of a frame: its checksum is still to be filled in, only that of the pseudo header is there; or
 * the other end vouches for the contents, which therefore need no check. */
#define FRONT_NET_CSUM_BLANK 1u
#define FRONT_NET_CSUM_GOOD 2u
int front_net_open(unsigned index, struct front_net **net);
const u8 *front_net_mac(const struct front_net *net);
unsigned front_net_mtu(const struct front_net *net);
struct front_net_stats front_net_stats(const struct front_net *net);
/* Frames from the Ethernet header on, without a trailing checksum. -XEN_EAGAIN: the ring is full.
 */
int front_net_send(struct front_net *net, const void *frame, unsigned len, unsigned flags);
/* The length of the next frame, 0 when there is none. `flags` may be NULL. */
int front_net_receive(struct front_net *net, void *buf, unsigned size, unsigned *flags);
/* Sleep until there is something to receive: 0, or -XEN_ETIMEDOUT. Other events only delay it. */
int front_net_wait(struct front_net *net, u64 deadline_ns);
int front_net_close(struct front_net *net);

/* ---- the end ---- */

void front_shutdown(unsigned reason) __attribute__((noreturn));
/*
 * Stands still until the toolstack lets the domain go on, in place: memory, events, grants, rings
 * and the store's watches are as they were, time has passed. The only vCPU calls it, with no
 * request of a device on its way that may not take long.
 */
void front_suspend(void);

#endif
