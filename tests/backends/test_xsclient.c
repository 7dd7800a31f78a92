/* SPDX-License-Identifier: MIT */
/*
 * test_xsclient.c - the client of the store, against a store that answers as each test wants: in
 * pieces, out of turn, wrongly, or no more. It is a thread at the far end of a socket.
 *
 * Sabotage, each seen to fail: next_message() that takes a body as whole when the first byte of it
 * has come ("in pieces"); answer() that takes an event for the answer ("event between"); settle()
 * that forgets may_be_missing ("batch"); look_behind() left out of either place ("event behind");
 * append_part() without its look at the generation ("long list").
 */
#include <CUnit/Basic.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <tenue/xsclient.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#include "tests.h"

typedef void store_fn(int fd);

static struct {
    char dir[32], path[64];
    int listener;
    store_fn *serve;
    pthread_t thread;
    unsigned wrong; /* requests that were not as expected */
} far_end;

static void *far_thread(void *arg)
{
    int fd = accept(far_end.listener, NULL, NULL);

    (void)arg;
    if (fd >= 0) {
        far_end.serve(fd);
        close(fd);
    }
    return NULL;
}

static struct xsc *open_with(store_fn *serve)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    strcpy(far_end.dir, "/tmp/xsclient.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(far_end.dir));
    snprintf(far_end.path, sizeof(far_end.path), "%s/socket", far_end.dir);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", far_end.path);
    far_end.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(bind(far_end.listener, (struct sockaddr *)&a, sizeof(a)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(far_end.listener, 1), 0);
    far_end.serve = serve;
    far_end.wrong = 0;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&far_end.thread, NULL, far_thread, NULL), 0);
    setenv("XENSTORED_PATH", far_end.path, 1);
    struct xsc *x = xsc_open();
    CU_ASSERT_PTR_NOT_NULL_FATAL(x);
    return x;
}

static void close_all(struct xsc *x)
{
    xsc_close(x);
    pthread_join(far_end.thread, NULL);
    close(far_end.listener);
    unlink(far_end.path);
    rmdir(far_end.dir);
    CU_ASSERT_EQUAL(far_end.wrong, 0);
}

/* ---- what the far end does ---- */

static void expect(int fd, uint32_t type, const char *payload, size_t len)
{
    struct xsd_sockmsg head = {0};
    char body[XENSTORE_PAYLOAD_MAX];

    if (recv(fd, &head, sizeof(head), MSG_WAITALL) != sizeof(head) || head.type != type ||
        head.len != len || (len && recv(fd, body, len, MSG_WAITALL) != (ssize_t)len) ||
        memcmp(body, payload, len) != 0)
        far_end.wrong++;
}

static void say_len(int fd, uint32_t type, const void *data, size_t len, uint32_t claimed)
{
    struct xsd_sockmsg head = {.type = type, .len = claimed};

    send(fd, &head, sizeof(head), MSG_NOSIGNAL);
    send(fd, data, len, MSG_NOSIGNAL);
}

#define SAY(fd, type, text) say_len(fd, type, text, sizeof(text) - 1, sizeof(text) - 1)
#define EXPECT(fd, type, text) expect(fd, type, text, sizeof(text) - 1)

static void in_pieces(int fd)
{
    struct xsd_sockmsg head = {.type = XS_READ, .len = 5};
    char all[sizeof(head) + 5];

    EXPECT(fd, XS_READ, "/a\0");
    memcpy(all, &head, sizeof(head));
    memcpy(all + sizeof(head), "value", 5);
    for (size_t i = 0; i < sizeof(all); i++) {
        send(fd, all + i, 1, MSG_NOSIGNAL);
        usleep(1000);
    }
}

