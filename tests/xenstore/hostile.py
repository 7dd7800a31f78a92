#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Clients of the store that mean harm, beside one that works and is timed (XS-1, XS-3, XS-12, XS-14).

Usage: hostile.py DAEMON

The daemon runs confined and without the audit after each request, so that times mean something. The honest client writes
and reads all along; its slowest answer is printed and has a bound.

Sabotage: in sock.c take any length in serve(), ignore what is left over, or go on accepting when descriptors are short (the
daemon's CPU time); in conn.c queue events that already wait (memory).
"""
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from client import ERROR, READ, WATCH, WRITE, Client, head, pack  # noqa: E402
from ledger import check, measured, verdict  # noqa: E402

ANSWER_MAX = 1.0        # s, for the honest client on a busy machine


class Store:
    def __init__(self, binary, where):
        self.path, pid = os.path.join(where, "socket"), os.path.join(where, "pid")
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        subprocess.run([binary, "-n", "-s", self.path, "-p", pid, "-l", os.path.join(where, "log")], check=True, timeout=20)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        with open(pid) as f:
            self.pid = int(f.read())
        self.honest = Client(self.path)
        self.slowest = 0

    def work(self):
        """One round of the honest client."""
        begin = time.monotonic()
        assert self.honest.ask(WRITE, b"/honest\0yes").body == b"OK\0"
        assert self.honest.ask(READ, b"/honest\0").body == b"yes"
        self.slowest = max(self.slowest, time.monotonic() - begin)

    def kib(self):
        with open("/proc/%d/status" % self.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def cpu(self):
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def lengths_in_pieces(s):
    """Each class of length, its header cut at each byte: refused the moment that it is whole, and not before."""
    wrong = []
    for length in (4097, 65535, 65536, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff):
        for cut in range(1, 16):
            c = Client(s.path)
            start = head(READ, length)
            c.sock.sendall(start[:cut])
            s.work()
            c.sock.settimeout(0.001)
            if c.ended():
                wrong.append((length, cut, "too early"))
            c.sock.settimeout(5)
            c.sock.sendall(start[cut:] + b"x" * 50)
            if not c.ended():
                wrong.append((length, cut, "served"))
                break
    check("a bad length, its header cut anywhere", not wrong, *wrong[:5])
    for length in (0, 1, 4095, 4096):
        for cut in (1, 15, 16, 17, 16 + length // 2):
            c = Client(s.path)
            message = pack(READ, b"/" * length)
            c.sock.sendall(message[:cut])
            s.work()
            c.sock.sendall(message[cut:])
            got = c.message()
            if got.kind != ERROR or not got.body.endswith(b"\0"):
                wrong.append((length, cut))
            c.sock.close()
    check("a good length, cut anywhere, is answered", not wrong, *wrong[:5])


def watch_storm(s):
    """50 clients with 100 watches each on what a 51st writes in a loop; none of them reads."""
    clients = [Client(s.path) for _ in range(50)]
    for c in clients:
        c.sock.sendall(b"".join(pack(WATCH, b"/storm\0token-%03d\0" % i) for i in range(100)))
    s.work()
    before, writer = s.kib(), Client(s.path)
    for i in range(200):
        writer.ask(WRITE, b"/storm/%d\0x" % (i % 40))
        if i % 5 == 0:
            s.work()
    grown = s.kib() - before
    # What waits for them, and the journal, which holds it up to three times while it is written anew.
    measured("a storm of 5000 watches that nobody reads costs bounded memory", grown < 32 << 10, "%d KiB" % grown)
    for c in clients:
        c.sock.close()
    s.work()


def slow_readers(s):
    """Clients that ask for much and take a byte now and then."""
    s.honest.ask(WRITE, b"/big\0" + b"v" * 4000)
    clients = [Client(s.path) for _ in range(50)]
    before = s.kib()
    for c in clients:
        c.sock.setblocking(False)
    for _ in range(100):
        for c in clients:
            try:
                c.sock.send(pack(READ, b"/big\0") * 50)
            except BlockingIOError:
                pass
            try:
                c.sock.recv(1)
            except BlockingIOError:
                pass
        s.work()
    grown = s.kib() - before
    measured("slow readers are stopped, not served without bound", grown < 50 * 512, "%d KiB for 50" % grown)
    for c in clients:
        c.sock.close()
    s.work()


def no_descriptors(s):
    """More connections than the daemon has descriptors: those that it has are served, and it does not spin."""
    crowd, fruitless = [], 0
    while len(crowd) < 350 and fruitless < 100:     # the queue is full: let the daemon empty it, until it cannot
        c = socket.socket(socket.AF_UNIX)
        c.setblocking(False)
        try:
            c.connect(s.path)
            crowd.append(c)
            fruitless = 0
        except BlockingIOError:
            c.close()
            fruitless += 1
            time.sleep(0.002)
    measured("more connections than descriptors", len(crowd) > 256, len(crowd))
    s.work()
    before = s.cpu()
    for _ in range(10):
        time.sleep(0.1)
        s.work()
    used = s.cpu() - before
    measured("without descriptors left the daemon rests", used < 0.3, "%.2f s of CPU in one" % used)
    for c in crowd:
        c.close()
    late = Client(s.path)
    check("and serves new clients when some are free", late.ask(READ, b"/honest\0").body == b"yes")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as where:
        s = Store(os.path.abspath(sys.argv[1]), where)
        for attack in (lengths_in_pieces, watch_storm, slow_readers, no_descriptors):
            try:
                attack(s)
            except (AssertionError, OSError, EOFError, ValueError) as e:
                check(attack.__name__, False, type(e).__name__, e)
        measured("the honest client's slowest round", s.slowest < ANSWER_MAX, "%.1f ms" % (s.slowest * 1000))
        os.kill(s.pid, signal.SIGTERM)
        time.sleep(0.1)
    verdict("xenstore-hostile")


main()
