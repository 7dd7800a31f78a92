/* SPDX-License-Identifier: MIT */
/*
 * subverted: what a backend, the store or the kernel examiner can still do after somebody else has
 * taken it over (BE-11), of the control domain's grant, event and hypercall devices, too (FE-6 so
 * far as a stock kernel lets us).
 *
 * A child enters the sandbox by the function and with the profile that the real process uses, then
 * makes one attempt of attempts.c. Each attempt is first made outside, where root gets what the
 * table says: so it is a real attempt, and one that this machine refuses to root as well is told as
 * skipped. Then: what the data paths need still works, io_uring's own door is shut, and behind the
 * filter the other walls stand by themselves (the same profiles with the dangerous calls let
 * through).
 *
 * Sabotage seen to fail, in sandbox.c: SCMP_ACT_ALLOW as default or for other architectures;
 * openat, kill, ioctl, fcntl, newfstatat, sendto or mprotect without a condition in common_calls;
 * leaving out setresuid(), setresgid(), drop_capabilities(), drop_bounding_set(), PR_SET_DUMPABLE,
 * chroot("."), MOUNT_ATTR_RDONLY or the limit of descriptors; io_uring_enter not listed. In
 * uring.c: no restrictions; fixed files allowed instead of required; OPENAT listed. In confine.c:
 * IOCTL_PRIVCMD_MMAPBATCH_V2 or socket in the store's lists. In toolstack/confine.c:
 * SCMP_SYS(mmap) or SCMP_SYS(openat) in its list, .sees_files. Leaving out PR_SET_NO_NEW_PRIVS
 * changes nothing: libseccomp sets it, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../backends/block/uring.h"
#include "../../../backends/common/sandbox.h"
#include "../../../toolstack/confine.h"
#include "../../../xenstore-lite/confine.h"
#include "attempts.h"

#define TEST_UID 299999u
#define WORKED 0
#define BROKEN 250 /* the sandbox itself could not be entered */

static unsigned passed, failed, skipped;
static char base[] = "/tmp/subverted-XXXXXX";
static struct uring ring;
static bool detached = true; /* the root directory is a mount of its own */
static uint8_t *buffer;

struct subject {
    const struct sandbox_profile *profile;
    const char *const *may; /* attempts that are its business; NULL-terminated */
    void (*works)(void);    /* exits when something that it needs does not */
};

static void report(bool good, const char *who, const char *what, const char *more)
{
    if (good) {
        passed++;
        return;
    }
    failed++;
    printf("FAIL %s: %s: %s\n", who, what, more);
}

/* ---- children ---- */

static void enter(const struct sandbox_profile *p)
{
    const char *what;
    int rc = sandbox_enter(p, p->sees_files ? 0 : TEST_UID, &what);

    if (rc) {
        dprintf(2, "%s: sandbox: %s: %s\n", p->name, what, strerror(-rc));
        _exit(BROKEN);
    }
    if (what) {
        static bool told;

        detached = false;
        if (!told) {
            printf("note: %s\n", what);
        }
        told = true;
    }
}

/* Runs one attempt in a child, confined or not; its wait status. */
static int try(const struct attempt *a, const struct sandbox_profile *p)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (p) {
            enter(p);
        } else {
            signal(SIGTTIN, SIG_IGN);
        }
        _exit(a->run() >= 0 ? WORKED : errno);
    }
    waitpid(pid, &status, 0);
    return status;
}

static const char *describe(int status)
{
    static char text[80];

    if (WIFSIGNALED(status)) {
        snprintf(text, sizeof(text), "signal %d", WTERMSIG(status));
    } else if (WEXITSTATUS(status) == WORKED) {
        return "it worked";
    } else if (WEXITSTATUS(status) == BROKEN) {
        return "could not enter the sandbox";
    } else {
        snprintf(text, sizeof(text), "%s", strerror(WEXITSTATUS(status)));
    }
    return text;
}

static bool is_denied(const struct sandbox_profile *p, int status)
{
    if (WIFSIGNALED(status)) {
        return WTERMSIG(status) == SIGSYS && !p->refuse;
    }
    return p->refuse && WEXITSTATUS(status) == EPERM;
}

