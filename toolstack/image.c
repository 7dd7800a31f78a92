/* SPDX-License-Identifier: MIT */
/* Kernel files and the child that looks inside them: see image.h. */
#include "image.h"
#include "confine.h"
#include "unpack.h"
#include "verdict.h"
#include "zeros.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KERNEL_FILE_MAX (512ull << 20)

/* What the child says. Plain data: the parent believes none of it unchecked. */
struct verdict {
    uint32_t ok;
    uint32_t unpacked; /* the memory file holds the image, else the kernel file is it */
    uint64_t size;
    struct elf_image elf;
    struct diag diag;
};

int image_open_file(const char *what, const char *path, uint64_t max, uint64_t *size,
                    struct diag *d)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return diag_errno(d, "%s \"%s\" cannot be opened", what, path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        diag_set(d, "%s \"%s\" is not a file", what, path);
    else if (st.st_size == 0)
        diag_set(d, "%s \"%s\" is empty", what, path);
    else if ((uint64_t)st.st_size > max)
        diag_set(d, "%s \"%s\" has %llu MiB; at most %llu are taken", what, path,
                 (unsigned long long)st.st_size >> 20, (unsigned long long)max >> 20);
    else {
        *size = (uint64_t)st.st_size;
        return fd;
    }
    close(fd);
    return -1;
}

