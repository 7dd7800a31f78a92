/* SPDX-License-Identifier: MIT */
/*
 * test_console.c - the capped, rotated log and the backlog (BE-7, BE-12).
 *
 * Sabotage: not truncating in rotate() fails "the cap holds"; forgetting `pending` in
 * backlog_append() fails "backlog keeps the newest".
 */
#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../backends/console/backlog.h"
#include "../../backends/console/logfile.h"
#include "fake/xen.h"
#include "tests.h"

static int open_temp(void)
{
    char name[] = "/tmp/backends-test-XXXXXX";
    int fd = mkstemp(name);

    unlink(name);
    fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

static off_t size_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) ? -1 : st.st_size;
}

static void test_cap(void)
{
    struct logfile l;
    uint8_t line[100], all[20000];
    int fd = open_temp(), old = open_temp();
    off_t tail = 0, n;

    CU_ASSERT_EQUAL(logfile_init(&l, fd, old, 8192), 0);
    for (unsigned i = 0; i < 5000; i++) {
        memset(line, (int)('a' + i % 26), sizeof(line));
        logfile_write(&l, line, 1 + i % sizeof(line));
        if (size_of(fd) > 8192 || size_of(old) > 8192) {
            CU_FAIL_FATAL("longer than the cap");
        }
    }
    /* Old and new together end with the newest bytes, in order, unbroken. */
    n = pread(old, all, sizeof(all), 0);
    n += pread(fd, all + n, sizeof(all) - (size_t)n, 0);
    for (unsigned i = 5000; i-- > 0 && tail + (off_t)(1 + i % sizeof(line)) <= n;) {
        for (unsigned k = 0; k < 1 + i % sizeof(line); k++) {
            tail++;
            CU_ASSERT_FATAL(all[n - tail] == 'a' + i % 26);
        }
    }
    CU_ASSERT_TRUE(tail > 8192);
    close(fd);
    close(old);
}

static void test_bytes_unchanged(void)
{
    struct logfile l;
    uint8_t in[256], out[300];
    int fd = open_temp(), old = open_temp();

    for (unsigned i = 0; i < 256; i++) {
        in[i] = (uint8_t)i;
    }
    CU_ASSERT_EQUAL(logfile_init(&l, fd, old, 0), 0);
    CU_ASSERT_EQUAL(l.max, 4096);
    logfile_write(&l, in, sizeof(in));
    CU_ASSERT_EQUAL(pread(fd, out, sizeof(out), 0), 256);
    CU_ASSERT_EQUAL(memcmp(in, out, 256), 0);
    close(fd);
    close(old);
}

static void test_continues(void)
{
    struct logfile l;
    uint8_t data[9000];
    int fd = open_temp(), old = open_temp();

    memset(data, 'x', sizeof(data));
    CU_ASSERT_EQUAL(write(fd, data, sizeof(data)),
                    (ssize_t)sizeof(data)); /* left by a larger cap */
    CU_ASSERT_EQUAL(logfile_init(&l, fd, old, 4096), 0);
    logfile_write(&l, (const uint8_t *)"y", 1);
    CU_ASSERT_EQUAL(size_of(old), 4096);
    CU_ASSERT_EQUAL(size_of(fd), 1);
    close(fd);
    close(old);
}

static void test_full_disk(void)
{
    struct logfile l;
    int fd = open("/dev/full", O_RDWR), old = open_temp();

    CU_ASSERT_TRUE_FATAL(fd >= 0);
    fake_reset();
    CU_ASSERT_EQUAL(logfile_init(&l, fd, old, 8192), 0);
    logfile_write(&l, (const uint8_t *)"lost", 4);
    CU_ASSERT_TRUE(l.failing);
    CU_ASSERT_PTR_NOT_NULL(strstr(fake_last_log(), "No space left"));
    close(fd);
    close(old);
}

static size_t take_all(struct backlog *b, uint8_t *out)
{
    const uint8_t *data;
    size_t n, total = 0;

    while ((n = backlog_next(b, &data)) > 0) {
        memcpy(out + total, data, n);
        total += n;
        backlog_taken(b, n);
    }
    return total;
}

static void test_backlog(void)
{
    static struct backlog b;
    static uint8_t data[3 * BACKLOG_SIZE], out[BACKLOG_SIZE];

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7 / 3);
    }
    for (size_t i = 0; i < sizeof(data); i += 1000) {
        size_t n = sizeof(data) - i < 1000 ? sizeof(data) - i : 1000;

        backlog_append(&b, data + i, n);
    }
    CU_ASSERT_EQUAL(take_all(&b, out), BACKLOG_SIZE);
    CU_ASSERT_EQUAL(memcmp(out, data + sizeof(data) - BACKLOG_SIZE, BACKLOG_SIZE), 0);
    CU_ASSERT_EQUAL(take_all(&b, out), 0);
    backlog_append(&b, (const uint8_t *)"new", 3);
    CU_ASSERT_EQUAL(take_all(&b, out), 3);
    backlog_rewind(&b);
    CU_ASSERT_EQUAL(take_all(&b, out), BACKLOG_SIZE);
    CU_ASSERT_EQUAL(memcmp(out + BACKLOG_SIZE - 3, "new", 3), 0);
    backlog_append(&b, data, sizeof(data));
    CU_ASSERT_EQUAL(take_all(&b, out), BACKLOG_SIZE);
    CU_ASSERT_EQUAL(memcmp(out, data + sizeof(data) - BACKLOG_SIZE, BACKLOG_SIZE), 0);
}

void suite_console(void)
{
    CU_pSuite s = CU_add_suite("console", NULL, NULL);

    CU_add_test(s, "the cap holds, the newest stays", test_cap);
    CU_add_test(s, "bytes go as they are", test_bytes_unchanged);
    CU_add_test(s, "a log from before is cut to the cap", test_continues);
    CU_add_test(s, "full disk", test_full_disk);
    CU_add_test(s, "backlog keeps the newest", test_backlog);
}