static bool is_its_business(const struct subject *s, const char *what)
{
    for (const char *const *m = s->may; *m; m++) {
        if (!strcmp(*m, what)) {
            return true;
        }
    }
    return false;
}

static void try_all(const struct subject *subjects, size_t count)
{
    for (size_t i = 0; i < nr_attempts; i++) {
        const struct attempt *a = &attempts[i];
        int status = try(a, NULL);

        if (!WIFEXITED(status) || WEXITSTATUS(status) != a->unconfined) {
            printf("SKIP %s: not possible here even unconfined (%s)\n", a->what, describe(status));
            skipped++;
            continue;
        }
        for (size_t s = 0; s < count; s++) {
            if (!is_its_business(&subjects[s], a->what)) {
                status = try(a, subjects[s].profile);
                report(is_denied(subjects[s].profile, status), subjects[s].profile->name, a->what,
                       describe(status));
            }
        }
    }
}

/* ---- other doors for system calls ---- */

static long by_x32(void)
{
    return syscall(0x40000000 | SYS_getpid);
}

/* The 32-bit table has other numbers: its 5 is open(), the 64-bit table's is fstat(). */
static long by_interrupt(void)
{
    long rc;

    __asm__ volatile("int $0x80"
                     : "=a"(rc)
                     : "a"(20L /* getpid */)
                     : "memory", "r8", "r9", "r10", "r11");
    errno = rc < 0 ? (int)-rc : 0;
    return rc < 0 ? -1 : rc;
}

static void other_tables(const struct sandbox_profile *p)
{
    const struct attempt ways[] = {{"x32 system call", by_x32, 0}, {"int 0x80", by_interrupt, 0}};

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        int status = try(&ways[i], p);

        report(WIFSIGNALED(status), p->name, ways[i].what, describe(status));
    }
}

/* ---- io_uring: its operations do not pass the filter ---- */

/* Completion of one entry made by hand. */
static int complete(unsigned op, int fd, unsigned flags, const void *addr, unsigned len)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring.ring);
    struct io_uring_cqe *cqe;
    int res;

    if (!sqe) {
        return -EIO;
    }
    memset(sqe, 0, sizeof(*sqe));
    sqe->opcode = (uint8_t)op;
    sqe->fd = fd;
    sqe->flags = (uint8_t)flags;
    sqe->addr = (uintptr_t)addr;
    sqe->len = len;
    if (io_uring_submit_and_wait(&ring.ring, 1) < 0 || io_uring_peek_cqe(&ring.ring, &cqe)) {
        return -EIO;
    }
    res = cqe->res;
    io_uring_cqe_seen(&ring.ring, cqe);
    return res;
}

static const struct ring_attempt {
    const char *what;
    unsigned op, flags;
    int fd;
} ring_attempts[] = {
    {"io_uring: open", IORING_OP_OPENAT, 0, AT_FDCWD},
    {"io_uring: open, marked as fixed file", IORING_OP_OPENAT, IOSQE_FIXED_FILE, 0},
    {"io_uring: connect", IORING_OP_CONNECT, IOSQE_FIXED_FILE, URING_CHANNEL},
    {"io_uring: send", IORING_OP_SENDMSG, IOSQE_FIXED_FILE, URING_CHANNEL},
    {"io_uring: socket", IORING_OP_SOCKET, IOSQE_FIXED_FILE, 0},
    {"io_uring: unlink", IORING_OP_UNLINKAT, IOSQE_FIXED_FILE, 0},
    {"io_uring: stat", IORING_OP_STATX, IOSQE_FIXED_FILE, 0},
    {"io_uring: accept", IORING_OP_ACCEPT, IOSQE_FIXED_FILE, URING_CHANNEL},
    {"io_uring: register files", IORING_OP_FILES_UPDATE, IOSQE_FIXED_FILE, 0},
    {"io_uring: provide buffers", IORING_OP_PROVIDE_BUFFERS, IOSQE_FIXED_FILE, 1},
    {"io_uring: command", IORING_OP_URING_CMD, IOSQE_FIXED_FILE, 0},
    {"io_uring: read a descriptor of ours that is not fixed", IORING_OP_READ, 0, 0},
    {"io_uring: linked entries", IORING_OP_NOP, IOSQE_IO_LINK | IOSQE_FIXED_FILE, 0},
};

