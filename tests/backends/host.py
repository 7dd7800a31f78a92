#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test of the device host (libtenue-devhost.a through tenue-device) without a hypervisor.

Usage: host.py TENUE-DEVICE XENSTORE-LITE

A real store, and in place of blkback a script that behaves as told: well, or as a backend would that a
guest has taken over. Looks at what the host writes, relays, refuses and reports; at a guest that writes its state in a loop
and long or wrong values (BE-9), or makes every key of its own point to another's (XS-15).

Sabotage: let back_message_allowed() return true always ("a key outside the list"); drop the token
bucket in device_front_changed() ("a state written in a loop"); leave out waitpid()'s status in
on_exit_of_process() ("a backend that dies"); leave out the closing of descriptors in spawn.c ("descriptors"); in
nodes.c let devhost_remove_nodes() take its second path from the front's node "backend" ("no other is touched"), or relay
every key in nodes_read_front() ("others are not", "nothing of it reaches the backend"); in capture.c leave out the unlink() ("ready" does not come); in spawn.c hand over no capture
("what was recorded is left").
"""
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from ledger import check, verdict, wait_for  # noqa: E402

FAKE = r'''#!%s
import os, socket, struct, sys, time
here = os.path.dirname(os.path.abspath(sys.argv[0]))
how = open(here + "/behaviour").read()
s = socket.socket(fileno=3)
START, FRONT, CLOSE, BACK, FAIL = 1, 2, 3, 4, 5
def decode(data):
    magic, version, kind, count = struct.unpack("<IHHI", data[:12])
    parts = data[12:].split(b"\0")[:-1]
    return kind, dict(zip([p.decode() for p in parts[0::2]], [p.decode() for p in parts[1::2]]))
def send(kind, **pairs):
    body = b"".join(k.replace("_", "-").encode() + b"\0" + v.encode() + b"\0" for k, v in pairs.items())
    s.send(struct.pack("<IHHI", 0x54444556, 1, kind, len(pairs)) + body)
start = decode(s.recv(8192))
fronts = 0
if how == "descriptors":
    fds = [fd for fd in range(1024) if os.path.exists("/proc/self/fd/%%d" %% fd)]
    send(FAIL, reason="fds=%%s env=%%s uid=%%s" %% (fds[:10], sorted(set(os.environ) - {"LC_CTYPE"}), start[1]["uid"]))
if how == "bad-key":
    send(BACK, state="2", params="/etc/shadow")
    time.sleep(5)
if how == "capture" and start[1]["capture"] == "1":
    import mmap
    with mmap.mmap(9, 16 << 20) as m: # as block/capture.c: what is recorded, then that it is
        m[128:192] = b"r" * 64
        m[48:56] = struct.pack("<Q", 64)
if how == "rubbish":
    s.send(b"\0" * 100)
    time.sleep(5)
if how == "wrong-type":
    send(START, domid="0")
    time.sleep(5)
if how == "die":
    sys.stderr.write("last words\x1b[2J\n")
    sys.exit(3)
send(BACK, state="2", feature_persistent="1")
while True:
    data = s.recv(8192)
    if not data:
        break
    kind, pairs = decode(data)
    if kind == CLOSE:
        send(BACK, state="5")
    elif kind == FRONT:
        fronts += 1
        open(here + "/fronts", "a").write(repr(pairs) + "\n")
        if pairs["state"] == "3":
            send(BACK, state="4", sectors="100")
        if pairs["state"] in ("0", "6"):
            send(BACK, state="6")
            break
''' % sys.executable

class Bench:
    """A store, a directory with the fake backend, and one tenue-device at a time."""

    def __init__(self, device, store):
        self.tmp = tempfile.TemporaryDirectory(prefix="devhost-")
        self.dir = self.tmp.name
        self.env = dict(os.environ, XENSTORED_PATH=self.dir + "/socket", XENSTORED_RUNDIR=self.dir,
                        TENUE_BACKEND_DIR=self.dir)
        subprocess.run([store, "--no-rings", "--pid-file", self.dir + "/pid", "--socket",
                        self.dir + "/socket", "--log", self.dir + "/log"], check=True, timeout=20)
        with open(self.dir + "/blkback", "w") as f:
            f.write(FAKE)
        os.chmod(self.dir + "/blkback", 0o755)
        with open(self.dir + "/image", "wb") as f:
            f.truncate(1 << 20)
        self.device = device
        self.process = None

    def run(self, *command):
        return subprocess.run(command, env=self.env, timeout=20, text=True, capture_output=True)

    def read(self, path):
        return self.run("xenstore-read", path).stdout.strip()

    def back(self, key):
        return self.read("/local/domain/0/backend/vbd/5/51712/" + key)

    def write_front(self, **pairs):
        args = []
        for key, value in pairs.items():
            args += ["/local/domain/5/device/vbd/51712/" + key.replace("_", "-"), value]
        self.run("xenstore-write", *args)

    def start(self, behaviour, *options):
        open(self.dir + "/fronts", "w").close()
        with open(self.dir + "/behaviour", "w") as f:
            f.write(behaviour)
        self.run("xenstore-write", "/local/domain/5", "")
        self.out = open(self.dir + "/out", "w+")
        self.err = open(self.dir + "/err", "w+")
        self.process = subprocess.Popen(
            [self.device, "block", "--domid", "5", "--vdev", "xvda", "--image", self.dir + "/image",
             "--write-nodes", *options], env=self.env, stdout=self.out, stderr=self.err)

    def said(self, text):
        with open(self.dir + "/out") as f, open(self.dir + "/err") as g:
            return text in f.read() + g.read()

    def fronts(self):
        with open(self.dir + "/fronts") as f:
            return f.read().splitlines()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def close(self):
        with open(self.dir + "/pid") as f:
            os.kill(int(f.read()), signal.SIGTERM)
        self.tmp.cleanup()


def test_life(b):
    b.start("good")
    check("ready", wait_for(lambda: b.said("ready")))
    listing = b.run("xenstore-ls", "-fp", "/local/domain").stdout
    check("permissions of the front",
          any("/5/device/vbd/51712 " in l and "(n5,r0)" in l for l in listing.split("\n")), listing)
    check("permissions of the back",
          any("/backend/vbd/5/51712 " in l and "(n0,r5)" in l for l in listing.split("\n")), listing)
    check("features are written", b.back("feature-persistent") == "1" and b.back("state") == "2")
    b.write_front(ring_ref="8", event_channel="9", protocol="x86_64-abi", nonsense="1",
                  feature_persistent="a\nb", ring_page_order="9" * 300)
    b.write_front(state="3")
    check("connected", wait_for(lambda: b.said("connected")) and b.back("sectors") == "100")
    told = b.fronts()[-1]
    check("guest's keys are relayed", "'ring-ref': '8'" in told and "'event-channel': '9'" in told, told)
    check("others are not", "nonsense" not in told and "feature-persistent" not in told
          and "ring-page-order" not in told and "virtual-device" not in told, told)
    b.process.send_signal(signal.SIGTERM)
    check("unplug is asked for", wait_for(lambda: b.back("state") == "5") and b.back("online") == "0")
    b.write_front(state="6")
    check("and ends in order", b.process.wait(8) == 0)
    check("nodes are gone", b.run("xenstore-exists", "/local/domain/0/backend/vbd/5").returncode == 1
          and b.run("xenstore-exists", "/local/domain/5/device/vbd/51712").returncode == 1)


def test_vanished_front(b):
    b.start("good")
    wait_for(lambda: b.said("ready"))
    b.write_front(state="3")
    wait_for(lambda: b.said("connected"))
    b.run("xenstore-rm", "/local/domain/5/device")
    check("a guest that pulls its nodes", wait_for(lambda: b.said("closed")), b.fronts())
    b.stop()


def test_hostile(b):
    for behaviour in ("bad-key", "rubbish", "wrong-type"):
        b.start(behaviour)
        name = {"bad-key": "a key outside the list", "rubbish": "bytes that are no message",
                "wrong-type": "a message of the host's own"}[behaviour]
        check(name + " kills the backend", wait_for(lambda: b.said("died")) and b.said("signal 9"))
        check(name + " ends with a failure", b.stop() == 1)
        if behaviour == "bad-key":
            check("and is named", b.said('may not write key "params"'))


def test_death(b):
    b.start("die")
    check("a backend that dies is reported", wait_for(lambda: b.said("died")) and b.said("status 3"))
    check("its last words are kept, harmless", b.said("vbd 5/51712: last words?[2J"))
    b.stop()
    b.start("good", "--restarts", "2")
    wait_for(lambda: b.said("ready"))
    pid = int(open(b.dir + "/out").read().split("pid=")[1].split()[0])
    b.write_front(state="3")
    wait_for(lambda: b.said("connected"))
    os.kill(pid, signal.SIGKILL)
    check("a backend that is killed is started again", wait_for(lambda: b.said("restarted")))
    check("the reason is logged, and the store still says connected", b.said("signal 9") and not b.back("error")
          and b.back("state") in ("4", "2"), b.back("error"))
    check("and hears the front's state", wait_for(lambda: len(b.fronts()) >= 3), b.fronts())
    b.stop()
    b.start("die", "--restarts", "3")
    check("one that only ever dies is given up", wait_for(lambda: b.said("died")) and b.said("restarted (3)")
          and not b.said("restarted (4)") and b.said("did nothing; given up"))
    b.stop()
    b.start("good", "--keep")
    wait_for(lambda: b.said("ready"))
    pid = int(open(b.dir + "/out").read().split("pid=")[1].split()[0])
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: False, 0.2)
    b.process.send_signal(signal.SIGTERM)
    check("a backend that hangs is ended after the time", wait_for(lambda: b.process.poll() is not None, 12)
          and b.said("did not close in time"))


def test_state_loop(b):
    b.start("good", "--keep")
    wait_for(lambda: b.said("ready"))
    # Slow enough that the host has a turn between two changes: each would be a message.
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(b.dir + "/socket")
        for i in range(800):
            payload = b"/local/domain/5/device/vbd/51712/state\0" + b"12"[i % 2:i % 2 + 1]
            s.sendall(struct.pack("<IIII", 11, i, 0, len(payload)) + payload)
            s.recv(4096)
            time.sleep(0.002)
    check("a state written in a loop is looked at now and then", 1 <= len(b.fronts()) <= 200, len(b.fronts()))
    b.write_front(state="3")
    check("and the last state counts", wait_for(lambda: b.said("connected")))
    b.write_front(state="6")
    b.stop()


def test_rewritten_keys(b):
    """XS-15: at each step all that the guest can write points elsewhere; what is done is what the host's own records say."""
    mine, back = "/local/domain/5/device/vbd/51712", "/local/domain/0/backend/vbd/5/51712"
    other = {"/local/domain/0/backend/vbd/6/51712/state": "2", "/local/domain/0/backend/vbd/6/51712/frontend": "/nothing",
             "/local/domain/6/device/vbd/51712/state": "1", "/victim/params": "/etc/shadow"}
    for path, value in other.items():
        b.run("xenstore-write", path, value)

    def rewrite(step):
        for key in set(b.run("xenstore-list", mine).stdout.split()) | {"params", "mode", "frontend", "online", "sectors"}:
            if key not in ("state", "ring-ref", "event-channel", "protocol"):
                for value in ("6", "/victim", "/local/domain/0/backend/vbd/6/51712"):
                    b.run("xenstore-write", mine + "/" + key, value)
        check("%s: the host's own nodes stay" % step, b.back("params") == b.dir + "/image" and b.back("mode") == "w"
              and b.back("frontend") == mine, b.run("xenstore-ls", back).stdout)

    b.start("good")
    wait_for(lambda: b.said("ready"))
    rewrite("before connecting")
    b.write_front(ring_ref="8", event_channel="9", protocol="x86_64-abi")
    b.write_front(state="3")
    check("it connects", wait_for(lambda: b.said("connected")) and b.back("sectors") == "100")
    told = " ".join(b.fronts())
    check("nothing of it reaches the backend", "victim" not in told and "/6/" not in told and "params" not in told, told)
    rewrite("while it runs")
    b.process.send_signal(signal.SIGTERM)
    wait_for(lambda: b.back("state") == "5")
    rewrite("while it closes")
    b.write_front(state="6")
    check("it ends", b.process.wait(8) == 0)
    check("its own nodes are gone", b.run("xenstore-exists", back).returncode == 1 and b.run("xenstore-exists", mine).returncode == 1)
    check("no other is touched", all(b.read(path) == value for path, value in other.items()))
    for path in ("/local/domain/0/backend/vbd/6", "/local/domain/6", "/victim"):
        b.run("xenstore-rm", path)


