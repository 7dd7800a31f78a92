/* SPDX-License-Identifier: MIT */
/*
 * churn [ROUNDS [FILE]]: a guest's programs do what the page-table patches batch, several at once,
 * and check every byte.
 *
 * - cow: a thread counts in pages while its process forks; no count may go to a page that is
 *   somebody else's by now.
 * - discard: pages are dropped, moved and protected beside pages that a thread goes on writing.
 * - family: parent, child and grandchild write what they inherited; each finds its own.
 * - shared: writes through a mapping that is dropped meanwhile reach the file. If it is FILE, on a
 *   disk, its cached pages are dropped too, and what was not known to be dirty is lost.
 * - exec: programs start and end.
 * - young: accessed bits are cleared all the time.
 *
 * Ends with 0 if all held. Needs two processors to mean much.
 *
 * Sabotage: map private memory shared here (MAP_PRIVATE in family and cow), as if fork had not
 * write-protected it: both fail. In patch 0202 write the entry unchanged (drop `& ~_PAGE_RW`): the
 * guest's shell loses its variables to its children before churn is reached.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 192, WORDS = PAGE / sizeof(uint64_t) };

static int rounds = 40;
static const char *file;
static atomic_int stop;

static void fail(const char *what, long page)
{
    printf("churn: %s: page %ld is not what was written\n", what, page);
    exit(1);
}

static uint64_t *map(int flags, int fd)
{
    void *m = mmap(0, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (m == MAP_FAILED) {
        perror("churn: mmap");
        exit(2);
    }
    return m;
}

static pid_t spawn(void)
{
    pid_t p = fork();

    if (p < 0) {
        perror("churn: fork");
        exit(2);
    }
    return p;
}

static void reap(pid_t p)
{
    int status;

    if (waitpid(p, &status, 0) != p || status)
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
}

static void fill(uint64_t *m, uint64_t seed)
{
    for (long i = 0; i < PAGES; i++) {
        m[i * WORDS] = seed + i;
        m[i * WORDS + WORDS - 1] = ~(seed + i);
    }
}

static void check(const char *what, const uint64_t *m, uint64_t seed)
{
    for (long i = 0; i < PAGES; i++)
        if (m[i * WORDS] != seed + i || m[i * WORDS + WORDS - 1] != ~(seed + i))
            fail(what, i);
}

static void join(pthread_t t)
{
    stop = 1;
    pthread_join(t, 0);
    stop = 0;
}

/* Counts in all the pages in turn, and tells how far it came. */
static void *count(void *pages)
{
    volatile uint64_t *m = pages;
    uint64_t n = 0;

    while (!stop) {
        for (long i = 0; i < PAGES; i++)
            m[i * WORDS]++;
        n++;
    }
    return (void *)n;
}

static void cow(void)
{
    uint64_t *m = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

    for (int r = 0; r < rounds; r++) {
        pthread_t t;
        void *n;

        memset(m, 0, (size_t)PAGES * PAGE);
        pthread_create(&t, 0, count, m);
        for (int k = 0; k < 4; k++) {
            pid_t p = spawn();

            if (!p) {
                uint64_t seen[PAGES];

                for (long i = 0; i < PAGES; i++)
                    seen[i] = m[i * WORDS];
                sched_yield();
                for (long i = 0; i < PAGES; i++)
                    if (m[i * WORDS] != seen[i])
                        fail("cow, child", i);
                _exit(0);
            }
            reap(p);
        }
        stop = 1;
        pthread_join(t, &n);
        stop = 0;
        for (long i = 0; i < PAGES; i++)
            if (m[i * WORDS] != (uint64_t)n)
                fail("cow, parent", i);
    }
}

