/* SPDX-License-Identifier: MIT */
/*
 * diskload DEVICE [DEPTH]: writes and reads a disk past the cache, many requests at a time, and
 * knows what every block must hold. For a guest whose disk is being pulled about.
 *
 * One process for each CPU, each with its own part of the disk. A block of 4 KiB says whose it is,
 * where it is and which version; a request covers 1 to 32 blocks, and no two requests under way
 * share one. A round is ROUND_OPS requests, some of them fsync()ed in between, then everything is
 * read back. Prints a line a round: its number, the longest time that a request took, "ok" or what
 * was wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096u
#define MAX_BLOCKS 32u /* of a request */
#define MAX_DEPTH 64u
#define ROUND_OPS 600u

struct op {
    struct iocb cb;
    uint64_t begin;
    uint32_t first, count;
    int writing;
    unsigned char *buf;
};

static struct {
    int fd;
    unsigned who;
    uint32_t base, blocks; /* this process's part of the disk */
    uint32_t *version;     /* what each block holds */
    unsigned char *busy;
    aio_context_t aio;
    struct op op[MAX_DEPTH];
    struct op *idle[MAX_DEPTH];
    unsigned nr_idle, depth;
    uint64_t rng, longest;
} w;

static void die(const char *what)
{
    printf("disk: %s: %s\n", what, strerror(errno));
    fflush(stdout);
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static uint32_t pick(uint32_t n)
{
    w.rng ^= w.rng << 13;
    w.rng ^= w.rng >> 7;
    w.rng ^= w.rng << 17;
    return (uint32_t)(w.rng >> 16) % n;
}

/* Every word differs from its neighbours, from other versions and from other blocks. */
static uint64_t word(uint32_t block, uint32_t version, unsigned i)
{
    return ((uint64_t)(block + 1) << 32 | version) * 0x9e3779b97f4a7c15u + i * 0xbf58476d1ce4e5b9u;
}

static void fill(unsigned char *to, uint32_t block, uint32_t version)
{
    uint64_t *p = (uint64_t *)(void *)to;

    for (unsigned i = 0; i < BLOCK / 8; i++)
        p[i] = version ? word(block, version, i) : 0;
}

static void check(const unsigned char *from, uint32_t block, uint32_t version)
{
    const uint64_t *p = (const uint64_t *)(const void *)from;

    for (unsigned i = 0; i < BLOCK / 8; i++) {
        if (p[i] == (version ? word(block, version, i) : 0))
            continue;
        printf("disk: CORRUPT: block %u, word %u is %016llx, not version %u\n", w.base + block, i,
               (unsigned long long)p[i], version);
        fflush(stdout);
        exit(1);
    }
}

static int free_run(uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++)
        if (w.busy[i])
            return 0;
    return 1;
}

static void submit(uint32_t first, uint32_t count, int writing)
{
    struct op *op = w.idle[--w.nr_idle];
    struct iocb *list = &op->cb;

    op->first = first;
    op->count = count;
    op->writing = writing;
    for (uint32_t i = 0; i < count; i++) {
        w.busy[first + i] = 1;
        if (writing)
            fill(op->buf + (size_t)i * BLOCK, first + i, ++w.version[first + i]);
    }
    memset(&op->cb, 0, sizeof(op->cb));
    op->cb.aio_fildes = (uint32_t)w.fd;
    op->cb.aio_lio_opcode = writing ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
    op->cb.aio_buf = (uintptr_t)op->buf;
    op->cb.aio_nbytes = (uint64_t)count * BLOCK;
    op->cb.aio_offset = (int64_t)(w.base + first) * BLOCK;
    op->cb.aio_data = (uintptr_t)op;
    op->begin = now_us();
    if (syscall(SYS_io_submit, w.aio, 1, &list) != 1)
        die("io_submit");
}

static void finish(struct op *op, int64_t res)
{
    uint64_t took = now_us() - op->begin;

    if (res != (int64_t)op->count * BLOCK) {
        errno = res < 0 ? (int)-res : EIO;
        die(op->writing ? "write" : "read");
    }
    if (took > w.longest)
        w.longest = took;
    for (uint32_t i = 0; i < op->count; i++) {
        w.busy[op->first + i] = 0;
        if (!op->writing)
            check(op->buf + (size_t)i * BLOCK, op->first + i, w.version[op->first + i]);
    }
    w.idle[w.nr_idle++] = op;
}

static void reap(unsigned least)
{
    struct io_event ev[MAX_DEPTH];
    long n = syscall(SYS_io_getevents, w.aio, least, MAX_DEPTH, ev, NULL);

    if (n < 0 && errno != EINTR)
        die("io_getevents");
    for (long i = 0; i < n; i++)
        finish((struct op *)(uintptr_t)ev[i].data, ev[i].res);
}

static void random_ops(void)
{
    for (unsigned sent = 0; sent < ROUND_OPS;) {
        uint32_t count = pick(4) ? 1 + pick(4) : 1 + pick(MAX_BLOCKS);
        uint32_t first = pick(w.blocks - count);

        if (!w.nr_idle)
            reap(1);
        if (!free_run(first, count))
            continue;
        submit(first, count, pick(3) != 0);
        sent++;
        if (pick(100) == 0 && fsync(w.fd))
            die("fsync");
    }
    while (w.nr_idle < w.depth)
        reap(1);
}

static void read_all(void)
{
    for (uint32_t at = 0; at < w.blocks; at += MAX_BLOCKS) {
        if (!w.nr_idle)
            reap(1);
        submit(at, w.blocks - at < MAX_BLOCKS ? w.blocks - at : MAX_BLOCKS, 0);
    }
    while (w.nr_idle < w.depth)
        reap(1);
}

static void work(const char *device, unsigned who, unsigned of, unsigned depth)
{
    cpu_set_t cpu;
    uint64_t bytes;

    CPU_ZERO(&cpu);
    CPU_SET(who, &cpu);
    sched_setaffinity(0, sizeof(cpu), &cpu);
    w.fd = open(device, O_RDWR | O_DIRECT);
    if (w.fd < 0 || ioctl(w.fd, BLKGETSIZE64, &bytes))
        die(device);
    w.who = who;
    w.depth = depth;
    w.rng = 88172645463325252u + who;
    w.blocks = (uint32_t)(bytes / BLOCK / of);
    w.base = who * w.blocks;
    w.version = calloc(w.blocks, sizeof(*w.version));
    w.busy = calloc(w.blocks, 1);
    if (!w.version || !w.busy || syscall(SYS_io_setup, MAX_DEPTH, &w.aio))
        die("set up");
    for (unsigned i = 0; i < depth; i++) {
        w.op[i].buf = mmap(NULL, MAX_BLOCKS * BLOCK, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (w.op[i].buf == MAP_FAILED)
            die("set up");
        w.idle[w.nr_idle++] = &w.op[i];
    }
    for (unsigned round = 1;; round++) {
        w.longest = 0;
        random_ops();
        read_all();
        printf("disk %u: round %u: longest %llu ms: ok\n", who, round,
               (unsigned long long)w.longest / 1000);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    unsigned depth = argc > 2 ? (unsigned)atoi(argv[2]) : 16;

    if (argc < 2 || !depth || depth > MAX_DEPTH) {
        fprintf(stderr, "usage: diskload DEVICE [DEPTH]\n");
        return 2;
    }
    for (unsigned i = 1; i < cpus; i++)
        if (fork() == 0)
            work(argv[1], i, cpus, depth);
    work(argv[1], 0, cpus, depth);
}
