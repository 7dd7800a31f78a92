#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The store is killed under its clients, again and again, and no client notices but by the clock (XS-16).

Usage: killed.py DAEMON [KILLS [SEED]]

Ten clients work at once, without pausing: three keep a model of a subtree, compare every answer and count the events of a
watch on it; four write to two places in transactions; one never waits for an answer before it asks more; two connect anew
for each thing they ask. The daemon is killed with SIGKILL at random moments meanwhile. An answer that is missing, comes
twice, or differs from the model fails the test; EAGAIN at a commit is the one thing that may happen. At the end the daemon
recounts its books (xenstore-control check).

Sabotage, each seen: in sock.c let sent() not note it (answers twice); let journal_unnoted_received() return 0 (requests
lost); let watch.c note no watch (events missing); in turn.c publish before the commit (a store that remembers less than
its clients); let journal_inherited() ignore who came when (comers hang).
"""
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

from client import CONTROL, DIRECTORY, END, ERROR, READ, RM, START, WATCH, WRITE, Client, pack

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from ledger import check, results, verdict, wait_for  # noqa: E402

TIMEOUT = 60


class Timed(Client):
    """Numbers its requests, and looks that each answer is the one that is due."""

    def __init__(self, path):
        super().__init__(path, TIMEOUT)
        self.next_id = 0
        self.slowest = 0

    def answer(self, request):
        message = self.reply()
        assert message.request == request, "answer to request %d where %d was due" % (message.request, request)
        return message.kind, message.body

    def question(self, kind, payload, tx=0):
        self.next_id += 1
        began = time.time()
        self.sock.sendall(pack(kind, payload, self.next_id, tx))
        answer = self.answer(self.next_id)
        self.slowest = max(self.slowest, time.time() - began)
        return answer


def ok(answer):
    assert answer[0] != ERROR, answer
    return answer[1]


class Worker(threading.Thread):
    def __init__(self, path, number, seed, stop):
        super().__init__()
        self.client, self.path, self.number, self.stop = Timed(path), path, number, stop
        self.random = random.Random(seed * 100 + number)
        self.error, self.requests, self.again = None, 0, 0

    def run(self):
        try:
            self.begin()
            while not self.stop.is_set():
                self.work()
            self.finish()
        except Exception as e:  # reported by the main thread
            self.error = "client %d (%s): %s: %s" % (self.number, type(self).__name__, type(e).__name__, e)

    def begin(self):
        pass

    def finish(self):
        pass

    def ask(self, *args):
        self.requests += 1
        return self.client.question(*args)


class Modelled(Worker):
    """Its own subtree, known to the byte; every change brings one event."""

    def begin(self):
        self.top = "/model/%d" % self.number
        self.model, self.expected = {}, []
        ok(self.ask(WRITE, self.top.encode() + b"\0"))
        ok(self.ask(WATCH, b"%s\0token\0" % self.top.encode()))
        self.expected.append(self.top)

    def work(self):
        name = "n%d" % self.random.randrange(20)
        path = self.top + "/" + name
        what = self.random.randrange(10)
        if what < 5:
            value = self.random.randbytes(self.random.choice((0, 5, 100, 2000)))
            ok(self.ask(WRITE, path.encode() + b"\0" + value))
            self.model[name] = value
            self.expected.append(path)
        elif what < 8:
            kind, data = self.ask(READ, path.encode() + b"\0")
            want = self.model.get(name)
            if want is None:
                assert (kind, data) == (ERROR, b"ENOENT\0"), (path, kind, data)
            else:
                assert (kind, data) == (READ, want), "%s is not what was written" % path
        elif what < 9 and name in self.model:
            ok(self.ask(RM, path.encode() + b"\0"))
            del self.model[name]
            self.expected.append(path)
        else:
            names = ok(self.ask(DIRECTORY, self.top.encode() + b"\0")).decode().split("\0")[:-1]
            assert sorted(names) == sorted(self.model), (names, sorted(self.model))

    def finish(self):
        self.ask(READ, b"/\0")  # its events come before the answer
        # Identical events that wait together are one.
        events, expected = squeeze([e.split(b"\0")[0].decode() for e in self.client.events]), squeeze(self.expected)
        assert events == expected, "%d events where %d were due" % (len(events), len(expected))


def squeeze(events):
    return [e for i, e in enumerate(events) if i == 0 or events[i - 1] != e]


class Counter(Worker):
    """Counts up in a place that it shares, in transactions."""
    done = 0

    def work(self):
        place = b"/shared/counter%d\0" % (self.number % 2)
        tx = int(ok(self.ask(START, b"\0"))[:-1])
        kind, data = self.ask(READ, place, tx)
        value = 0 if kind == ERROR else int(data)
        ok(self.ask(WRITE, place + b"%d" % (value + 1), tx))
        kind, data = self.ask(END, b"T\0", tx)
        assert kind != ERROR or data == b"EAGAIN\0", data
        self.done += kind != ERROR
        self.again += kind == ERROR


class Pipeliner(Worker):
    """Never waits for an answer before it asks more: the store has always something of it in its hands."""
    BURST = 1500

    def begin(self):
        self.sent = 0
        self.sender = threading.Thread(target=self.send)
        self.sender.start()

    def send(self):
        path = b"/pipe/%d\0" % self.number
        while not self.stop.is_set():
            numbers = range(self.sent + 1, self.sent + 1 + self.BURST)
            self.sent += self.BURST
            self.client.sock.sendall(b"".join(pack(WRITE, path + b"%d" % n, n) for n in numbers))

    def work(self):
        self.requests += 1
        ok(self.client.answer(self.requests))

    def finish(self):
        # Answers are taken also while the last burst goes out: a store that cannot answer does not read on.
        while self.sender.is_alive() or self.requests < self.sent:
            if self.requests < self.sent:
                self.work()
            else:
                self.sender.join(0.01)
        assert ok(self.ask(READ, b"/pipe/%d\0" % self.number)) == b"%d" % self.sent

    def ask(self, *args):
        self.client.next_id = self.requests
        return super().ask(*args)


class Comer(Worker):
    """Comes, asks one thing, and goes."""

    def work(self):
        self.client.sock.close()
        self.client = Timed(self.path)
        value = b"%d" % self.requests
        ok(self.ask(WRITE, b"/comers/%d\0" % self.number + value))
        assert ok(self.ask(READ, b"/comers/%d\0" % self.number)) == value


class Daemon:
    def __init__(self, binary, where):
        self.socket, self.pid_file, self.log = (os.path.join(where, name) for name in ("socket", "pid", "log"))
        subprocess.run([binary, "--no-rings", "-s", self.socket, "-p", self.pid_file, "-l", self.log], check=True, timeout=20)

    def pid(self):
        with open(self.pid_file) as f:
            return int(f.read() or 0)

    def end(self):
        """In order, also when a test gives up."""
        with open("/proc/%d/stat" % self.pid()) as f:
            os.kill(int(f.read().rsplit(")", 1)[1].split()[1]), signal.SIGTERM)

    def kill(self):
        """Waits until the one that took over serves: a store that dies at once again and again is another matter."""
        old = self.pid()
        os.kill(old, signal.SIGKILL)
        end = time.time() + TIMEOUT
        while time.time() < end:
            if self.pid() not in (0, old):
                return
            time.sleep(0.001)
        raise TimeoutError("no store took over from %d" % old)


def main():
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
    chance = random.Random(seed)
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="xsl-") as where:
        daemon = Daemon(sys.argv[1], where)
        kinds = (Modelled, Modelled, Modelled, Counter, Counter, Counter, Counter, Pipeliner, Comer, Comer)
        workers = [kind(daemon.socket, i, seed, stop) for i, kind in enumerate(kinds)]
        for w in workers:
            w.start()
        killed, trouble = 0, None
        try:
            while killed < kills and not any(w.error for w in workers):
                time.sleep(chance.random() * 0.06)
                daemon.kill()
                killed += 1
        except (TimeoutError, ProcessLookupError) as e:
            trouble = e
        stop.set()
        for w in workers:
            w.join(2 * TIMEOUT)
        check("a store takes over from each of %d that were killed (seed %d)" % (kills, seed), killed == kills and not trouble,
              trouble or killed)
        for w in workers:
            check("client %d, %s: %d requests, slowest %.0f ms%s" % (
                w.number, type(w).__name__, w.requests, 1000 * w.client.slowest,
                ", %d commits tried again" % w.again if w.again else ""), not w.error and not w.is_alive(), w.error or "hangs")
        last = Timed(daemon.socket)
        for i in range(2):
            due = sum(w.done for w in workers if isinstance(w, Counter) and w.number % 2 == i)
            value = last.question(READ, b"/shared/counter%d\0" % i)
            check("counter %d stands where its commits brought it" % i, value == (READ, b"%d" % due), (value, due))
        books = ok(last.question(CONTROL, b"check\0"))
        check("the books agree with the tree", books == b"OK\0", books)
        daemon.end()
        check("a store that is ended in order is not started again", wait_for(lambda: not os.path.exists(daemon.socket)))
        if not all(results):
            with open(daemon.log) as f:
                print(f.read()[-3000:])
    verdict("check-xenstore-killed")


main()
