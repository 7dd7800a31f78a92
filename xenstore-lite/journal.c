/* SPDX-License-Identifier: MIT */
/*
 * The journal.
 *
 * Owns: the shared file's layout, the notes not yet committed, the two slots.
 * Invariants: bytes below `committed` of the half that counts never change; `committed` and `half`
 *   are one word, so a commit and a change of halves are one store each; a half that overflows
 *   switches journalling off for good and says so: a store killed after that starts empty.
 * Locks: none, one thread; the guard reads words only, and writes its list while no store runs or
 *   entries that the store does not look at any more.
 * Leaves to others: what the notes mean (resume.c).
 */
#include "journal.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "wire.h"

#define MAGIC 0x65756e6574787331ull /* changes with the format of notes */
#define HALF_BYTES (256ul << 20)    /* of address space: what is not used costs nothing */
#define REWRITE_MIN (4ul << 20)
#define RECEIVE_ROOM (WIRE_MESSAGE_MAX + (64u << 10))
#define PAGE_BYTES 4096ul
#define ALIGN8(n) (((n) + 7ul) & ~7ul)

/* committed: bytes of notes in the low bits; the half that counts in the highest. */
#define SECOND_HALF (1ull << 63)

struct journal_area {
    _Atomic uint64_t magic; /* set when there is a first commit */
    _Atomic uint64_t committed;
    _Atomic uint64_t turns;
    _Atomic uint64_t serving, blamed;
    struct journal_slot in, out;
    struct journal_client clients[JOURNAL_CLIENTS];
    uint64_t receive_at; /* where in it the use of the slot begins */
    char receive[RECEIVE_ROOM];
};

struct note {
    uint32_t type;
    uint32_t len; /* of what follows, without padding */
};

#define HEAD_BYTES ((sizeof(struct journal_area) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1))

static struct journal_area *area;
static uint64_t half;     /* that notes go to: SECOND_HALF, or 0 */
static char *notes;       /* its bytes */
static size_t tail;       /* where the next note goes */
static size_t rewrite_at; /* longer than this, and the state is to be written anew */
static bool replaying;

size_t journal_size(void)
{
    return HEAD_BYTES + 2 * HALF_BYTES;
}

static char *half_of(uint64_t committed)
{
    return (char *)area + HEAD_BYTES + (committed & SECOND_HALF ? HALF_BYTES : 0);
}

int journal_make(void)
{
    int fd = memfd_create("xenstore-lite", MFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)journal_size())) {
        close(fd);
        return -errno;
    }
    return fd;
}