static void discard(void)
{
    uint64_t *kept = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    uint64_t *m = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    size_t size = (size_t)PAGES * PAGE;
    pthread_t t;

    pthread_create(&t, 0, count, kept);
    for (int r = 0; r < rounds * 4; r++) {
        void *aside = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

        fill(m, r * 1000);
        mprotect(m, size, PROT_READ);
        check("discard, protected", m, r * 1000);
        m = mremap(m, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, aside);
        mprotect(m, size, PROT_READ | PROT_WRITE);
        check("discard, moved", m, r * 1000);
        fill(m, r * 1000 + 1);
        check("discard, rewritten", m, r * 1000 + 1);
        madvise(m, size, r & 1 ? MADV_DONTNEED : MADV_FREE);
        for (long i = 0; i < PAGES; i++)
            if (m[i * WORDS] != 0 && ((r & 1) || m[i * WORDS] != (uint64_t)(r * 1000 + 1 + i)))
                fail("discard, dropped", i);
    }
    join(t);
    for (long i = 1; i < PAGES; i++)
        if (kept[i * WORDS] != kept[0])
            fail("discard, kept", i);
}

static void family(void)
{
    uint64_t *m = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);

    for (int r = 0; r < rounds; r++) {
        pid_t child;

        fill(m, r);
        child = spawn();
        if (!child) {
            pid_t grandchild = spawn();

            check("family, inherited", m, r);
            fill(m, r + (grandchild ? 5000 : 9000));
            sched_yield();
            check("family, written", m, r + (grandchild ? 5000 : 9000));
            if (grandchild)
                reap(grandchild);
            _exit(0);
        }
        fill(m, r + 1);
        check("family, parent", m, r + 1);
        reap(child);
        check("family, parent after", m, r + 1);
    }
}

static void drop_caches(void)
{
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

    if (fd >= 0 && write(fd, "1", 1) != 1)
        perror("churn: drop_caches");
    close(fd);
}

static void shared(void)
{
    size_t size = (size_t)PAGES * PAGE;
    int fd = file ? open(file, O_RDWR) : memfd_create("churn", 0);
    uint64_t *m, first[PAGES];
    pthread_t t;
    void *n;

    if (fd < 0 || (!file && ftruncate(fd, size))) {
        perror("churn: the file");
        exit(2);
    }
    m = map(MAP_SHARED, fd);
    for (int r = 0; r < rounds; r++) {
        for (long i = 0; i < PAGES; i++)
            first[i] = m[i * WORDS];
        pthread_create(&t, 0, count, m);
        for (int k = 0; k < 20; k++) {
            madvise(m, size, MADV_DONTNEED);
            if (file && !(k % 10)) {
                fsync(fd);
                drop_caches();
            }
        }
        stop = 1;
        pthread_join(t, &n);
        stop = 0;
        munmap(m, size);
        if (file) {
            fsync(fd);
            drop_caches();
        }
        m = map(MAP_SHARED, fd);
        for (long i = 0; i < PAGES; i++)
            if (m[i * WORDS] != first[i] + (uint64_t)n)
                fail("shared", i);
    }
}

static void exec(void)
{
    for (int r = 0; r < rounds; r++) {
        pid_t p = spawn();

        if (!p) {
            execl("/proc/self/exe", "churn", "--true", (char *)0);
            _exit(4);
        }
        reap(p);
    }
}

static void young(void)
{
    uint64_t *m = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    pthread_t t;

    pthread_create(&t, 0, count, m);
    for (int r = 0; r < rounds * 8; r++) {
        int fd = open("/proc/self/clear_refs", O_WRONLY);

        if (fd < 0)
            break;
        if (write(fd, "1", 1) != 1)
            perror("churn: clear_refs");
        close(fd);
    }
    join(t);
    for (long i = 1; i < PAGES; i++)
        if (m[i * WORDS] != m[0])
            fail("young", i);
}

int main(int argc, char **argv)
{
    static void (*const parts[])(void) = {cow, discard, family, shared, exec, young};
    enum { PARTS = sizeof parts / sizeof *parts };
    pid_t pids[PARTS];
    int failed = 0;

    if (argc > 1 && !strcmp(argv[1], "--true"))
        return 0;
    if (argc > 1)
        rounds = atoi(argv[1]);
    if (argc > 2)
        file = argv[2];
    setbuf(stdout, 0);
    for (int i = 0; i < PARTS; i++) {
        pids[i] = spawn();
        if (!pids[i]) {
            parts[i]();
            exit(0);
        }
    }
    for (int i = 0; i < PARTS; i++) {
        int status;

        waitpid(pids[i], &status, 0);
        failed += status != 0;
    }
    printf("churn: %d passed, %d failed\n", PARTS - failed, failed);
    return failed != 0;
}
