#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""System test of xenstore-lite without a hypervisor: Debian's utilities and a raw client.

Usage: native.py DAEMON

The daemon runs with --no-rings --audit on a temporary socket, so every request is followed by a full
recount, and the daemon stops if the books are wrong.

Sabotage: in sock.c let serve() ignore what is left over (split messages hang); let it accept any
length; in on_readable() go on reading while output is pending (memory of a client that never reads
grows); in main.c leave out the notification of the parent (start-up fails).
"""
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

from client import (CONTROL, DIRECTORY, END, EVENT, INTRODUCE, IS_INTRODUCED, PAYLOAD_MAX, READ, RELEASE, RM, START, WATCH,
                    WRITE, Client, head, pack)


class Daemon:
    def __init__(self, binary, *options):
        self.directory = tempfile.TemporaryDirectory(prefix="xsl-")
        self.path = os.path.join(self.directory.name, "socket")
        self.pid_file = os.path.join(self.directory.name, "pid")
        self.log = os.path.join(self.directory.name, "log")
        self.env = dict(os.environ, XENSTORED_PATH=self.path, XENSTORED_RUNDIR=self.directory.name)
        self.command = [binary, "--no-rings", "--audit", "--pid-file", self.pid_file,
                        "--socket", self.path, "--log", self.log, *options]
        subprocess.run(self.command, check=True, timeout=20)
        with open(self.pid_file) as f:
            self.pid = int(f.read())

    def run(self, *command, timeout=20):
        return subprocess.run(command, env=self.env, timeout=timeout, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def client(self):
        return Client(self.path)

    def alive(self):
        try:
            os.kill(self.pid, 0)
            return True
        except ProcessLookupError:
            return False

    def resident_kib(self):
        with open(f"/proc/{self.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def stop(self):
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)
        for _ in range(100):
            if not self.alive():
                break
            time.sleep(0.05)
        self.directory.cleanup()


def expect(got, wanted):
    assert got == wanted, f"got {got!r}, wanted {wanted!r}"


def test_utilities(d):
    """xenstore-write, -read, -list, -ls, -exists, -chmod, -rm"""
    expect(d.run("xenstore-write", "/a/b", "hello", "/a/c", "two words").returncode, 0)
    expect(d.run("xenstore-read", "/a/b", "/a/c").stdout, "hello\ntwo words\n")
    expect(d.run("xenstore-list", "/a").stdout, "b\nc\n")
    expect(d.run("xenstore-exists", "/a/b").returncode, 0)
    expect(d.run("xenstore-exists", "/a/x").returncode, 1)
    expect(d.run("xenstore-read", "/a/x").returncode, 1)
    expect(d.run("xenstore-chmod", "/a/b", "n0", "r3", "b4").returncode, 0)
    assert "(n0,r3,b4)" in d.run("xenstore-ls", "-p", "/a").stdout
    assert '/a/c = "two words"' in d.run("xenstore-ls", "-f").stdout
    expect(d.run("xenstore-chmod", "-r", "/a", "n0", "r5").returncode, 0)
    expect(d.run("xenstore-ls", "-p", "/a").stdout.count("(n0,r5)"), 2)
    expect(d.run("xenstore-rm", "/a").returncode, 0)
    expect(d.run("xenstore-exists", "/a").returncode, 1)


def test_relative_paths(d):
    """paths without a slash are the control domain's own"""
    expect(d.run("xenstore-write", "name", "Domain-0").returncode, 0)
    expect(d.run("xenstore-read", "/local/domain/0/name").stdout, "Domain-0\n")


def test_watch_utility(d):
    """xenstore-watch hears of a write by another program"""
    with subprocess.Popen(["xenstore-watch", "-n", "2", "/w"], env=d.env, text=True,
                          stdout=subprocess.PIPE) as watch:
        expect(watch.stdout.readline(), "/w\n")
        d.run("xenstore-write", "/w/sub", "1")
        expect(watch.stdout.readline(), "/w/sub\n")
        expect(watch.wait(timeout=10), 0)


