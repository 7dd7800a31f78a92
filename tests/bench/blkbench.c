/* SPDX-License-Identifier: MIT */
/*
 * blkbench SET DEV [scale [gang]]: O_DIRECT sequential and random I/O through kernel AIO. gang: one
 * of several guests at once, which only reads at random, and has no windows of its own.
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

static int alone = 1;

static void mark(int begin)
{
    if (alone && begin)
        MARK(1);
    else if (alone)
        MARK(5);
}

static void go(const char *set, const char *name, int fd, uint64_t size, int wr, int random,
               unsigned bs, unsigned qd, unsigned ops)
{
    aio_context_t ctx = 0;
    struct iocb cb[64];
    struct io_event ev[64];
    char *buf = mmap(0, (size_t)bs * qd, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    uint64_t t[BATCHES], seq = 0, nblk = size / bs;
    if (syscall(SYS_io_setup, 64, &ctx))
        die("io_setup");
    for (int b = -1; b < BATCHES; b++) {
        unsigned sent = 0, done = 0, ready = qd;
        unsigned freelist[64];
        for (unsigned i = 0; i < qd; i++)
            freelist[i] = i;
        mark(1);
        uint64_t s = now_ns();
        while (done < ops) {
            struct iocb *p[64];
            int n = 0;
            while (ready && sent < ops) {
                unsigned i = freelist[--ready];
                memset(&cb[i], 0, sizeof cb[i]);
                cb[i].aio_fildes = fd;
                cb[i].aio_lio_opcode = wr ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
                cb[i].aio_buf = (uintptr_t)(buf + (size_t)i * bs);
                cb[i].aio_nbytes = bs;
                cb[i].aio_offset = (random ? rnd() % nblk : seq++ % nblk) * bs;
                cb[i].aio_data = i;
                p[n++] = &cb[i];
                sent++;
            }
            if (n && syscall(SYS_io_submit, ctx, n, p) != n)
                die("io_submit");
            int r = syscall(SYS_io_getevents, ctx, 1, 64, ev, 0);
            if (r < 1)
                die("io_getevents");
            for (int k = 0; k < r; k++) {
                if ((int64_t)ev[k].res != bs) {
                    fprintf(stderr, "short I/O %lld\n", (long long)ev[k].res);
                    exit(1);
                }
                freelist[ready++] = ev[k].data;
            }
            done += r;
        }
        if (b >= 0) {
            t[b] = now_ns() - s;
            mark(0);
        }
    }
    if (!alone) {
        uint64_t sum = 0;

        for (int b = 0; b < BATCHES; b++)
            sum += t[b];
        printf("%s gang %.0f IOPS\n", set, ops * BATCHES * 1e9 / sum);
        return;
    }
    report(set, name, t, ops);
    printf("%s %-34s med %.1f MB/s %.0f IOPS\n", set, name,
           (double)bs * ops * 1000 / t[BATCHES / 2], ops * 1e9 / t[BATCHES / 2]);
    syscall(SYS_io_destroy, ctx);
    munmap(buf, (size_t)bs * qd);
}

int main(int ac, char **av)
{
    if (ac < 3)
        return 2;
    alone = ac < 5;
    int fd = open(av[2], (alone ? O_RDWR : O_RDONLY) | O_DIRECT), k = ac > 3 ? atoi(av[3]) : 1;
    uint64_t size = 0;
    if (fd < 0)
        die(av[2]);
    if (ioctl(fd, BLKGETSIZE64, &size))
        size = lseek(fd, 0, SEEK_END);
    if (!alone) {
        go(av[1], "rand read 4k QD32", fd, size, 0, 1, 4096, 32, 4000 * k);
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