static int setup_ring(void)
{
    int fds[URING_NR_FILES] = {prey.pair, prey.image, prey.pair, prey.pair};

    buffer = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return uring_init(&ring, fds, buffer, 65536);
}

/* The ring belongs to the process that made it, so each child makes its own, while it may. */
static void ring_doors(void)
{
    for (size_t i = 0; i < sizeof(ring_attempts) / sizeof(ring_attempts[0]); i++) {
        const struct ring_attempt *a = &ring_attempts[i];
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            if (setup_ring()) {
                _exit(BROKEN);
            }
            enter(&sandbox_block);
            _exit(-complete(a->op, a->fd, a->flags, prey.file, 64));
        }
        waitpid(pid, &status, 0);
        report(WIFEXITED(status) && WEXITSTATUS(status) == EACCES, "block", a->what,
               describe(status));
    }
}

/* ---- what must still work ---- */

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            dprintf(2, "line %d: %s: %s\n", __LINE__, #condition, strerror(errno));                \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void common_works(void)
{
    struct timespec pause = {.tv_nsec = 1000000}, now;
    char text[64] = "";
    void *blocks[64];

    for (size_t i = 0; i < 64; i++) { /* by brk and by mmap */
        NEED(blocks[i] = malloc(i * 8192 + 100));
        memset(blocks[i], 1, i * 8192 + 100);
    }
    for (size_t i = 0; i < 64; i++) {
        NEED(blocks[i] = realloc(blocks[i], (64 - i) * 16384));
    }
    for (size_t i = 0; i < 64; i++) {
        free(blocks[i]);
    }
    NEED(nanosleep(&pause, NULL) == 0);
    NEED(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    NEED(send(prey.pair, "hello", 5, MSG_NOSIGNAL) == 5);
    NEED(recv(prey.pair, text, sizeof(text), MSG_DONTWAIT) < 0 && errno == EAGAIN);
    NEED(snprintf(text, sizeof(text), "%s %d %.2f", strerror(EIO), 5, 0.5) > 0);
}

static void block_works(void)
{
    static char tag;

    common_works();
    NEED(fcntl(prey.image, F_SETFL, fcntl(prey.image, F_GETFL)) == 0);
    memset(buffer, 0x5a, 4096);
    uring_write(&ring, &tag, buffer, 4096, 4096);
    NEED(uring_enter(&ring, UINT64_MAX) == 0);
    struct io_uring_cqe *cqe;
    NEED(io_uring_peek_cqe(&ring.ring, &cqe) == 0 && cqe->res == 4096);
    io_uring_cqe_seen(&ring.ring, cqe);
    uring_fdatasync(&ring, &tag);
    NEED(uring_enter(&ring, UINT64_MAX) == 0);
    NEED(io_uring_peek_cqe(&ring.ring, &cqe) == 0 && cqe->res == 0);
    io_uring_cqe_seen(&ring.ring, cqe);
    memset(buffer, 0, 4096);
    uring_read(&ring, &tag, buffer, 4096, 4096);
    NEED(uring_enter(&ring, UINT64_MAX) == 0);
    NEED(io_uring_peek_cqe(&ring.ring, &cqe) == 0 && cqe->res == 4096 && buffer[4095] == 0x5a);
    io_uring_cqe_seen(&ring.ring, cqe);

    static uint8_t beyond[4096]; /* the registered buffer */
    uring_read(&ring, &tag, beyond, 4096, 4096);
    NEED(uring_enter(&ring, UINT64_MAX) == 0);
    NEED(io_uring_peek_cqe(&ring.ring, &cqe) == 0 && cqe->res == 4096 && beyond[4095] == 0x5a);
    io_uring_cqe_seen(&ring.ring, cqe);
}

static void net_works(void)
{
    struct epoll_event ev = {.events = EPOLLIN};

    common_works();
    NEED(epoll_ctl(prey.epoll, EPOLL_CTL_MOD, prey.pair, &ev) == 0);
    NEED(epoll_wait(prey.epoll, &ev, 1, 10) == 0);
}

static void console_works(void)
{
    char byte;

    net_works();
    NEED(pread(prey.image, &byte, 1, 0) == 1);
    NEED(ftruncate(prey.image, 8192) == 0);
    NEED(write(prey.image, "x", 1) == 1);
}

static void store_works(void)
{
    net_works();
}

static void keeper_works(void)
{
    common_works();
    NEED(open(prey.file, O_RDONLY) >= 0);
}

/* Its kernel file and its memory file are mapped; libraries unpack with much memory. */
static void examiner_works(void)
{
    char byte, *map, *dictionary;

    common_works();
    NEED(pread(prey.image, &byte, 1, 0) == 1);
    NEED(ftruncate(prey.image, 1 << 20) == 0);
    map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, prey.image, 0);
    NEED(map != MAP_FAILED);
    map[4096] = 1;
    NEED(munmap(map, 1 << 20) == 0);
    dictionary = malloc(256u << 20);
    NEED(dictionary);
    dictionary[255u << 20] = 1;
    free(dictionary);
}

static void still_works(const struct subject *s)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (setup_ring()) {
            _exit(BROKEN);
        }
        enter(s->profile);
        s->works();
        _exit(0);
    }
    waitpid(pid, &status, 0);
    report(status == 0, s->profile->name, "what it needs", describe(status));
}