def test_long_listing(d):
    """libxenstore reads a directory of 2,000 names in parts"""
    c = d.client()
    for i in range(2000):
        c.sock.sendall(pack(WRITE, b"/many/child-%04d\0" % i))
        if i % 50 == 49:
            for _ in range(50):
                c.reply()
    names = d.run("xenstore-list", "/many").stdout.split()
    expect(names, [f"child-{i:04d}" for i in range(2000)])
    expect(c.ask(DIRECTORY, b"/many\0").body, b"E2BIG\0")
    expect(c.ask(RM, b"/many\0").kind, RM)


def test_split_messages(d):
    """a request in pieces of every size"""
    request = pack(WRITE, b"/split\0value", 5) + pack(READ, b"/split\0", 6)
    for size in list(range(1, 20)) + [30, 50]:
        c = d.client()
        for at in range(0, len(request), size):
            c.sock.sendall(request[at:at + size])
            if size > 8:
                time.sleep(0.001)
        expect(c.reply(), (WRITE, 5, 0, b"OK\0"))
        expect(c.reply(), (READ, 6, 0, b"value"))


def test_many_in_one(d):
    """a thousand requests in one packet, answered in order"""
    c = d.client()
    c.sock.sendall(b"".join(pack(READ, b"/\0", i) for i in range(1000)))
    for i in range(1000):
        expect(c.reply().request, i)


def test_oversized(d):
    """a length beyond 4096 ends that connection and no other"""
    other = d.client()
    for length in (4097, 65536, 0x7fffffff, 0x80000000, 0xffffffff):
        c = d.client()
        c.sock.sendall(head(READ, length))
        try:
            c.message()
            raise AssertionError("answered")
        except (EOFError, ConnectionResetError):
            pass
    expect(other.ask(READ, b"/\0").kind, READ)
    expect(other.ask(WRITE, b"/max\0" + b"v" * (PAYLOAD_MAX - 5)).kind, WRITE)
    expect(len(other.ask(READ, b"/max\0").body), PAYLOAD_MAX - 5)


def test_malformed(d):
    """junk of every type gets an error and nothing else"""
    c = d.client()
    for kind in list(range(0, 26)) + [99, 0xffff, 0xffffffff]:
        for payload in (b"", b"\0", b"/", b"/a", b"//\0", b"/a\0b\0c\0d\0e\0f\0", b"\xff" * 100,
                        b"x" * PAYLOAD_MAX, b"\0" * PAYLOAD_MAX):
            reply = c.ask(kind, payload, request=kind & 0xff)
            expect(reply[1], kind & 0xff)
    expect(c.ask(READ, b"/nope\0").body, b"ENOENT\0")
    expect(c.ask(READ, b"/\0", tx=1234).body, b"ENOENT\0")


def test_disconnect_inside(d):
    """clients that leave in the middle of anything leave nothing behind"""
    for payload in (b"", pack(READ, b"/\0")[:7], pack(WRITE, b"/x\0v")[:18],
                    pack(START, b"\0"), pack(WATCH, b"/\0t\0") * 2, pack(READ, b"/\0") * 100):
        for _ in range(5):
            c = d.client()
            c.sock.sendall(payload)
            c.sock.close()
    report = d.client().ask(CONTROL, b"memreport\0").body.decode()
    line = next(x for x in report.splitlines() if x.startswith("domain 0:"))
    assert " 0 watches, 0 transactions" in line, line


def test_transaction(d):
    """commit, conflict and retry over the socket"""
    a, b = d.client(), d.client()
    tx = int(a.ask(START, b"\0").body[:-1])
    expect(a.ask(WRITE, b"/t/1\0x", tx=tx).body, b"OK\0")
    expect(b.ask(READ, b"/t/1\0").body, b"ENOENT\0")
    expect(a.ask(END, b"T\0", tx=tx).body, b"OK\0")
    expect(b.ask(READ, b"/t/1\0").body, b"x")
    tx = int(a.ask(START, b"\0").body[:-1])
    a.ask(READ, b"/t/1\0", tx=tx)
    b.ask(WRITE, b"/t/1\0y")
    a.ask(WRITE, b"/t/2\0z", tx=tx)
    expect(a.ask(END, b"T\0", tx=tx).body, b"EAGAIN\0")


def test_reply_before_event(d):
    """a client that watches what it writes gets the reply first"""
    c = d.client()
    c.ask(WATCH, b"/order\0t\0")
    expect(c.message().body, b"/order\0t\0")
    c.sock.sendall(pack(WRITE, b"/order\0v"))
    expect(c.message().kind, WRITE)
    expect(c.message(), (EVENT, 0, 0, b"/order\0t\0"))