def test_refusals(b):
    b.start("good", "--keep")
    wait_for(lambda: b.said("ready"))
    second = b.run(b.device, "block", "--domid", "6", "--vdev", "xvda", "--image", b.dir + "/image")
    check("an image in use is refused", second.returncode == 1 and "in use" in second.stderr, second.stderr)
    b.write_front(state="6")
    b.stop()
    for options, word in ((("--image", b.dir + "/none"), "No such file"), (("--image", b.dir), "neither")):
        r = b.run(b.device, "block", "--domid", "6", "--vdev", "xvda", *options)
        check("refused: " + word, r.returncode == 1 and word in r.stderr, r.stderr)
    r = b.run(b.device, "net", "--domid", "6", "--mac", "01:00:00:00:00:01")
    check("a group address is refused", r.returncode == 1 and "01:00:00:00:00:01" in r.stderr, r.stderr)
    r = b.run(b.device, "net", "--domid", "6", "--mac", "00:16:3e:00:00:01", "--bridge", "nosuchbr")
    check("a missing bridge is refused", r.returncode == 1 and "ip link add nosuchbr" in r.stderr, r.stderr)
    r = b.run(b.device, "block", "--domid", "6")
    check("wrong usage is status 2", r.returncode == 2)


def test_descriptors(b):
    b.start("descriptors", "--keep")
    wait_for(lambda: b.said("error pid"))
    check("descriptors: channel, journal, life pipe, meter, no group and image, no environment, a user of its own",
          b.said("fds=[0, 1, 2, 3, 4, 5, 6, 7, 8] env=[] uid=200005"), open(b.dir + "/out").read())
    b.write_front(state="6")
    b.stop()


