/* SPDX-License-Identifier: MIT */
/*
 * The test channel's far end: runs shell commands that arrive over a serial line and sends back
 * what they print and how they end, so that a test never has to scrape a console.
 *
 * Owns the serial line (argv[1]) and the commands it started. Frames both ways are little endian:
 *
 *	u32 magic | u16 type | u16 id | u32 length | u32 crc | length bytes
 *
 * with the CRC-32 of everything but the magic and the crc itself. Bytes that make no valid frame
 * are skipped, so either end may start anywhere in the stream. Several commands run side by side,
 * told apart by the id that the peer chose.
 *
 * Invariants: a command's output precedes its FRAME_EXIT; a descriptor number is -1 once closed;
 * the agent never waits for a command, only for the serial line to take its output.
 *
 * Left to the peer (tests/system/lib/agent.py): time limits. It leaves the privileges as they are:
 * whoever can write to the line runs commands as root, which is why only test and demonstration
 * machines start this program.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define FRAME_MAGIC 0x41554e54u /* "TNUA" */
#define FRAME_MAX 65536u
#define RUN_WITH_STDIN 1u
#define COMMANDS_MAX 16

enum frame_type {
    FRAME_RUN = 1,    /* a flags byte (RUN_*), then the command for /bin/sh -c */
    FRAME_STDIN = 2,  /* bytes for a command's standard input; none: end of file */
    FRAME_KILL = 3,   /* a signal number byte, sent to the command's process group */
    FRAME_PING = 4,   /* asks for FRAME_HELLO with the same id */
    FRAME_HELLO = 16, /* also sent once at start, with id 0 */
    FRAME_STDOUT = 17,
    FRAME_STDERR = 18,
    FRAME_EXIT = 19, /* a u32: the exit status, or 128 + the signal that ended it */
    FRAME_ERROR = 20 /* why the request with this id was not done */
};

struct frame_header {
    uint32_t magic;
    uint16_t type;
    uint16_t id;
    uint32_t length;
    uint32_t crc;
};

struct command {
    pid_t pid; /* 0: free slot */
    uint16_t id;
    int in, out, err;
    bool in_ended; /* the peer sent end of file; close once in_data is written */
    uint8_t *in_data;
    size_t in_length;
};

static int line = -1;
static struct command commands[COMMANDS_MAX];

