# SPDX-License-Identifier: MIT
"""One face for our command and for Xen's xl, so that a scenario runs with either."""
import json
import re


class Tenue:
    name = "tenue"
    services = "tenue"
    overlays = ()

    def __init__(self, machine):
        self.m = machine

    def ready(self):
        return "[ -e /run/tenue/ready ]"

    def create(self, cfg, timeout=120):
        return self.m.check("tenue create %s" % cfg, timeout)

    def rows(self):
        """name -> domid of every domain that the command lists, the control domain included."""
        return {r["name"]: r["domid"] for r in json.loads(self.m.check("tenue list --json"))}

    def console(self, name):
        return "exec tenue console %s" % name

    def shutdown(self, name, timeout=120):
        self.m.check("tenue shutdown -w %s" % name, timeout)

    def reboot(self, name, timeout=120):
        self.m.check("tenue reboot %s" % name, timeout)

    def destroy(self, name, timeout=60):
        self.m.check("tenue destroy %s" % name, timeout)

    def free_bytes(self):
        return json.loads(self.m.check("tenue info --json"))["free_memory_bytes"]


class Xl:
    """Xen's own: the reference. It reports free memory in MiB only."""
    name = "xl"
    services = "xen"
    overlays = ("build/images/xen-tools.cpio",)

    def __init__(self, machine):
        self.m = machine

    def ready(self):
        return "[ -e /run/tenue/ready ]"

    def create(self, cfg, timeout=120):
        return self.m.check("sed 's/^name/type = \"pv\"\\n&/' %s >/tmp/xl.cfg && xl create -q /tmp/xl.cfg" % cfg, timeout)

    def rows(self):
        out = self.m.check("xl list")
        return {w[0]: int(w[1]) for w in (line.split() for line in out.splitlines()[1:]) if w}

    def console(self, name):
        # xenconsole wants a terminal as its input, which a test is not; its pty is what it would open.
        return ("tty=$(xenstore-read /local/domain/$(xl domid %s)/console/tty); stty raw -echo <$tty; "
                "cat <$tty & exec cat >$tty" % name)

    def shutdown(self, name, timeout=120):
        self.m.check("xl shutdown -w %s" % name, timeout)

    def reboot(self, name, timeout=120):
        self.m.check("xl reboot %s" % name, timeout)

    def destroy(self, name, timeout=60):
        self.m.check("xl destroy %s" % name, timeout)

    def free_bytes(self):
        return int(re.search(r"free_memory\s*: (\d+)", self.m.check("xl info")).group(1)) << 20


TOOLSTACKS = {"tenue": Tenue, "xl": Xl}


def store_paths(machine):
    """Every path of the store, without values."""
    out = machine.check("xenstore-ls -f /")
    return {line.split(" = ")[0].rstrip() for line in out.splitlines() if line.startswith("/")}


def store_nodes_of(paths, domid):
    """Paths that belong to a guest: below its home, or a backend's or a tool's directory named by its number."""
    owned = re.compile(r"/local/domain/%d(/|$)|/backend/\w+/%d(/|$)|^/libxl/%d(/|$)" % ((domid,) * 3))
    return sorted(p for p in paths if owned.search(p))
