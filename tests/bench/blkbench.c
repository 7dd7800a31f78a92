/* SPDX-License-Identifier: MIT */
/*
 * blkbench SET DEV [scale]: O_DIRECT sequential and random I/O through kernel AIO.
 * blkbench SET DEV gang BEGIN END: one of several guests at once. Reads at random from now until
 * the processor's clock, which all guests have alike, says END; what is answered from BEGIN on
 * counts.
 */
#include "bench.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static uint64_t rng = 88172645463325252ull;
static uint64_t rnd(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

/* Requests of one kind under way; each has its part of the buffer. */
struct job {
    int fd, wr, random;
    unsigned bs, qd;
    uint64_t seq, nblk;
    char *buf;
    aio_context_t ctx;
    struct iocb cb[64];
    unsigned ready, freelist[64];
};

static void job_begin(struct job *j, uint64_t size)
{
    j->buf = mmap(0, (size_t)j->bs * j->qd, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    j->nblk = size / j->bs;
    for (j->ready = 0; j->ready < j->qd; j->ready++)
        j->freelist[j->ready] = j->ready;
    if (syscall(SYS_io_setup, 64, &j->ctx))
        die("io_setup");
}

static void job_end(struct job *j)
{
    syscall(SYS_io_destroy, j->ctx);
    munmap(j->buf, (size_t)j->bs * j->qd);
}

/* As many as may be under way, at most `most`; returns how many that are. */
static unsigned job_send(struct job *j, unsigned most)
{
    struct iocb *p[64];
    unsigned n = 0;

    while (j->ready && n < most) {
        unsigned i = j->freelist[--j->ready];
        struct iocb *cb = &j->cb[i];

        memset(cb, 0, sizeof *cb);
        cb->aio_fildes = j->fd;
        cb->aio_lio_opcode = j->wr ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
        cb->aio_buf = (uintptr_t)(j->buf + (size_t)i * j->bs);
        cb->aio_nbytes = j->bs;
        cb->aio_offset = (j->random ? rnd() % j->nblk : j->seq++ % j->nblk) * j->bs;
        cb->aio_data = i;
        p[n++] = cb;
    }
    if (n && syscall(SYS_io_submit, j->ctx, n, p) != (long)n)
        die("io_submit");
    return n;
}

/* Waits for an answer; returns how many there were. */
static unsigned job_take(struct job *j)
{
    struct io_event ev[64];
    int r = syscall(SYS_io_getevents, j->ctx, 1, 64, ev, 0);

    if (r < 1)
        die("io_getevents");
    for (int k = 0; k < r; k++) {
        if ((int64_t)ev[k].res != j->bs) {
            fprintf(stderr, "short I/O %lld\n", (long long)ev[k].res);
            exit(1);
        }
        j->freelist[j->ready++] = ev[k].data;
    }
    return r;
}

static void go(const char *set, const char *name, int fd, uint64_t size, int wr, int random,
               unsigned bs, unsigned qd, unsigned ops)
{
    static struct job j;
    uint64_t t[BATCHES];

    j = (struct job){.fd = fd, .wr = wr, .random = random, .bs = bs, .qd = qd};
    job_begin(&j, size);
    for (int b = -1; b < BATCHES; b++) {
        unsigned sent = 0, done = 0;

        MARK(1);
        uint64_t s = now_ns();
        while (done < ops) {
            sent += job_send(&j, ops - sent);
            done += job_take(&j);
        }
        if (b >= 0) {
            t[b] = now_ns() - s;
            MARK(5);
        }
    }
    report(set, name, t, ops);
    printf("%s %-34s med %.1f MB/s %.0f IOPS\n", set, name,
           (double)bs * ops * 1000 / t[BATCHES / 2], ops * 1e9 / t[BATCHES / 2]);
    job_end(&j);
}

/* A guest that was late says so instead of a figure: the sum would be of fewer guests. */
static void gang(const char *set, int fd, uint64_t size, uint64_t begin, uint64_t end)
{
    static struct job j = {.random = 1, .bs = 4096, .qd = 32};
    uint64_t first = 0, now, count = 0;

    j.fd = fd;
    job_begin(&j, size);
    for (;;) {
        unsigned n;

        job_send(&j, j.qd);
        n = job_take(&j);
        now = ticks();
        first = first ? first : now;
        if (now >= end)
            break;
        count += now >= begin ? n : 0;
    }
    if (first >= begin)
        printf("%s gang late by %llu ticks\n", set, (unsigned long long)(first - begin));
    else
        printf("%s gang %llu requests in %llu ticks\n", set, (unsigned long long)count,
               (unsigned long long)(end - begin));
}

int main(int ac, char **av)
{
    if (ac < 3)
        return 2;
    int alone = ac != 6, k = ac == 4 ? atoi(av[3]) : 1;
    int fd = open(av[2], (alone ? O_RDWR : O_RDONLY) | O_DIRECT);
    uint64_t size = 0;
    if (fd < 0)
        die(av[2]);
    if (ioctl(fd, BLKGETSIZE64, &size))
        size = lseek(fd, 0, SEEK_END);
    if (!alone) {
        gang(av[1], fd, size, strtoull(av[4], 0, 10), strtoull(av[5], 0, 10));
        return 0;
    }
    go(av[1], "seq write 128k QD1", fd, size, 1, 0, 131072, 1, 100 * k);
    go(av[1], "seq read 128k QD1", fd, size, 0, 0, 131072, 1, 100 * k);
    go(av[1], "seq write 128k QD8", fd, size, 1, 0, 131072, 8, 200 * k);
    go(av[1], "seq read 128k QD8", fd, size, 0, 0, 131072, 8, 200 * k);
    go(av[1], "rand write 4k QD1", fd, size, 1, 1, 4096, 1, 500 * k);
    go(av[1], "rand read 4k QD1", fd, size, 0, 1, 4096, 1, 500 * k);
    go(av[1], "rand write 4k QD32", fd, size, 1, 1, 4096, 32, 2000 * k);
    go(av[1], "rand read 4k QD32", fd, size, 0, 1, 4096, 32, 2000 * k);
    return 0;
}