static void die(const char *what)
{
    fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint32_t crc32_update(uint32_t crc, const void *data, size_t length)
{
    const uint8_t *p = data;

    crc = ~crc;
    while (length--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static uint32_t frame_crc(const struct frame_header *h, const void *data)
{
    uint32_t crc = crc32_update(0, &h->type, sizeof(h->type) + sizeof(h->id) + sizeof(h->length));

    return crc32_update(crc, data, h->length);
}

static void line_write(const void *data, size_t length)
{
    const uint8_t *p = data;

    while (length) {
        ssize_t n = write(line, p, length);

        if (n < 0 && errno != EINTR)
            die("writing to the line");
        if (n > 0) {
            p += n;
            length -= (size_t)n;
        }
    }
}

static void frame_send(enum frame_type type, uint16_t id, const void *data, size_t length)
{
    struct frame_header h = {
        .magic = FRAME_MAGIC, .type = (uint16_t)type, .id = id, .length = (uint32_t)length};

    h.crc = frame_crc(&h, data);
    line_write(&h, sizeof(h));
    line_write(data, length);
}

static void send_text(enum frame_type type, uint16_t id, const char *text)
{
    frame_send(type, id, text, strlen(text));
}

static struct command *command_find(uint16_t id)
{
    for (int i = 0; i < COMMANDS_MAX; i++) {
        if (commands[i].pid && commands[i].id == id)
            return &commands[i];
    }
    return NULL;
}

static void close_once(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/*
 * Output comes over socket pairs, not pipes: `cat` splices, and splicing from a quiet terminal into
 * a pipe holds the pipe's lock, on which even a non-blocking read of ours would then hang. The
 * price: a command cannot open /dev/stdout.
 */
static int output_pair(int pair[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

/* In the child: standard descriptors as given (a negative one: /dev/null), a group of its own, then
 * the shell. */
static void __attribute__((noreturn)) command_exec(const char *text, int in, int out, int err)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    if (in < 0)
        in = open("/dev/null", O_RDONLY);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    execl("/bin/sh", "sh", "-c", text, (char *)NULL);
    _exit(127);
}

static void command_run(uint16_t id, const uint8_t *data, size_t length)
{
    int in[2] = {-1, -1}, out[2], err[2];
    struct command *c = NULL;
    char *text;

    for (int i = 0; i < COMMANDS_MAX && !c; i++) {
        if (!commands[i].pid)
            c = &commands[i];
    }
    if (!length || command_find(id) || !c) {
        send_text(FRAME_ERROR, id,
                  !length ? "empty request"
                  : c     ? "id in use"
                          : "too many commands");
        return;
    }
    text = strndup((const char *)data + 1, length - 1);
    if (!text || output_pair(out) || output_pair(err) ||
        ((data[0] & RUN_WITH_STDIN) && pipe2(in, O_CLOEXEC)))
        die("preparing a command");
    c->pid = fork();
    if (c->pid < 0)
        die("fork");
    if (c->pid == 0)
        command_exec(text, in[0], out[1], err[1]);
    free(text);
    close_once(&in[0]);
    close(out[1]);
    close(err[1]);
    c->id = id;
    c->in = in[1];
    c->out = out[0];
    c->err = err[0];
    c->in_ended = false;
    fcntl(c->out, F_SETFL, O_NONBLOCK);
    fcntl(c->err, F_SETFL, O_NONBLOCK);
    if (c->in >= 0)
        fcntl(c->in, F_SETFL, O_NONBLOCK);
}

/* Writes what the pipe takes now; the rest waits for poll(). */
static void command_feed(struct command *c)
{
    while (c->in >= 0 && c->in_length) {
        ssize_t n = write(c->in, c->in_data, c->in_length);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) { /* it closed its input: the rest is not wanted */
            c->in_length = 0;
            c->in_ended = true;
            break;
        }
        c->in_length -= (size_t)n;
        memmove(c->in_data, c->in_data + n, c->in_length);
    }
    if (c->in_ended && !c->in_length)
        close_once(&c->in);
}

static void command_stdin(uint16_t id, const uint8_t *data, size_t length)
{
    struct command *c = command_find(id);
    uint8_t *grown;

    if (!c || c->in < 0)
        return; /* it ended first; FRAME_EXIT says so */
    if (length) {
        grown = realloc(c->in_data, c->in_length + length);
        if (!grown)
            die("buffering input");
        memcpy(grown + c->in_length, data, length);
        c->in_data = grown;
        c->in_length += length;
    } else {
        c->in_ended = true;
    }
    command_feed(c);
}

/* Forwards what there is to read; false once the descriptor is closed. */
static bool forward(struct command *c, int *fd, enum frame_type type)
{
    uint8_t buffer[4096];
    ssize_t n;

    if (*fd < 0)
        return false;
    n = read(*fd, buffer, sizeof(buffer));
    if (n > 0) {
        frame_send(type, c->id, buffer, (size_t)n);
        return true;
    }
    if (n == 0 || errno != EAGAIN)
        close_once(fd);
    return false;
}

/*
 * What the command itself wrote is in the sockets by now. A daemon that it left behind may hold
 * them open, so they are read until empty rather than until end of file.
 */
static void command_end(struct command *c, int status)
{
    uint32_t code = (uint32_t)(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));

    while (forward(c, &c->out, FRAME_STDOUT))
        ;
    while (forward(c, &c->err, FRAME_STDERR))
        ;
    close_once(&c->in);
    close_once(&c->out);
    close_once(&c->err);
    free(c->in_data);
    c->in_data = NULL;
    c->in_length = 0;
    c->pid = 0;
    frame_send(FRAME_EXIT, c->id, &code, sizeof(code));
}

static void reap(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (int i = 0; i < COMMANDS_MAX; i++) {
            if (commands[i].pid == pid)
                command_end(&commands[i], status);
        }
    }
}

static void frame_handle(const struct frame_header *h, const uint8_t *data)
{
    struct command *c;

    switch (h->type) {
    case FRAME_RUN:
        command_run(h->id, data, h->length);
        break;
    case FRAME_STDIN:
        command_stdin(h->id, data, h->length);
        break;
    case FRAME_KILL:
        c = command_find(h->id);
        if (c && h->length == 1)
            kill(-c->pid, data[0]);
        break;
    case FRAME_PING:
        send_text(FRAME_HELLO, h->id, "tenue-agent 1");
        break;
    default:
        send_text(FRAME_ERROR, h->id, "unknown frame type");
    }
}

/* Takes whole frames off the front of the buffer; returns how many bytes remain. */
static size_t frames_take(uint8_t *buffer, size_t length)
{
    struct frame_header h;
    size_t at = 0;

    while (length - at >= sizeof(h)) {
        memcpy(&h, buffer + at, sizeof(h));
        if (h.magic != FRAME_MAGIC || h.length > FRAME_MAX) {
            at++;
            continue;
        }
        if (length - at < sizeof(h) + h.length)
            break;
        if (frame_crc(&h, buffer + at + sizeof(h)) != h.crc) {
            at++;
            continue;
        }
        frame_handle(&h, buffer + at + sizeof(h));
        at += sizeof(h) + h.length;
    }
    memmove(buffer, buffer + at, length - at);
    return length - at;
}

static void line_open(const char *path)
{
    struct termios t;

    line = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (line < 0)
        die(path);
    if (tcgetattr(line, &t))
        die("not a terminal line");
    cfmakeraw(&t);
    cfsetspeed(&t, B115200);
    t.c_cflag |= CLOCAL | CREAD;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    if (tcsetattr(line, TCSANOW, &t))
        die("setting the line raw");
}

static int signals_open(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void commands_serve(void)
{
    for (int i = 0; i < COMMANDS_MAX; i++) {
        struct command *c = &commands[i];

        if (!c->pid)
            continue;
        forward(c, &c->out, FRAME_STDOUT);
        forward(c, &c->err, FRAME_STDERR);
        command_feed(c);
    }
}

static nfds_t poll_prepare(struct pollfd *p, int signals)
{
    nfds_t n = 0;

    p[n++] = (struct pollfd){.fd = line, .events = POLLIN};
    p[n++] = (struct pollfd){.fd = signals, .events = POLLIN};
    for (int i = 0; i < COMMANDS_MAX; i++) {
        struct command *c = &commands[i];

        if (!c->pid)
            continue;
        p[n++] = (struct pollfd){.fd = c->out, .events = POLLIN};
        p[n++] = (struct pollfd){.fd = c->err, .events = POLLIN};
        if (c->in_length)
            p[n++] = (struct pollfd){.fd = c->in, .events = POLLOUT};
    }
    return n;
}

int main(int argc, char **argv)
{
    static uint8_t buffer[2 * (FRAME_MAX + sizeof(struct frame_header))];
    struct pollfd p[2 + 3 * COMMANDS_MAX];
    struct signalfd_siginfo info;
    size_t length = 0;
    int signals;

    if (argc != 2) {
        fprintf(stderr, "usage: agent SERIAL-LINE\n");
        return 2;
    }
    line_open(argv[1]);
    signals = signals_open();
    send_text(FRAME_HELLO, 0, "tenue-agent 1");
    for (;;) {
        if (poll(p, poll_prepare(p, signals), -1) < 0) {
            if (errno != EINTR)
                die("poll");
            continue;
        }
        if (p[0].revents) {
            ssize_t n = read(line, buffer + length, sizeof(buffer) - length);

            if (n <= 0 && errno != EINTR)
                die("the line went away");
            length = frames_take(buffer, length + (size_t)(n > 0 ? n : 0));
        }
        commands_serve();
        while (read(signals, &info, sizeof(info)) > 0)
            ;
        reap();
    }
}