/* ---- the walls behind the filter ---- */

static const int dangerous[] = {
    SCMP_SYS(open),        SCMP_SYS(openat),    SCMP_SYS(kill),       SCMP_SYS(ptrace),
    SCMP_SYS(socket),      SCMP_SYS(connect),   SCMP_SYS(mount),      SCMP_SYS(chroot),
    SCMP_SYS(mkdir),       SCMP_SYS(setresuid), SCMP_SYS(unshare),    SCMP_SYS(prlimit64),
    SCMP_SYS(reboot),      SCMP_SYS(setns),     SCMP_SYS(getdents64), SCMP_SYS(process_vm_readv),
    SCMP_SYS(init_module), SCMP_SYS(iopl),      SCMP_SYS(mknod),      SCMP_SYS(fork),
    SCMP_SYS(pause),       SCMP_SYS(statfs),    SCMP_SYS(tgkill),
};

static const struct sandbox_profile *without_filter(const struct sandbox_profile *p)
{
    static struct sandbox_profile open_door;
    static int calls[64];

    open_door = *p;
    memcpy(calls, p->calls, p->nr_calls * sizeof(calls[0]));
    memcpy(calls + p->nr_calls, dangerous, sizeof(dangerous));
    open_door.ready = NULL;
    open_door.calls = calls;
    open_door.nr_calls = p->nr_calls + sizeof(dangerous) / sizeof(dangerous[0]);
    return &open_door;
}

static long open_for_root_only(void)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY);
    char entries[512];
    long n;

    if (fd < 0) {
        return -1;
    }
    n = syscall(SYS_getdents64, fd, entries, sizeof(entries));
    /* "." and ".." alone, or, in a deleted directory, nothing at all: nobody is at home. */
    errno = n <= 48 ? EPERM : 0;
    return n <= 48 ? -1 : n;
}

static long make_in_root(void)
{
    return mkdir("/x", 0700);
}

static long above_root(void)
{
    return open("/../../../../etc/passwd", O_RDONLY);
}

static long root_as_mounted(void)
{
    const unsigned long all = ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC;
    struct statfs of_root;

    if (statfs("/", &of_root)) {
        return -1;
    }
    errno = EPERM;
    return detached && ((unsigned long)of_root.f_flags & all) != all ? 0 : -1;
}

static const struct attempt walls[] = {
    {"root directory mounted read-only, without devices and programs", root_as_mounted, EPERM},
    {"root directory empty", open_for_root_only, EPERM},
    {"root directory read-only", make_in_root, EACCES},
    {"path above the root", above_root, ENOENT},
};