static struct journal_area *map(int fd, size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

/* ---- the guard's part ---- */

void journal_blame_in(struct journal_area *a)
{
    a->blamed = a->serving;
}

static struct journal_area *guarded(int fd)
{
    static struct journal_area *view;

    if (!view)
        view = map(fd, HEAD_BYTES);
    return view;
}

struct journal_client *journal_clients(int fd)
{
    struct journal_area *a = guarded(fd);

    return a ? a->clients : NULL;
}

uint64_t journal_turns(int fd)
{
    return guarded(fd)->turns;
}

void journal_blame(int fd)
{
    journal_blame_in(guarded(fd));
}

/* ---- opening ---- */

int journal_attach(void *memory)
{
    area = memory;
    if (area->magic && area->magic != MAGIC) {
        log_line("the state left behind is of another version: starting empty");
        area->magic = 0;
    }
    if (!area->magic)
        area->committed = 0;
    half = area->committed & SECOND_HALF;
    notes = half_of(half);
    tail = (size_t)(area->committed & ~SECOND_HALF);
    rewrite_at = 0; /* the first turn writes all that there is */
    if (tail > HALF_BYTES)
        return -EINVAL;
    return area->magic == MAGIC;
}

int journal_open(int fd)
{
    void *memory = map(fd, journal_size());

    if (!memory)
        return -errno;
    close(fd); /* the mapping stays */
    return journal_attach(memory);
}

void journal_detach(void)
{
    area = NULL;
    tail = 0;
}

bool journal_is_on(void)
{
    return area != NULL;
}

bool journal_inherited(unsigned i, uint32_t store, uint64_t *id, int *fd)
{
    const struct journal_client *c = &area->clients[i];

    /* The guard goes on while we look: who came after we were started comes by the wire, too. */
    *id = atomic_load_explicit(&c->id, memory_order_acquire);
    *fd = c->fd;
    return *id && c->came < store;
}

/* ---- notes ---- */

static void give_up(void)
{
    log_line("more state than the journal holds: a store that is killed now starts empty");
    area->magic = 0;
    area = NULL;
}

static void append(const void *part, size_t len)
{
    if (len)
        memcpy(notes + tail, part, len);
    tail += len;
}

void journal_put(enum journal_type type, const void *a, size_t a_len, const void *b, size_t b_len,
                 const void *c, size_t c_len)
{
    const struct note head = {.type = type, .len = (uint32_t)(a_len + b_len + c_len)};

    if (!area || replaying)
        return;
    if (tail + sizeof(head) + head.len + 8 > HALF_BYTES) {
        give_up();
        return;
    }
    append(&head, sizeof(head));
    append(a, a_len);
    append(b, b_len);
    append(c, c_len);
    tail = ALIGN8(tail);
}

void journal_put_node(enum journal_type type, int32_t owner, const char *path, const void *bytes,
                      size_t len)
{
    journal_put(type, &owner, sizeof(owner), path, strlen(path) + 1, bytes, len);
}

size_t journal_mark(void)
{
    return tail;
}

void journal_forget(size_t mark)
{
    tail = mark;
}

static void put_turn(uint64_t generation)
{
    const struct journal_turn turn = {
        .generation = generation, .received = area->in.number, .sent = area->out.number};

    journal_put(JOURNAL_COMMIT, &turn, sizeof(turn), NULL, 0, NULL, 0);
}

bool journal_is_long(void)
{
    return area && tail >= rewrite_at;
}

void journal_begin_anew(void)
{
    half ^= SECOND_HALF;
    notes = half_of(half);
    tail = 0;
}

/* The state stands in the other half now; the memory of this one goes back. */
static void drop_half(uint64_t old)
{
    /* Fails over memory that is no file's (tests): then it is only not given back. */
    (void)madvise(half_of(old), HALF_BYTES, MADV_REMOVE);
    rewrite_at = 2 * tail > REWRITE_MIN ? 2 * tail : REWRITE_MIN;
    if (rewrite_at > HALF_BYTES / 2)
        rewrite_at = HALF_BYTES / 2;
}

void journal_commit(uint64_t generation)
{
    uint64_t before;

    if (!area)
        return;
    put_turn(generation);
    if (!area)
        return;
    before = area->committed;
    atomic_store_explicit(&area->committed, half | tail, memory_order_release);
    if ((before & SECOND_HALF) != half)
        drop_half(before);
    area->magic = MAGIC;
    area->serving = 0;
    area->turns++;
}

void journal_serving(uint64_t conn)
{
    if (area)
        area->serving = conn;
}

uint64_t journal_blamed(void)
{
    return area ? area->blamed : 0;
}

/* ---- reading back ---- */

int journal_replay(int (*apply)(enum journal_type type, const char *data, size_t len))
{
    size_t at = 0, end = tail;
    int rc = 0;

    replaying = true;
    while (rc == 0 && at < end) {
        struct note head;

        rc = end - at < sizeof(head) ? -EINVAL : 0;
        if (!rc) {
            memcpy(&head, notes + at, sizeof(head));
            at += sizeof(head);
            rc = head.len > end - at ? -EINVAL : apply(head.type, notes + at, head.len);
            at = ALIGN8(at + head.len);
        }
    }
    replaying = false;
    area->blamed = 0;
    return rc;
}

/* ---- the slots ---- */

char *journal_receive_room(size_t *size)
{
    static char without[RECEIVE_ROOM];

    *size = RECEIVE_ROOM;
    return area ? area->receive : without;
}

/* From here on, msg_len is 0 or what the kernel says that it has done. */
static void slot_begin(struct journal_slot *slot, uint64_t conn, void *bytes, size_t len)
{
    slot->message.msg_len = 0;
    atomic_signal_fence(memory_order_seq_cst);
    slot->conn = conn;
    slot->bytes = (struct iovec){.iov_base = bytes, .iov_len = len};
    slot->message.msg_hdr = (struct msghdr){.msg_iov = &slot->bytes, .msg_iovlen = 1};
    slot->number++;
    atomic_signal_fence(memory_order_seq_cst);
}

ssize_t journal_receive(uint64_t conn, int fd, char *to, size_t len)
{
    if (!area)
        return recv(fd, to, len, MSG_DONTWAIT);
    area->receive_at = (uint64_t)(to - area->receive);
    slot_begin(&area->in, conn, to, len);
    return recvmmsg(fd, &area->in.message, 1, MSG_DONTWAIT, NULL) < 0
               ? -1
               : (ssize_t)area->in.message.msg_len;
}

ssize_t journal_send(uint64_t conn, int fd, const char *from, size_t len)
{
    if (!area)
        return send(fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    slot_begin(&area->out, conn, (void *)(uintptr_t)from, len);
    return sendmmsg(fd, &area->out.message, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0
               ? -1
               : (ssize_t)area->out.message.msg_len;
}

/* Addresses in a slot are the dead store's: bytes are found by their place in the room. */
size_t journal_unnoted_received(uint64_t noted, uint64_t *conn, const char **bytes)
{
    const struct journal_slot *slot = &area->in;
    const size_t len = slot->message.msg_len;

    if (slot->number == noted || !len)
        return 0;
    if (area->receive_at > RECEIVE_ROOM || len > RECEIVE_ROOM - area->receive_at)
        return 0;
    *conn = slot->conn;
    *bytes = area->receive + area->receive_at;
    return len;
}

size_t journal_unnoted_sent(uint64_t noted, uint64_t *conn)
{
    const struct journal_slot *slot = &area->out;

    *conn = slot->conn;
    return slot->number == noted ? 0 : slot->message.msg_len;
}
