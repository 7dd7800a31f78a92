# SPDX-License-Identifier: MIT
"""What the fault scenarios share: a machine with the whole stack, guests with a role, and the ledger.

A guest tells what it sees on its console; the console backend's log is what is read here, so no pty and no login is
needed, and nothing is missed while nobody looks. A guest's role is a word of its command line (tests/faults/guest/role).
"""
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))
from lib.agent import AgentError, CommandFailed  # noqa: E402
from lib.machine import SANITIZED, TOP, Machine  # noqa: E402,F401
from lib.sanitized import no_reports  # noqa: E402
from lib.toolstack import Tenue, store_nodes_of, store_paths  # noqa: E402

IMAGES = "/var/lib/tenue/images"
OVERLAY = "build/tests/faults/control.cpio"
LINUX = "%s/vmlinux" % IMAGES       # unpacked already: saves every guest's start the unpacking
RAMDISK = "/usr/share/faults/guest.cpio"
ROGUE = "/usr/share/faults/rogue"
FAILURES = (AssertionError, AgentError, CommandFailed)


class Ledger:
    """Prints one line a step. A step that fails does not end the run unless it says so: the next fault is another one."""

    def __init__(self, name, machine=None):
        self.name, self.machine = name, machine
        self.passed = self.failed = 0
        self.begin = time.monotonic()

    def step(self, title, action):
        start = time.monotonic()
        sys.stdout.write("%-66s" % title)
        sys.stdout.flush()
        try:
            note = action()
        except FAILURES as e:
            self.failed += 1
            print("FAILED after %.1f s\n%s" % (time.monotonic() - start, e), flush=True)
            self.diagnose()
            return False
        self.passed += 1
        print("%6.1f s  %s" % (time.monotonic() - start, note or ""), flush=True)
        return True

    def diagnose(self):
        if not self.machine or not self.machine.alive():
            return
        print("--- the console's last lines\n" + "\n".join(self.machine.console().splitlines()[-12:]))
        try:
            print(self.machine.run("tail -n 8 /var/log/tenue/*.log; tenue list", 20)[1])
        except AgentError as e:
            print(e)

    def end(self):
        """Ends the machine, prints the ledger's line; never returns."""
        if self.machine:
            if SANITIZED and self.machine.alive():
                self.step("no sanitizer has reported anything", lambda: no_reports(self.machine))
            self.machine.stop()
        print("in %.0f s" % (time.monotonic() - self.begin))
        print("%s: %d passed, %d failed" % (self.name, self.passed, self.failed), flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)


