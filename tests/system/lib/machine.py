# SPDX-License-Identifier: MIT
"""Boots a reference machine and gives its test channel.

    with Machine("name", hv="xen", append="tenue.services=none") as m:
        status, out, err = m.run("xenstore-ls")

The machine itself is described in images/machine.sh. Logs stay in build/logs: NAME.console (the hypervisor's and the
control domain's console), NAME.emulator (what the emulator said).
"""
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time

from lib.agent import Agent, AgentError, CommandFailed  # noqa: F401 (handed on to the tests)

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../../.."))
# TENUE_IMAGE: another build of ours, as a debug one. TENUE_SANITIZED: an overlay with our programs built with sanitizers;
# a test then fails if one of them has reported anything (lib/sanitized.py).
HYPERVISORS = {"tenue": os.environ.get("TENUE_IMAGE", "build/hypervisor/tenue"), "xen": "build/images/xen"}

SANITIZED = os.environ.get("TENUE_SANITIZED")


def end_with_parent():
    """In the child: a test that is killed must not leave its emulator running. PR_SET_PDEATHSIG survives the exec."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def hypervisor_default():
    """HV=tenue or HV=xen in the environment; else ours where it is built."""
    named = os.environ.get("HV")
    if named:
        if named not in HYPERVISORS:
            sys.exit("HV=%s: tenue or xen" % named)
        return named
    return "tenue" if os.path.exists(os.path.join(TOP, HYPERVISORS["tenue"])) else "xen"


class Machine:
    def __init__(self, name, hv=None, append="", hv_append="", overlays=(), disk="build/images/data.img",
                 boot_timeout=150, options=(), emulator=(), ramdisk="build/images/control.cpio", quiet=True):
        """overlays: cpio archives laid over the control domain's ramdisk; options: more words for machine.sh;
        emulator: more arguments for the emulator itself."""
        self.name = name + ("-sanitized" if SANITIZED else "")
        self.hv = hv or hypervisor_default()
        self.log = os.path.join("build/logs", self.name + ".console")
        self.boot_timeout = boot_timeout
        self.process = None
        self.directory = tempfile.TemporaryDirectory(prefix="tenue-")
        socket = os.path.join(self.directory.name, "agent")
        self.agent = Agent(socket)
        os.makedirs(os.path.join(TOP, "build/logs"), exist_ok=True)
        overlays = list(overlays) + ([SANITIZED] if SANITIZED else [])
        if overlays:
            ramdisk = self._join([ramdisk] + overlays)
        self.command = ["images/machine.sh", "--hv", HYPERVISORS[self.hv], "--hv-append", hv_append,
                        "--kernel", "build/images/vmlinux-control", "--ramdisk", ramdisk,
                        "--append", ("quiet " if quiet else "") + append,
                        "--console", "file:" + self.log, "--agent", socket]
        if disk:
            self.command += ["--disk", disk]
        self.command += list(options)
        if emulator:
            self.command += ["--"] + list(emulator)

    def _join(self, archives):
        """The kernel unpacks archives that follow one another, so an overlay is appended, not merged."""
        joined = os.path.join(self.directory.name, "ramdisk.cpio")
        with open(joined, "wb") as out:
            for archive in archives:
                with open(os.path.join(TOP, archive), "rb") as f:
                    out.write(f.read())
                out.write(b"\0" * (-out.tell() % 512))
        return joined

    def boot(self):
        with open(os.path.join(TOP, "build/logs", self.name + ".emulator"), "wb") as errors:
            self.process = subprocess.Popen(self.command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=errors,
                                            stderr=errors, start_new_session=True, preexec_fn=end_with_parent)
        try:
            self.agent.connect(self.alive, self.boot_timeout)
        except AgentError as e:
            self.stop()
            raise AgentError("%s: %s; the console's last lines:\n%s" % (self.name, e, self.console()[-1500:]))
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def wait_end(self, timeout):
        """Waits for the machine to end by itself (a reset or power-off); False if it has not by then."""
        try:
            self.process.wait(timeout)
            return True
        except subprocess.TimeoutExpired:
            return False

    def stop(self):
        """Ends the emulator, whatever the machine is doing."""
        if self.alive():
            os.killpg(self.process.pid, signal.SIGTERM)
            if not self.wait_end(5):
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.agent.close()
        self.directory.cleanup()

    def reset(self, timeout=30):
        """The end of a test: a reset, which ends the emulator."""
        if self.alive():
            try:
                self.agent.start("sync; reboot -f")
            except AgentError:
                pass    # it ended by itself meanwhile
            self.wait_end(timeout)
        self.stop()

    def console(self):
        try:
            with open(os.path.join(TOP, self.log), errors="replace", newline="") as f:
                return f.read().replace("\r", "")
        except OSError:
            return ""

    # -- shorthands for the agent -----------------------------------------------------------------------------------
    def run(self, text, timeout=60, stdin=None):
        return self.agent.run(text, timeout, stdin)

    def check(self, text, timeout=60, stdin=None):
        return self.agent.check(text, timeout, stdin)

    def start(self, text, stdin=False):
        return self.agent.start(text, stdin)

    def put(self, data, path, mode=0o644):
        self.agent.put(data, path, mode)

    def until(self, text, timeout, pause=0.25):
        """Repeats a shell command until it succeeds; returns its output."""
        end = time.monotonic() + timeout
        while True:
            status, out, err = self.run(text, max(1, end - time.monotonic()))
            if status == 0:
                return out
            if time.monotonic() > end:
                raise CommandFailed("%s: still status %d after %g s\n%s%s" % (text, status, timeout, out[-1000:], err[-1000:]))
            time.sleep(pause)

    def __enter__(self):
        return self.boot()

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.reset()
        else:
            self.stop()