def test_never_reads(d):
    """a client that only asks is stopped, not served without bound"""
    c = d.client()
    c.sock.setblocking(False)
    c_other = d.client()
    c_other.ask(WRITE, b"/big\0" + b"v" * 4000)
    before = d.resident_kib()
    sent, request = 0, pack(READ, b"/big\0")
    deadline = time.time() + 3
    while time.time() < deadline and sent < 20 << 20:
        try:
            sent += c.sock.send(request * 100)
        except BlockingIOError:
            if sent and time.time() > deadline - 2:
                break
            time.sleep(0.01)
    assert sent < 4 << 20, f"took {sent} bytes of requests"
    assert d.resident_kib() - before < 2048, "memory grew"
    expect(c_other.ask(READ, b"/\0").kind, READ)
    c.sock.setblocking(True)
    c.sock.settimeout(10)
    for _ in range(sent // len(request)):
        expect(len(c.message().body), 4000)


def test_socket_is_private(d):
    """only the owner may connect"""
    expect(os.stat(d.path).st_mode & 0o777, 0o600)


def test_second_store_refused(d):
    """a socket that is served is not taken over"""
    rc = subprocess.run([*d.command[:2], "--socket", d.path], stderr=subprocess.PIPE, timeout=20)
    assert rc.returncode != 0 and b"another store" in rc.stderr, rc
    expect(d.run("xenstore-exists", "/").returncode, 0)


def test_stale_socket(d):
    """a socket that nobody serves is replaced"""
    with tempfile.TemporaryDirectory() as where:
        path = os.path.join(where, "socket")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(path)
        pid_file = os.path.join(where, "pid")
        subprocess.run([d.command[0], "--no-rings", "-s", path, "-p", pid_file], check=True)
        expect(Client(path).ask(READ, b"/\0").kind, READ)
        with open(pid_file) as f:
            os.kill(int(f.read()), signal.SIGTERM)


def test_options(d):
    """--help, --version, wrong options, quotas"""
    binary = d.command[0]
    for option in ("--help", "--version"):
        expect(subprocess.run([binary, option], stdout=subprocess.DEVNULL).returncode, 0)
    for wrong in (["--nonsense"], ["--quota", "nodes"], ["--quota", "x=1"], ["argument"]):
        expect(subprocess.run([binary, *wrong], stderr=subprocess.DEVNULL).returncode, 2)
    rc = subprocess.run([binary, "-n", "-f", "-s", "/nonexistent/dir/socket"],
                        stderr=subprocess.PIPE, timeout=20)
    assert rc.returncode == 1 and b"/nonexistent/dir/socket" in rc.stderr


def test_log_reopen(d):
    """SIGHUP opens the log anew"""
    os.rename(d.log, d.log + ".1")
    os.kill(d.pid, signal.SIGHUP)
    for _ in range(100):
        if os.path.exists(d.log):
            break
        time.sleep(0.02)
    d.client().ask(CONTROL, b"print\0a line\0")
    with open(d.log) as f:
        assert "a line" in f.read()


def test_introduce_by_book(d):
    """without a hypervisor, domains are book-keeping only"""
    c = d.client()
    expect(c.ask(INTRODUCE, b"7\0001\0001\0").body, b"OK\0")
    expect(c.ask(IS_INTRODUCED, b"7\0").body, b"T\0")
    expect(c.ask(RELEASE, b"7\0").body, b"OK\0")
    expect(c.ask(IS_INTRODUCED, b"7\0").body, b"F\0")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tests = [f for name, f in globals().items() if name.startswith("test_")]
    passed = failed = 0
    d = Daemon(os.path.abspath(sys.argv[1]))
    for test in tests:
        try:
            test(d)
            assert d.alive(), "the daemon died"
            passed += 1
            print(f"PASS {test.__name__}: {test.__doc__}")
        except Exception as e:  # any kind of failure is this test's, and the next one still runs
            failed += 1
            print(f"FAIL {test.__name__}: {type(e).__name__}: {e}")
            if not d.alive():
                with open(d.log) as f:
                    print("".join(f.readlines()[-5:]))
                d.stop()
                d = Daemon(os.path.abspath(sys.argv[1]))
    d.stop()
    print(f"xenstore-native: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