int image_read(int fd, uint64_t offset, void *to, uint64_t len)
{
    while (len) {
        ssize_t n = pread(fd, to, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        to = (char *)to + n;
        offset += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return 0;
}

static int read_fd(void *ctx, uint64_t offset, void *to, size_t len)
{
    return image_read(*(const int *)ctx, offset, to, len);
}

/* The child's descriptors are the three given, renumbered 0, 1, 2, and no others. */
static int keep_only(int kernel_fd, int memory_fd, int pipe_fd)
{
    int fds[3] = {kernel_fd, memory_fd, pipe_fd};

    for (int i = 0; i < 3; i++) {
        fds[i] = fcntl(fds[i], F_DUPFD, 10);
        if (fds[i] < 0)
            return -1;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(fds[i], i) != i)
            return -1;
    return close_range(3, ~0u, 0);
}

/* Unpacks the payload into the memory file (descriptor 1). */
static int unpack_into(const char *path, const uint8_t *file, const struct payload *payload,
                       struct diag *d)
{
    if (ftruncate(1, (off_t)payload->unpacked) != 0)
        return diag_errno(d, "%s: no memory to unpack into", path);
    uint8_t *out = mmap(NULL, payload->unpacked, PROT_READ | PROT_WRITE, MAP_SHARED, 1, 0);
    if (out == MAP_FAILED)
        return diag_errno(d, "%s: no memory to unpack into", path);

    int rc = payload_unpack(path, payload->kind, file + payload->offset, payload->length, out,
                            payload->unpacked, d);
    munmap(out, payload->unpacked);
    return rc;
}

static int examine(const char *path, uint64_t size, struct verdict *v)
{
    uint8_t *file = mmap(NULL, size, PROT_READ, MAP_PRIVATE, 0, 0);
    struct payload payload;

    if (file == MAP_FAILED)
        return diag_errno(&v->diag, "%s: cannot be mapped", path);
    if (payload_find(path, file, size, &payload, &v->diag) != 0)
        return -1;
    v->unpacked = payload.kind != PACK_NONE || payload.offset != 0;
    v->size = payload.unpacked;
    if (payload.kind == PACK_NONE && payload.offset != 0)
        return diag_set(&v->diag, "%s: a bzImage with an unpacked kernel inside is not taken",
                        path);
    if (v->unpacked && unpack_into(path, file, &payload, &v->diag) != 0)
        return -1;

    int image = v->unpacked ? 1 : 0;
    struct elf_source src = {.read = read_fd, .ctx = &image, .size = v->size};
    if (elf_parse(path, &src, &v->elf, &v->diag) != 0)
        return -1;
    return zeros_split(&src, &v->elf) == 0 ? 0 : diag_set(&v->diag, "%s: cannot be read", path);
}

static void __attribute__((noreturn))
child(const char *path, int kernel_fd, uint64_t size, int memory_fd, int pipe_fd)
{
    static struct verdict v;

    if (keep_only(kernel_fd, memory_fd, pipe_fd) != 0)
        diag_errno(&v.diag, "%s: cannot close what is open to look inside", path);
    else if (confine_enter_examiner(path, &v.diag) == 0)
        v.ok = examine(path, size, &v) == 0;

    const char *p = (const char *)&v;
    for (size_t left = sizeof(v); left;) {
        ssize_t n = write(2, p, left);

        if (n <= 0)
            _exit(1);
        p += n;
        left -= (size_t)n;
    }
    _exit(0);
}

/* Reads the child's verdict whole; a child that died half-way has none. */
static int read_verdict(const char *path, int fd, pid_t pid, struct verdict *v, struct diag *d)
{
    size_t got = 0;
    int status = 0;

    while (got < sizeof(*v)) {
        ssize_t n = read(fd, (char *)v + got, sizeof(*v) - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (got < sizeof(*v))
        return diag_set(d, "%s: looking inside failed (%s %d); the file is probably damaged", path,
                        WIFSIGNALED(status) ? "signal" : "status",
                        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    v->diag.text[sizeof(v->diag.text) - 1] = 0;
    if (v->ok != 1)
        return diag_set(d, "%s", v->diag.text[0] ? v->diag.text : "kernel refused");
    return 0;
}

static int run_child(const char *path, int kernel_fd, uint64_t size, int memory_fd,
                     struct verdict *v, struct diag *d)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return diag_errno(d, "%s: no pipe", path);
    pid_t pid = fork();
    if (pid == 0)
        child(path, kernel_fd, size, memory_fd, ends[1]);
    close(ends[1]);

    int rc = pid < 0 ? diag_errno(d, "%s: cannot fork", path)
                     : read_verdict(path, ends[0], pid, v, d);
    close(ends[0]);
    return rc;
}

/* The child's word on where the image is and how long, made true or refused. */
static int accept_verdict(struct image *out, int memory_fd, uint64_t kernel_size,
                          const struct verdict *v, struct diag *d)
{
    struct stat st;

    out->size = kernel_size;
    if (v->unpacked) {
        if (fstat(memory_fd, &st) != 0 || st.st_size <= 0 ||
            (uint64_t)st.st_size > UNPACK_MAX_OUTPUT)
            return diag_set(d, "%s: unpacking left nothing", out->path);
        close(out->fd);
        out->fd = memory_fd;
        out->size = (uint64_t)st.st_size;
    } else {
        close(memory_fd);
    }
    out->elf = v->elf;
    out->elf.guest_os[sizeof(out->elf.guest_os) - 1] = 0;
    return elf_check(out->path, &out->elf, out->size, d);
}

static int look_inside(struct image *out, uint64_t size, struct diag *d)
{
    struct verdict *v = calloc(1, sizeof(*v));
    int memory_fd = v ? memfd_create("kernel", MFD_CLOEXEC) : -1;
    int rc = -1;

    if (!v)
        return diag_set(d, "out of memory");
    if (memory_fd < 0)
        diag_errno(d, "%s: no memory file", out->path);
    else if (run_child(out->path, out->fd, size, memory_fd, v, d) != 0)
        close(memory_fd);
    else
        rc = accept_verdict(out, memory_fd, size, v, d);
    free(v);
    return rc;
}

/* The file was looked into before; an image that had to be unpacked is not kept. */
static bool recall(struct image *out, const struct stat *st, uint64_t size)
{
    struct diag ignored = {0};

    if (!verdict_recall(VERDICT_DIR, st, &out->elf))
        return false;
    out->elf.guest_os[sizeof(out->elf.guest_os) - 1] = 0;
    out->size = size;
    return elf_check(out->path, &out->elf, size, &ignored) == 0;
}

int image_open(const char *path, struct image *out, struct diag *d)
{
    uint64_t size = 0;
    struct stat st;

    *out = (struct image){.path = path, .fd = -1};
    out->fd = image_open_file("kernel", path, KERNEL_FILE_MAX, &size, d);
    if (out->fd < 0)
        return -1;
    int file = out->fd;
    bool known = fstat(file, &st) == 0;
    if (known && recall(out, &st, size))
        return 0;
    if (look_inside(out, size, d) != 0) {
        image_close(out);
        return -1;
    }
    if (known && out->fd == file)
        verdict_keep(VERDICT_DIR, file, &st, &out->elf);
    return 0;
}

void image_close(struct image *image)
{
    if (image->fd >= 0)
        close(image->fd);
    image->fd = -1;
}
