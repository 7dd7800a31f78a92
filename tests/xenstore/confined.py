#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The running store and its keeper, as the kernel sees them (BE-11); what still works between the two.

Usage: confined.py DAEMON

Sabotage: in main.c leave out confine_enter() (user, capabilities, filter, root directory); in keeper.c remove the
files at every end (a store killed), never (a store that ends), or close nothing but its socket's other end
(descriptors); in log.c let open_again() call log_make() (new logs fail for want of a path).
"""
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from ledger import check, verdict, wait_for  # noqa: E402

LOG_MAX = 1 << 20


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def alive(pid):
    try:
        return status(pid)["State"][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Store:
    """A daemon in a directory of its own; its process and its keeper's."""

    def __init__(self, binary, where):
        self.socket, self.pid_file, self.log = (os.path.join(where, name) for name in ("socket", "pid", "log"))
        subprocess.run([binary, "--no-rings", "-s", self.socket, "-p", self.pid_file, "-l", self.log], check=True, timeout=20)
        self.look()

    def look(self):
        with open(self.pid_file) as f:
            self.pid = int(f.read())
        with open("/proc/%d/task/%d/children" % (self.pid, self.pid)) as f:
            self.keeper = int(f.read())
        self.guard = int(status(self.pid)["PPid"])

    def replaced(self):
        """The guard has started another, which serves."""
        try:
            before = self.pid
            self.look()
            self.print_to_log(b"here again")
            return self.pid != before
        except (OSError, ValueError, KeyError):
            return False

    def print_to_log(self, text, count=1):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.socket)
            for _ in range(count):
                body = b"print\0" + text + b"\0"
                s.sendall(struct.pack("<IIII", 0, 1, 0, len(body)) + body)
                head = s.recv(16, socket.MSG_WAITALL)
                s.recv(struct.unpack("<IIII", head)[3], socket.MSG_WAITALL)

    def logged(self, name=None):
        with open(name or self.log) as f:
            return f.read()

    def descriptors(self, pid):
        where = "/proc/%d/fd" % pid
        return [os.readlink(os.path.join(where, fd)) for fd in os.listdir(where)]


def looks_confined(s):
    for name, pid, uid in (("store", s.pid, "199999"), ("keeper", s.keeper, "0")):
        seen = status(pid)
        check("%s: user and group %s" % (name, uid), seen["Uid"].split() == [uid] * 4 == seen["Gid"].split(), seen["Uid"])
        check("%s: no further groups" % name, not seen["Groups"].split(), seen["Groups"])
        check("%s: no capability in any set" % name,
              all(int(seen[key], 16) == 0 for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")))
        check("%s: no new privileges, a filter" % name, (seen["NoNewPrivs"], seen["Seccomp"]) == ("1", "2"))
    check("store: the root directory is empty", os.listdir("/proc/%d/root/" % s.pid) == [])
    check("store: no file is open but the log and the null device",
          [f for f in s.descriptors(s.pid) if f.startswith("/") and f not in (s.log, "/dev/null")] == [], s.descriptors(s.pid))
    check("keeper: nothing is open but its socket", [f.split(":")[0] for f in s.descriptors(s.keeper)] == ["socket"],
          s.descriptors(s.keeper))


def logs(s):
    os.rename(s.log, s.log + ".away")
    os.kill(s.pid, signal.SIGHUP)
    check("SIGHUP brings a new log from the keeper", wait_for(lambda: os.path.exists(s.log)))
    s.print_to_log(b"after the hangup")
    check("and it is written to", "after the hangup" in s.logged())
    s.print_to_log(b"x" * 450, LOG_MAX // 450 + 10)
    check("a log that grows is put away", wait_for(lambda: os.path.exists(s.log + ".1")))
    check("at its limit", LOG_MAX <= os.path.getsize(s.log + ".1") < LOG_MAX + 1000, os.path.getsize(s.log + ".1"))
    check("and the new one is short", os.path.getsize(s.log) < 200000, os.path.getsize(s.log))


def ends(binary):
    with tempfile.TemporaryDirectory() as where:
        s = Store(binary, where)
        os.kill(s.pid, signal.SIGTERM)
        check("a store that ends takes socket and pid file with it",
              wait_for(lambda: not alive(s.pid)) and sorted(os.listdir(where)) == ["log"], os.listdir(where))
        check("and its keeper", wait_for(lambda: not alive(s.keeper)))
        check("and its guard", wait_for(lambda: not alive(s.guard)))
        s = Store(binary, where)
        keeper = s.keeper
        os.kill(s.pid, signal.SIGKILL)
        check("a store that is killed takes its keeper with it", wait_for(lambda: not alive(keeper)))
        check("and another takes its place", wait_for(s.replaced))
        looks_confined(s)
        os.kill(s.keeper, signal.SIGKILL)
        wait_for(lambda: not alive(s.keeper))
        s.print_to_log(b"alone")
        check("a store without its keeper goes on", alive(s.pid) and "alone" in s.logged())
        os.kill(s.pid, signal.SIGTERM)
        check("and can end", wait_for(lambda: not alive(s.pid)))
        os.unlink(s.socket)
        os.unlink(s.pid_file)
        s = Store(binary, where)
        os.kill(s.guard, signal.SIGTERM)
        check("a guard that is to end ends its store", wait_for(lambda: not alive(s.pid) and not os.path.exists(s.socket)))
        s = Store(binary, where)
        os.kill(s.guard, signal.SIGKILL)
        check("a store whose guard is killed ends, and takes its files with it",
              wait_for(lambda: not alive(s.pid) and sorted(os.listdir(where)) == ["log"]), os.listdir(where))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if os.geteuid():
        print("SKIP everything: needs root\nxenstore-confined: 0 passed, 0 failed, 1 skipped")
        return
    binary = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as where:
        s = Store(binary, where)
        looks_confined(s)
        logs(s)
        os.kill(s.pid, signal.SIGTERM)
        wait_for(lambda: not alive(s.pid))
    ends(binary)
    verdict("xenstore-confined")


main()