static void behind_the_filter(const struct subject *s)
{
    static const char *const names[] = {
        "open a file",
        "open the memory of another process",
        "signal a process",
        "signal a thread",
        "ptrace a process",
        "read another process's memory",
        "connect to the store",
        "mount",
        "become root",
        "make a mount namespace",
        "enter the host's mount namespace",
        "read another process's limits",
        "change the root directory",
        "reboot",
        "load a module",
        "open /proc/self/maps",
        NULL,
    };
    const struct sandbox_profile *p = without_filter(s->profile);

    for (size_t i = 0; i < nr_attempts; i++) {
        for (const char *const *n = names; *n; n++) {
            if (!strcmp(*n, attempts[i].what)) {
                int status = try(&attempts[i], p);

                report(WIFEXITED(status) && WEXITSTATUS(status) != WORKED &&
                           WEXITSTATUS(status) != BROKEN && WEXITSTATUS(status) != EINVAL,
                       s->profile->name, *n, describe(status));
            }
        }
    }
    for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
        int status = try(&walls[i], p);

        report(WIFEXITED(status) && WEXITSTATUS(status) != WORKED, s->profile->name, walls[i].what,
               describe(status));
    }
}

/* A second device of the same guest runs as the same user: only "not dumpable" is between them. */
static void sibling(const struct subject *s)
{
    const struct sandbox_profile *p = without_filter(s->profile);
    struct prey saved = prey;
    int ready[2], status;
    char byte;
    pid_t pid;

    if (pipe(ready)) {
        exit(2);
    }
    pid = fork();
    if (pid == 0) {
        enter(p);
        if (write(ready[1], "", 1) == 1) {
            pause();
        }
        _exit(1);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) == 1) {
        prey.victim = pid;
        for (size_t i = 0; i < nr_attempts; i++) {
            if (!strcmp(attempts[i].what, "ptrace a process") ||
                !strcmp(attempts[i].what, "read another process's memory")) {
                status = try(&attempts[i], p);
                report(WIFEXITED(status) && WEXITSTATUS(status) == EPERM, s->profile->name,
                       "a sibling of the same user", describe(status));
            }
        }
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ready[0]);
    prey = saved;
}

/* ---- what the kernel says of such a process ---- */

static bool status_says(const char *status, const char *key, const char *value)
{
    const char *at = strstr(status, key);
    size_t len = strlen(value);

    return at && !strncmp(at + strlen(key), value, len) &&
           (at[strlen(key) + len] == '\n' || at[strlen(key) + len] == '\t');
}

static void read_proc(pid_t pid, const char *file, char *text, size_t len)
{
    char path[64];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
    fd = open(path, O_RDONLY);
    n = fd < 0 ? 0 : read(fd, text, len - 1);
    text[n > 0 ? n : 0] = 0;
    close(fd);
}

/* From /proc, which tells limits of any process to root; prlimit() asks for more than root here may
 * have. */
static void limits_of(pid_t pid, const struct sandbox_profile *p)
{
    const struct {
        const char *what;
        rlim_t value;
    } wanted[] = {
        {"Max core file size", 0},       {"Max open files", p->files},
        {"Max processes", p->processes}, {"Max address space", p->memory},
        {"Max file size", p->file_size},
    };
    char text[8192];

    read_proc(pid, "limits", text, sizeof(text));
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const char *line = strstr(text, wanted[i].what);
        unsigned long long soft, hard;

        if (wanted[i].value != SANDBOX_KEEP_LIMIT) {
            report(line && sscanf(line + strlen(wanted[i].what), " %llu %llu", &soft, &hard) == 2 &&
                       soft == wanted[i].value && hard == wanted[i].value,
                   p->name, wanted[i].what, "not as in its profile");
        }
    }
}