static void test_pieces(void)
{
    struct xsc *x = open_with(in_pieces);
    unsigned len = 0;
    char *value = xsc_read(x, XSC_NO_TRANSACTION, "/a", &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_EQUAL(len, 5);
    CU_ASSERT_STRING_EQUAL(value, "value");
    free(value);
    close_all(x);
}

/* Answers nothing before all has come: a client that waits for each answer would wait for ever. */
static void batches(int fd)
{
    EXPECT(fd, XS_RM, "/gone\0");
    EXPECT(fd, XS_WRITE, "/a\0001");
    EXPECT(fd, XS_SET_PERMS, "/a\0n0\0r7\0");
    SAY(fd, XS_ERROR, "ENOENT\0");
    SAY(fd, XS_WRITE, "OK\0");
    SAY(fd, XS_SET_PERMS, "OK\0");
    EXPECT(fd, XS_WRITE, "/b\0002");
    EXPECT(fd, XS_WRITE, "/c\0003");
    SAY(fd, XS_ERROR, "EACCES\0");
    SAY(fd, XS_ERROR, "ENOSPC\0");
    for (int i = 0; i < 64; i++)
        EXPECT(fd, XS_MKDIR, "/d\0");
    for (int i = 0; i < 64; i++)
        SAY(fd, XS_MKDIR, "OK\0");
    EXPECT(fd, XS_MKDIR, "/d\0");
    SAY(fd, XS_MKDIR, "OK\0");
}

static void test_batch(void)
{
    struct xsc *x = open_with(batches);

    xsc_batch(x);
    CU_ASSERT_TRUE(xsc_rm(x, XSC_NO_TRANSACTION, "/gone"));
    CU_ASSERT_TRUE(xsc_write(x, XSC_NO_TRANSACTION, "/a", "1"));
    CU_ASSERT_TRUE(xsc_set_access(x, XSC_NO_TRANSACTION, "/a", 0, 7));
    CU_ASSERT_EQUAL(xsc_batch_end(x), 0);
    xsc_batch(x);
    xsc_write(x, XSC_NO_TRANSACTION, "/b", "2");
    xsc_write(x, XSC_NO_TRANSACTION, "/c", "3");
    CU_ASSERT_EQUAL(xsc_batch_end(x), EACCES);
    xsc_batch(x);
    for (int i = 0; i < 65; i++)
        xsc_mkdir(x, XSC_NO_TRANSACTION, "/d");
    CU_ASSERT_EQUAL(xsc_batch_end(x), 0);
    close_all(x);
}

static void interrupts(int fd)
{
    EXPECT(fd, XS_WATCH, "@releaseDomain\0end\0");
    SAY(fd, XS_WATCH, "OK\0");
    EXPECT(fd, XS_READ, "/a\0");
    SAY(fd, XS_WATCH_EVENT, "@releaseDomain\0end\0");
    SAY(fd, XS_WATCH_EVENT, "/second\0end\0");
    SAY(fd, XS_READ, "v");
}

static void count(void *n)
{
    ++*(unsigned *)n;
}

static void test_event_between(void)
{
    struct xsc *x = open_with(interrupts);
    unsigned len = 0, told = 0;

    xsc_on_queued(x, count, &told);
    CU_ASSERT_TRUE(xsc_watch(x, "@releaseDomain", "end"));
    char *value = xsc_read(x, XSC_NO_TRANSACTION, "/a", &len);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_STRING_EQUAL(value, "v");
    free(value);
    CU_ASSERT_EQUAL(told, 2);
    const char *const paths[] = {"@releaseDomain", "/second"};
    for (int i = 0; i < 2; i++) {
        char **event = xsc_event(x);

        CU_ASSERT_PTR_NOT_NULL_FATAL(event);
        CU_ASSERT_STRING_EQUAL(event[XSC_EVENT_PATH], paths[i]);
        CU_ASSERT_STRING_EQUAL(event[XSC_EVENT_TOKEN], "end");
        free(event);
    }
    close_all(x);
}

/* Answer and event in one piece, so that one read has both and the socket is empty then. */
static void answer_and_event(int fd, uint32_t type, const char *value, uint32_t len)
{
    static const char body[] = "/e\0end";
    const struct xsd_sockmsg answer = {.type = type, .len = len};
    const struct xsd_sockmsg event = {.type = XS_WATCH_EVENT, .len = sizeof(body)};
    char all[sizeof(answer) + 8 + sizeof(event) + sizeof(body)], *at = all;

    at = mempcpy(at, &answer, sizeof(answer));
    at = mempcpy(at, value, len);
    at = mempcpy(at, &event, sizeof(event));
    at = mempcpy(at, body, sizeof(body));
    send(fd, all, (size_t)(at - all), MSG_NOSIGNAL);
}

static void goes_on(int fd)
{
    EXPECT(fd, XS_READ, "/a\0");
    answer_and_event(fd, XS_READ, "v", 1);
    EXPECT(fd, XS_WRITE, "/a\0w");
    answer_and_event(fd, XS_WRITE, "OK", 3);
}

static void test_event_behind(void)
{
    struct xsc *x = open_with(goes_on);
    unsigned len = 0, told = 0;

    xsc_on_queued(x, count, &told);
    free(xsc_read(x, XSC_NO_TRANSACTION, "/a", &len));
    CU_ASSERT_EQUAL(len, 1);
    CU_ASSERT_EQUAL(told, 1);
    free(xsc_event(x));
    xsc_batch(x);
    CU_ASSERT_TRUE(xsc_write(x, XSC_NO_TRANSACTION, "/a", "w"));
    CU_ASSERT_EQUAL(xsc_batch_end(x), 0);
    CU_ASSERT_EQUAL(told, 2);
    char **event = xsc_event(x);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_STRING_EQUAL(event[XSC_EVENT_PATH], "/e");
    free(event);
    close_all(x);
}

static void lists(int fd)
{
    EXPECT(fd, XS_DIRECTORY, "/short\0");
    SAY(fd, XS_DIRECTORY, "a\0bc\0");
    EXPECT(fd, XS_DIRECTORY, "/empty\0");
    SAY(fd, XS_DIRECTORY, "");
    EXPECT(fd, XS_DIRECTORY, "/long\0");
    SAY(fd, XS_ERROR, "E2BIG\0");
    EXPECT(fd, XS_DIRECTORY_PART, "/long\0000\0");
    SAY(fd, XS_DIRECTORY_PART, "7\0old\0");
    EXPECT(fd, XS_DIRECTORY_PART, "/long\0004\0");
    SAY(fd, XS_DIRECTORY_PART, "8\0new\0\0"); /* has changed: all of it again */
    EXPECT(fd, XS_DIRECTORY_PART, "/long\0000\0");
    SAY(fd, XS_DIRECTORY_PART, "8\0one\0two\0");
    EXPECT(fd, XS_DIRECTORY_PART, "/long\0008\0");
    SAY(fd, XS_DIRECTORY_PART, "8\0three\0");
    EXPECT(fd, XS_DIRECTORY_PART, "/long\00014\0");
    SAY(fd, XS_DIRECTORY_PART, "8\0\0");
    EXPECT(fd, XS_DIRECTORY, "/stuck\0");
    SAY(fd, XS_ERROR, "E2BIG\0");
    EXPECT(fd, XS_DIRECTORY_PART, "/stuck\0000\0");
    SAY(fd, XS_DIRECTORY_PART, "8\0");
}

static void check_list(struct xsc *x, const char *path, unsigned want, const char *const *names)
{
    unsigned n = 99;
    char **list = xsc_directory(x, XSC_NO_TRANSACTION, path, &n);

    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    CU_ASSERT_EQUAL_FATAL(n, want);
    for (unsigned i = 0; i < n; i++)
        CU_ASSERT_STRING_EQUAL(list[i], names[i]);
    free(list);
}

static void test_lists(void)
{
    struct xsc *x = open_with(lists);
    unsigned n;

    check_list(x, "/short", 2, (const char *const[]){"a", "bc"});
    check_list(x, "/empty", 0, NULL);
    check_list(x, "/long", 3, (const char *const[]){"one", "two", "three"});
    CU_ASSERT_PTR_NULL(xsc_directory(x, XSC_NO_TRANSACTION, "/stuck", &n));
    CU_ASSERT_EQUAL(errno, EPIPE);
    close_all(x);
}

static void says_errors(int fd)
{
    EXPECT(fd, XS_TRANSACTION_START, "\0");
    SAY(fd, XS_TRANSACTION_START, "12"); /* not closed */
    EXPECT(fd, XS_TRANSACTION_START, "\0");
    SAY(fd, XS_TRANSACTION_START, "12\0");
    EXPECT(fd, XS_TRANSACTION_END, "T\0");
    SAY(fd, XS_ERROR, "EAGAIN\0");
    EXPECT(fd, XS_RM, "/a\0");
    SAY(fd, XS_ERROR, "ENOENT\0");
    EXPECT(fd, XS_INTRODUCE, "3\0001234\0005\0");
    SAY(fd, XS_ERROR, "EWHAT\0");
}

static void test_errors(void)
{
    struct xsc *x = open_with(says_errors);
    static char longest[XENSTORE_PAYLOAD_MAX + 1];

    CU_ASSERT_EQUAL(xsc_transaction_start(x), XSC_NO_TRANSACTION);
    CU_ASSERT_EQUAL(xsc_transaction_start(x), 12);
    CU_ASSERT_FALSE(xsc_transaction_end(x, 12, false));
    CU_ASSERT_EQUAL(errno, EAGAIN);
    CU_ASSERT_FALSE(xsc_rm(x, XSC_NO_TRANSACTION, "/a")); /* outside a batch it is one */
    CU_ASSERT_EQUAL(errno, ENOENT);
    CU_ASSERT_FALSE(xsc_introduce(x, 3, 1234, 5));
    CU_ASSERT_EQUAL(errno, EINVAL);
    memset(longest, 'x', sizeof(longest) - 1);
    CU_ASSERT_FALSE(xsc_write(x, XSC_NO_TRANSACTION, "/a", longest)); /* nothing is sent */
    CU_ASSERT_EQUAL(errno, E2BIG);
    close_all(x);
}

static void says_too_much(int fd)
{
    EXPECT(fd, XS_READ, "/a\0");
    say_len(fd, XS_READ, "v", 1, XENSTORE_PAYLOAD_MAX + 1);
}

static void says_half_an_event(int fd)
{
    EXPECT(fd, XS_READ, "/a\0");
    SAY(fd, XS_WATCH_EVENT, "/path\0"); /* no token: which watch's is not known */
    SAY(fd, XS_READ, "v");
}

static void dies(int fd)
{
    EXPECT(fd, XS_READ, "/a\0");
    say_len(fd, XS_READ, "half", 4, 8);
}

static void answers_unasked(int fd)
{
    SAY(fd, XS_READ, "v");
}

/* From then on nothing works, and nothing blocks or raises SIGPIPE. */
static void check_stays_broken(struct xsc *x)
{
    unsigned len;

    errno = 0;
    CU_ASSERT_PTR_NULL(xsc_read(x, XSC_NO_TRANSACTION, "/b", &len));
    CU_ASSERT_EQUAL(errno, EPIPE);
    xsc_batch(x);
    xsc_write(x, XSC_NO_TRANSACTION, "/b", "1");
    CU_ASSERT_EQUAL(xsc_batch_end(x), EPIPE);
    errno = 0;
    CU_ASSERT_PTR_NULL(xsc_event(x));
    CU_ASSERT_EQUAL(errno, EPIPE);
}

static void test_bad_stores(void)
{
    static store_fn *const stores[] = {says_too_much, dies};
    unsigned len;

    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
        struct xsc *x = open_with(stores[i]);

        CU_ASSERT_PTR_NULL(xsc_read(x, XSC_NO_TRANSACTION, "/a", &len));
        CU_ASSERT_EQUAL(errno, EPIPE);
        check_stays_broken(x);
        close_all(x);
    }
    struct xsc *x = open_with(says_half_an_event);
    free(xsc_read(x, XSC_NO_TRANSACTION, "/a", &len));
    check_stays_broken(x);
    close_all(x);

    x = open_with(answers_unasked);
    pthread_join(far_end.thread, NULL);
    far_end.thread = pthread_self();
    CU_ASSERT_PTR_NULL(xsc_event(x));
    CU_ASSERT_EQUAL(errno, EPIPE);
    check_stays_broken(x);
    close_all(x);
}

static void test_nobody(void)
{
    setenv("XENSTORED_PATH", "/nonexistent/socket", 1);
    CU_ASSERT_PTR_NULL(xsc_open());
    CU_ASSERT_EQUAL(errno, ENOENT);
    xsc_close(NULL);
}

void suite_xsclient(void)
{
    CU_pSuite s = CU_add_suite("store client", NULL, NULL);

    CU_add_test(s, "an answer in pieces", test_pieces);
    CU_add_test(s, "batch", test_batch);
    CU_add_test(s, "event between request and answer", test_event_between);
    CU_add_test(s, "event behind an answer", test_event_behind);
    CU_add_test(s, "long list", test_lists);
    CU_add_test(s, "the store's errors", test_errors);
    CU_add_test(s, "stores that lie or die", test_bad_stores);
    CU_add_test(s, "nobody there", test_nobody);
}