def test_capture(b):
    """A file of its full size, which the backend has; what it did not use is cut off at the end; another life, another file."""
    path = b.dir + "/capture"
    with open(path, "w") as f:
        f.write("of another life")
    b.start("capture", "--keep", "--capture", path)
    wait_for(lambda: b.said("ready"))
    with open(path, "rb") as f:
        head = f.read(128)
        check("16 MiB, recording, root's", os.fstat(f.fileno()).st_size == 16 << 20 and head[:8] == b"TENUECAP"
              and struct.unpack("<I", head[16:20])[0] == 1 and os.fstat(f.fileno()).st_mode & 0o777 == 0o600, head)
    b.write_front(state="6")
    b.stop()
    with open(path, "rb") as f:
        text = f.read()
    check("what was recorded is left, and nobody records", len(text) == 192 and text[128:] == b"r" * 64
          and text[16:20] == bytes(4), len(text))
    for at, word in ((b.dir + "/none/capture", "its folder: No such file"), (b.dir, "no plain file")):
        b.start("good", "--capture", at)
        check("refused: " + word, wait_for(lambda: b.process.poll() is not None) and b.process.wait() == 1 and b.said(word)
              and b.said(at), open(b.dir + "/err").read())


def main():
    b = Bench(sys.argv[1], sys.argv[2])
    try:
        for test in (test_life, test_vanished_front, test_hostile, test_death, test_state_loop,
                     test_rewritten_keys, test_refusals, test_descriptors, test_capture):
            test(b)
    finally:
        b.close()
    verdict("backends-host")


main()
