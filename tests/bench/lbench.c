/* SPDX-License-Identifier: MIT */
/* lbench: system-call, process, memory and scheduling costs seen from one Linux user process. */
#include "bench.h"
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/socket.h>
#include <pthread.h>

static volatile int sigs;
static void on_sig(int s)
{
    (void)s;
    sigs++;
}
static char *prot_page;
static void on_segv(int s)
{
    (void)s;
    mprotect(prot_page, 4096, PROT_READ | PROT_WRITE);
}
static volatile uint64_t sink;

static int pa[2], pb[2];
static void *echo_thread(void *a)
{
    char c;
    (void)a;
    while (read(pa[0], &c, 1) == 1 && c != 'q')
        (void)!write(pb[1], &c, 1);
    return 0;
}

/* Apart, so that the child shares no variable of the batches. */
static void __attribute__((noinline)) vfork_exec_wait(void)
{
    pid_t p = vfork();

    if (!p) {
        execl("/proc/self/exe", "lbench", "--true", (char *)0);
        _exit(1);
    }
    waitpid(p, 0, 0);
}

int main(int ac, char **av)
{
    const char *S = ac > 1 ? av[1] : "LX";
    char c = 'x';
    if (ac > 1 && !strcmp(av[1], "--true"))
        return 0;

    BENCH(S, "user loop 1M adds", 1, for (int k = 0; k < 1000000; k++) sink += k);
    static char a[1 << 20], b[1 << 20];
    BENCH(S, "memcpy 1 MiB", 5, memcpy(a, b, sizeof a); asm volatile("" ::"r"(a) : "memory"));
    BENCH(S, "clock_gettime", 2000, now_ns());
    BENCH(S, "null syscall (getppid)", 5000, syscall(SYS_getppid));
    int z = open("/dev/zero", O_RDONLY), nul = open("/dev/null", O_WRONLY);
    BENCH(S, "read 1 B /dev/zero", 5000, (void)!read(z, &c, 1));
    BENCH(S, "write 1 B /dev/null", 5000, (void)!write(nul, &c, 1));
    BENCH(S, "open+close /dev/null", 1000, close(open("/dev/null", O_RDONLY)));
    BENCH(S, "sched_yield (alone)", 2000, sched_yield());
    signal(SIGUSR1, on_sig);
    BENCH(S, "signal to self", 1000, raise(SIGUSR1));

    prot_page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    prot_page[0] = 1;
    BENCH(S, "mprotect RO/RW pair, 1 page", 1000, mprotect(prot_page, 4096, PROT_READ);
          mprotect(prot_page, 4096, PROT_READ | PROT_WRITE));
    struct sigaction sa = {.sa_handler = on_segv, .sa_flags = SA_NODEFER};
    sigaction(SIGSEGV, &sa, 0);
    BENCH(S, "protection fault + SIGSEGV", 500, mprotect(prot_page, 4096, PROT_READ);
          prot_page[0]++);
    signal(SIGSEGV, SIG_DFL);
    BENCH(S, "mmap+munmap 64 KiB untouched", 1000,
          char *m = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          munmap(m, 65536));
    const size_t L = 4 << 20;
    BENCH(S, "mmap 4 MiB touch munmap (per page)", 1024, if (i_) break;
          char *m = mmap(0, L, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
          madvise(m, L, MADV_NOHUGEPAGE);
          for (size_t o = 0; o < L; o += 4096)((volatile char *)m)[o] = 1; munmap(m, L));
    {
        char *m = mmap(0, L, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        madvise(m, L, MADV_NOHUGEPAGE);
        BENCH(S, "anon page fault (after DONTNEED)", 1024, if (i_) break;
              for (size_t o = 0; o < L; o += 4096)((volatile char *)m)[o] = 1;
              madvise(m, L, MADV_DONTNEED));
        munmap(m, L);
    }
    int fd = memfd_create("f", 0);
    (void)!ftruncate(fd, L);
    for (size_t o = 0; o < L; o += sizeof a)
        (void)!pwrite(fd, a, sizeof a, o);
    BENCH(S, "file map fault, read (per page)", 1024, if (i_) break;
          char *m = mmap(0, L, PROT_READ, MAP_SHARED, fd, 0); madvise(m, L, MADV_RANDOM);
          for (size_t o = 0; o < L; o += 4096) sink += ((volatile char *)m)[o]; munmap(m, L));
    BENCH(S, "fork+exit+wait", 30, pid_t p = fork(); if (!p) _exit(0); waitpid(p, 0, 0));
    BENCH(
        S, "fork+exec+wait (static)", 20, pid_t p = fork(); if (!p) {
            execl("/proc/self/exe", "lbench", "--true", (char *)0);
            _exit(1);
        } waitpid(p, 0, 0));
    BENCH(S, "vfork+exec+wait (static)", 20, vfork_exec_wait());
    BENCH(S, "sh -c: 10 forks+execs", 3,
          (void)!system("i=0; while [ $i -lt 10 ]; do /bin/busybox true; i=$((i+1)); done"));

    if (pipe(pa) || pipe(pb))
        die("pipe");
    BENCH(S, "pipe write+read, same process", 2000, (void)!write(pa[1], &c, 1);
          (void)!read(pa[0], &c, 1));
    pid_t p = fork();
    if (!p) {
        while (read(pa[0], &c, 1) == 1 && c != 'q')
            (void)!write(pb[1], &c, 1);
        _exit(0);
    }
    BENCH(S, "pipe ping-pong, two processes", 1000, (void)!write(pa[1], &c, 1);
          (void)!read(pb[0], &c, 1));
    (void)!write(pa[1], "q", 1);
    waitpid(p, 0, 0);
    pthread_t th;
    pthread_create(&th, 0, echo_thread, 0);
    BENCH(S, "pipe ping-pong, two threads", 1000, (void)!write(pa[1], &c, 1);
          (void)!read(pb[0], &c, 1));
    (void)!write(pa[1], "q", 1);
    pthread_join(th, 0);
    int sv[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
    p = fork();
    if (!p) {
        while (read(sv[1], &c, 1) == 1 && c != 'q')
            (void)!write(sv[1], &c, 1);
        _exit(0);
    }
    BENCH(S, "unix socket ping-pong", 1000, (void)!write(sv[0], &c, 1); (void)!read(sv[0], &c, 1));
    (void)!write(sv[0], "q", 1);
    waitpid(p, 0, 0);
    struct timespec ts = {0, 100000};
    BENCH(S, "nanosleep 100us", 100, nanosleep(&ts, 0));
    return 0;
}