class Host:
    """The control domain of one machine: its guests, its logs, what is left when a guest is gone."""

    def __init__(self, machine):
        self.m = machine
        self.tools = Tenue(machine)
        self.resting = {}       # kind of guest -> free bytes after the first one's end

    def up(self):
        self.m.until(self.tools.ready(), 90)

    # -- guests -------------------------------------------------------------------------------------------------------
    def guest(self, name, role, disk=None, memory=160, vif="", on_crash="preserve"):
        """Creates a Linux guest that plays a role."""
        self.create(name, kernel=LINUX, ramdisk=RAMDISK, extra="console=hvc0 quiet role=%s" % role, memory=memory,
                    disk=disk, vif=vif, on_crash=on_crash)

    def rogue(self, mode, disk=None, vif=""):
        self.create("rogue", kernel=ROGUE, extra=mode, memory=32, disk=disk, vif=vif)

    def create(self, name, kernel, extra, memory, ramdisk=None, disk=None, vif="", on_crash="preserve", vcpus=1,
               maptrack=0, keys="", spec=""):
        """disk: a raw image, and keys more of its words; or spec: the whole of it."""
        lines = ['name = "%s"' % name, 'kernel = "%s"' % kernel, 'extra = "%s"' % extra, "memory = %d" % memory,
                 'on_crash = "%s"' % on_crash, "vcpus = %d" % vcpus,
                 "max_maptrack_frames = %d" % maptrack]
        if ramdisk:
            lines.append('ramdisk = "%s"' % ramdisk)
        if disk:
            lines.append('disk = [ "%s,raw,xvda,w%s" ]' % (disk, keys and "," + keys))
        elif spec:
            lines.append('disk = [ "%s" ]' % spec)
        if vif:
            lines.append('vif = [ "%s" ]' % vif)
        self.m.put("\n".join(lines).encode() + b"\n", "/tmp/%s.cfg" % name)
        self.m.check("rm -f /var/log/tenue/%s.log /var/log/tenue/%s.console.log*" % (name, name))
        self.tools.create("/tmp/%s.cfg" % name)

    def disk(self, name, mib=16, where=IMAGES):
        path = "%s/%s.img" % (where, name)
        self.m.check("rm -f %s; truncate -s %dM %s" % (path, mib, path))
        return path

    def said(self, name):
        """Everything on a guest's console so far."""
        return self.m.run("cat /var/log/tenue/%s.console.log" % name)[1].replace("\r", "")

    def log(self, name):
        return self.m.run("cat /var/log/tenue/%s.log" % name)[1]

    def fill_log(self, name):
        """As if somebody had made a guest's or the store's log grow for days."""
        self.m.check("rm -f {0}.1; yes padding | head -c 1100000 >>{0}".format("/var/log/tenue/%s.log" % name))

    def log_was_cut(self, name):
        path = "/var/log/tenue/%s.log" % name
        assert self.size(path) < 100000 and self.size(path + ".1") > 1000000, "%s goes on growing" % path

    def size(self, path):
        """Bytes of a file; 0 when there is none."""
        return int(self.m.run("stat -c %%s %s 2>/dev/null || echo 0" % path)[1])

    def domid(self, name):
        return self.tools.rows().get(name)

    def domids(self):
        return sorted(row["domid"] for row in json.loads(self.m.check("tenue list --json")))

    def state(self, name):
        for row in json.loads(self.m.check("tenue list --json")):
            if row["name"] == name:
                return row["state"]
        return None

    # -- waiting for what must come -----------------------------------------------------------------------------------
    def wait(self, what, look, timeout):
        """Until look() is true; returns it."""
        end = time.monotonic() + timeout
        while True:
            value = look()
            if value:
                return value
            assert time.monotonic() < end, "not within %g s: %s" % (timeout, what)
            time.sleep(0.3)

    def says(self, name, pattern, timeout):
        """The first match of a pattern on a guest's console."""
        found = []

        def look():
            match = re.search(pattern, self.said(name), re.M)
            if match:
                found.append(match)
            return match

        try:
            self.wait("", look, timeout)
        except AssertionError:
            raise AssertionError("%s does not say '%s' within %g s; it said:\n%s"
                                 % (name, pattern, timeout, self.said(name)[-1000:]))
        return found[0]

    def logs(self, name, pattern, timeout=10):
        """The line of a guest's log that says why."""
        try:
            return self.wait("", lambda: re.search(".*(?:%s).*" % pattern, self.log(name)), timeout).group(0)
        except AssertionError:
            raise AssertionError("%s.log does not say '%s' within %g s:\n%s" % (name, pattern, timeout, self.log(name)))

    def hypervisor_says(self, pattern, timeout=10):
        return self.wait("the hypervisor says '%s'" % pattern, lambda: re.search(pattern, self.m.console()), timeout)

    # -- what must hold -----------------------------------------------------------------------------------------------
    def round_of(self, name):
        """Rounds of a verifying guest so far; any that was not well is an error."""
        said = self.said(name)
        bad = re.findall(r"^.*: round \d+: (?!ok$).*$", said, re.M)
        assert not bad, "%s is not unharmed:\n%s" % (name, "\n".join(bad[-5:]))
        rounds = re.findall(r": round (\d+): ok$", said, re.M)
        numbers = [int(n) for n in rounds]
        assert numbers == list(range(1, len(numbers) + 1)), "%s lost lines: %s" % (name, numbers[-10:])
        return len(numbers)

    def unharmed(self, name, more=2, timeout=60):
        """A verifying guest completes more rounds, all well."""
        first = self.round_of(name)
        self.wait("%s goes on; it stands at round %d" % (name, first), lambda: self.round_of(name) >= first + more, timeout)

    def nothing_of(self, name, domid):
        """After a destroy: not listed, no store nodes, no processes of its devices."""
        assert name not in self.tools.rows(), "%s is still listed" % name
        nodes = store_nodes_of(store_paths(self.m), domid)
        assert not nodes, "store nodes are left: %s" % nodes[:10]
        left = self.helpers(domid)
        assert not left, "processes are left: %s" % left

    def removed(self, name, domid):
        """The same, and the hypervisor's books balance."""
        self.nothing_of(name, domid)
        if self.m.hv == "tenue":
            self.m.check("tenue audit")

    def memory_back(self, kind):
        """Free memory after this end equals that after the first end of the same kind of guest."""
        free = self.tools.free_bytes()
        first = self.resting.setdefault(kind, free)
        assert free == first, "free memory is %d bytes, after the first end it was %d: %+d" % (free, first, free - first)
        return "%d bytes free" % free

    def helpers(self, domid):
        """The backends of a guest, program -> process number: each guest's run as a user of their own."""
        out = self.m.check("grep -Es '^(Name|Pid|Uid):' /proc/[0-9]*/status; true")
        fields = r"status:Name:\t(\S+)\n\S+status:Pid:\t(\d+)\n\S+status:Uid:\t%d\t" % (200000 + domid)
        return {program: int(pid) for program, pid in re.findall(fields, out)}


# For scenarios that start a program hundreds of times. With addresses at random the emulator translates it anew each time and keeps
# all of that by the page; when the page is given to somebody else, each byte that clears it looks through the whole list. After
# 200 backends that took minutes for a page, and the control domain stood still meanwhile.
FIXED_ADDRESSES = "tenue.services=tenue norandmaps"


def machine(name, hv="tenue", **more):
    overlays = [OVERLAY] + list(more.pop("overlays", ()))
    return Machine("scenario-" + name, hv, more.pop("append", "tenue.services=tenue"), overlays=overlays, **more)