static void as_the_kernel_sees_it(const struct subject *s)
{
    const char *uid = s->profile->sees_files ? "\t0\t0\t0\t0" : "\t299999\t299999\t299999\t299999";
    const char *const lines[][2] = {
        {"\nUid:", uid},
        {"\nGid:", uid},
        {"\nCapInh:", "\t0000000000000000"},
        {"\nCapPrm:", "\t0000000000000000"},
        {"\nCapEff:", "\t0000000000000000"},
        {"\nCapBnd:", "\t0000000000000000"},
        {"\nCapAmb:", "\t0000000000000000"},
        {"\nNoNewPrivs:", "\t1"},
        {"\nSeccomp:", "\t2"},
    };
    int ready[2], go[2];
    char byte, status[8192] = "";
    pid_t pid;

    if (pipe(ready) || pipe(go)) {
        exit(2);
    }
    pid = fork();
    if (pid == 0) {
        close(go[1]);
        enter(s->profile);
        _exit(write(ready[1], "", 1) == 1 && read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) == 1) {
        read_proc(pid, "status", status, sizeof(status));
        limits_of(pid, s->profile);
    }
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        report(status_says(status, lines[i][0], lines[i][1]), s->profile->name, lines[i][0] + 1,
               "not as it should be");
    }
    close(go[0]);
    close(go[1]);
    close(ready[0]);
    waitpid(pid, NULL, 0);
}

/* ---- the stage ---- */

static pid_t start_victim(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    return pid;
}

static int listen_at(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(at.sun_path, path);
    return fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 128) ? -1 : fd;
}

static void set_up(void)
{
    struct epoll_event readable = {.events = EPOLLIN};
    int pair[2], fd;

    if (!mkdtemp(base)) {
        perror(base);
        exit(2);
    }
    snprintf(prey.socket, sizeof(prey.socket), "%s/socket", base);
    snprintf(prey.file, sizeof(prey.file), "%s/file", base);
    fd = open(prey.file, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || write(fd, "secret\n", 7) != 7 || ftruncate(fd, 1 << 20) ||
        listen_at(prey.socket) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair)) {
        perror("subverted: set-up");
        exit(2);
    }
    prey.image = fd;
    prey.pair = pair[0];
    prey.directory = open("/tmp", O_RDONLY | O_DIRECTORY);
    prey.host_namespace = open("/proc/self/ns/mnt", O_RDONLY);
    prey.epoll = epoll_create1(0);
    if (epoll_ctl(prey.epoll, EPOLL_CTL_ADD, prey.pair, &readable)) {
        perror("subverted: epoll");
        exit(2);
    }
    prey.victim = start_victim();
}

static void tear_down(void)
{
    kill(prey.victim, SIGKILL);
    waitpid(prey.victim, NULL, 0);
    unlink(prey.socket);
    unlink(prey.file);
    unlink("/tmp/subverted-was-here");
    rmdir(base);
}

int main(void)
{
    static const char *const nothing[] = {NULL};
    /* Its files are the log, the socket and the pid file; the filter cannot tell names. */
    static const char *const of_keeper[] = {
        "openat a file",        "open a path above a directory that was passed in",
        "remove a file",        "rename a file",
        "pass a descriptor on", NULL};
    static const struct subject subjects[] = {
        {&sandbox_block, nothing, block_works},     {&sandbox_net, nothing, net_works},
        {&sandbox_console, nothing, console_works}, {&confine_store, nothing, store_works},
        {&confine_keeper, of_keeper, keeper_works}, {&confine_examiner, nothing, examiner_works},
    };
    const size_t count = sizeof(subjects) / sizeof(subjects[0]);

    if (geteuid()) {
        printf("SKIP everything: needs root\nconfinement: 0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    alarm(300);
    set_up();
    try_all(subjects, count);
    for (size_t i = 0; i < count; i++) {
        other_tables(subjects[i].profile);
        still_works(&subjects[i]);
        as_the_kernel_sees_it(&subjects[i]);
        if (subjects[i].profile->sees_files) {
            report(subjects[i].profile == &confine_keeper, subjects[i].profile->name, "no files",
                   "it keeps its root directory");
        } else {
            behind_the_filter(&subjects[i]);
        }
        sibling(&subjects[i]);
    }
    ring_doors();
    tear_down();
    printf("confinement: %u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed ? 1 : 0;
}
