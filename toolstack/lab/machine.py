# SPDX-License-Identifier: MIT
"""Where runs happen: a control domain that commands are given to, and how a run is made of them.

A place has run(text, timeout) -> (status, stdout, stderr), put(data, path), and `files`, the folder there with the guests' vmlinuz,
guest.cpio and tools.img (docs/lab.md says how to make them). Here is this control domain itself; the embedded
machine is tests/lab/embedded.py. What is common is in Session: guest files, the guests' words, the null disk, cleaning up.
"""
import base64
import json
import os
import re
import subprocess

from experiment import Run
from factors import DISK_KEYS, ExperimentError, pages

WORK = "/tmp/lab"
ADDRESS = "10.0.2"          # of guests and of the bridge; the embedded machine's net
FIRST_PORT = 5201           # of iperf3's servers, one a guest
MEMORY = 224                # MiB of a guest; of a ring-only one
RING_MEMORY = 32


# Shell: a module is unloaded, as soon as the backends of the run before are through with its devices. It would keep their number else.
GONE = "m=%s; for i in $(seq 100); do rmmod $m 2>/dev/null; [ -e /sys/module/$m ] || break; sleep 0.2; done; [ ! -e /sys/module/$m ] && "


class RunFailed(Exception):
    """A run that gave no figure, and why."""


class Here:
    """This control domain."""
    files = "/var/lib/tenue/lab"

    def __init__(self):
        if not os.path.exists("/proc/xen/capabilities"):
            raise ExperimentError("this machine is no control domain; boot one, or use `make lab` for the embedded machine")

    def run(self, text, timeout):
        try:
            done = subprocess.run(["sh", "-c", text], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            return 124, "", "no end within %d s" % timeout
        return done.returncode, done.stdout, done.stderr

    def put(self, data, path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)


class Toolstack:
    def __init__(self, command, log):
        self.command, self.log = command, log


TENUE = Toolstack("tenue", "/var/log/tenue/%s.console.log")
XL = Toolstack("xl", "/var/log/xen/guest-%s.log")


def toolstack(levels):
    """On Xen the kernel's backends are set up by whoever does it there."""
    return XL if levels["backend"] == "kernel" and levels["hypervisor"] == "xen" else TENUE


def together(per_guest, span):
    """The samples from when the last guest has begun to when the first one ends: outside, who works has the machine for fewer, and
    a sum would be more than there ever was. Where samples have no times (fio, iperf3), all of them."""
    if any(at is None for samples in per_guest for _, at in samples):
        return [[value for value, _ in samples] for samples in per_guest]
    begin = max(samples[0][1] for samples in per_guest) - span
    end = min(samples[-1][1] for samples in per_guest)
    within = [[value for value, at in samples if begin <= at - span and at <= end] for samples in per_guest]
    if min(map(len, within)) < 4:
        raise RunFailed("the guests worked together for %d ms only; let seconds be more" % (end - begin))
    return within


class Session:
    """One boot's runs."""

    def __init__(self, place, experiment):
        self.place, self.experiment = place, experiment
        self.at_work = []

    def check(self, text, timeout=120):
        status, out, err = self.place.run(text, timeout)
        if status != 0:
            raise RunFailed("%s: status %d: %s" % (text.splitlines()[0][:120], status, (err or out).strip()[-400:]))
        return out

    # -- a guest --------------------------------------------------------------------------------------------------
    def script(self, run, index):
        """What the guest does: prints `sample VALUE` lines between `lab begin` and `lab end`."""
        v, seconds = run.levels, self.experiment.seconds
        if self.experiment.workload == "ring":
            return ("lab.rw=%s lab.pages=%d lab.depth=%d lab.ms=%d lab.span=%d"
                    % (v["rw"], pages(v["bs"]), v["iodepth"], 1000 * seconds, self.span()))
        if self.experiment.workload == "fio":
            return ("fio --name=lab --filename=/dev/xvdb --direct=1 --ioengine=libaio --rw=%s --bs=%s --iodepth=%d --numjobs=%d"
                    " --time_based --runtime=%d --randrepeat=0 --randseed=%d --group_reporting --output-format=json"
                    " --output=/tmp/fio.json --write_iops_log=/tmp/fio --log_avg_msec=%d --per_job_logs=0 && samples_of_fio"
                    % (v["rw"], v["bs"], v["iodepth"], v["numjobs"], seconds, 1 + 64 * run.repetition + index,
                       self.span()))
        words = ["-R"] if v["direction"] == "in" else []
        words += ["-u", "-b", "0"] if v["protocol"] == "udp" else []
        return ("iperf3 -c %s.15 -p %d -t %d -i %g -P %d -l %d %s --json >/tmp/iperf3.json && samples_of_iperf3"
                % (ADDRESS, FIRST_PORT + index, seconds, max(0.1, seconds / 40), v["streams"], v["length"], " ".join(words)))

    def span(self):
        """Milliseconds that a sample of fio's stands for: forty of a run."""
        return max(50, self.experiment.seconds * 1000 // 40)

    @staticmethod
    def disk(run, index):
        v, target = run.levels, ("/dev/ram%d" if run.levels["device"] == "memory" else "/dev/nullb%d") % index
        keys = "".join("%s=%s," % (k, v[k]) for k in DISK_KEYS if k in v)
        if toolstack(v) is XL:
            return "phy:%s,xvdb,w" % target
        return "format=raw,vdev=xvdb,access=rw,%s%starget=%s" % (Session.backend(v), keys, target)

    @staticmethod
    def backend(levels):
        return "backend=kernel," if levels["backend"] == "kernel" and toolstack(levels) is TENUE else ""

    def ring_file(self, run, index):
        """A guest that is nothing but the load."""
        return ["name = 'lab%d'" % index, "type = 'pv'", "kernel = '%s/ring-load'" % self.place.files, "memory = %d" % RING_MEMORY,
                "vcpus = %d" % run.levels["vcpus"], "extra = '%s'" % self.script(run, index),
                "disk = ['%s']" % self.disk(run, index).replace("xvdb", "xvda")]

    def linux_file(self, run, index):
        v = run.levels
        words = base64.b64encode(self.script(run, index).encode()).decode()
        disks = ["format=raw,vdev=xvda,access=ro,target=%s/tools.img" % self.place.files]
        if self.experiment.workload == "fio":
            disks.append(self.disk(run, index))
        lines = ["name = 'lab%d'" % index, "type = 'pv'",
                 "kernel = '%s/vmlinuz'" % self.place.files, "ramdisk = '%s/guest.cpio'" % self.place.files,
                 "memory = %d" % MEMORY, "vcpus = %d" % v["vcpus"],
                 "extra = 'console=hvc0 quiet nokaslr random.trust_cpu=on lab.address=%s.%d lab.span=%d lab.run=%s'"
                 % (ADDRESS, 100 + index, self.span(), words),
                 "disk = [%s]" % ", ".join("'%s'" % d for d in disks)]
        if self.experiment.workload == "iperf3":
            lines.append("vif = ['%smac=00:16:3e:1a:b0:%02x,bridge=xenbr0']" % (self.backend(v), index))
        return lines

    def guest_file(self, run, index, processors):
        v = run.levels
        lines = self.ring_file(run, index) if self.experiment.workload == "ring" else self.linux_file(run, index)
        if v["pin"] == "each":
            lines.append("cpus = '%d'" % (index % processors))
        lines += ["on_%s = 'destroy'" % event for event in ("poweroff", "reboot", "crash")]
        return "\n".join(lines) + "\n"

    # -- a run ----------------------------------------------------------------------------------------------------
    def prepare(self, run):
        v = run.levels
        if v["backend"] == "kernel":
            self.check("modprobe -a xen-blkback xen-netback")
        if self.experiment.workload == "iperf3":
            for i in range(v["guests"]):
                self.check("iperf3 -s -D -1 -p %d" % (FIRST_PORT + i))
        elif v["device"] == "memory":
            self.check(GONE % "brd" + "modprobe brd rd_nr=%d rd_size=65536" % v["guests"])
        else:
            # Answers at once in the submitter's context, or by a timer.
            mode = "irqmode=2 completion_nsec=%d" % (v["delay-us"] * 1000) if v["device"] == "paced" else "irqmode=0"
            self.check(GONE % "null_blk" + "modprobe null_blk nr_devices=%d gb=1 bs=512 submit_queues=4 %s" % (v["guests"], mode))

    def go(self, run):
        """The samples of a run, one list a guest."""
        stack = toolstack(run.levels)
        guests = ["lab%d" % i for i in range(run.levels["guests"])]
        processors = int(self.check("%s info | sed -n 's/^nr_cpus *: *//p'" % stack.command))
        try:
            self.prepare(run)
            for i, guest in enumerate(guests):
                self.place.put(self.guest_file(run, i, processors).encode(), "%s/%s.cfg" % (WORK, guest))
                self.check("rm -f %s; %s create -q -p %s/%s.cfg" % (stack.log % guest, stack.command, WORK, guest), 300)
                self.at_work.append(guest)
            self.check("for g in %s; do %s unpause $g || exit 1; done" % (" ".join(guests), stack.command))
            return together([self.samples(self.wait(stack, guest)) for guest in guests], self.span())
        finally:
            self.clean_up(stack)

    def wait(self, stack, guest):
        limit = 300 + 20 * self.experiment.seconds      # an emulated second may take long
        text = self.check("for i in $(seq %d); do grep -q '^lab end' %s 2>/dev/null && break; sleep 0.5; done; cat %s"
                          % (2 * limit, stack.log % guest, stack.log % guest), 4 * limit).replace("\r", "")
        if "lab end" not in text:
            raise RunFailed("%s said nothing of an end within %d s; its last words: %s" % (guest, limit, text[-400:]))
        return text

    def clean_up(self, stack):
        for guest in self.at_work:
            self.place.run("%s destroy %s" % (stack.command, guest), 120)
        self.at_work = []
        self.place.run("pkill iperf3; rmmod null_blk; rmmod brd", 60)

    @staticmethod
    def samples(text):
        values = [(float(x), int(at) if at else None) for x, at in re.findall(r"^sample ([\d.e+]+)(?: (\d+))?$", text, re.M)]
        if "lab end 0" not in text or len(values) < 4:
            raise RunFailed("the workload failed: %s" % text[-400:])
        return values

    def versions(self):
        """What runs here, for the record."""
        out = {}
        for name, text in (("kernel", "uname -r"), ("hypervisor", "cat /sys/hypervisor/version/major /sys/hypervisor/version/minor "
                            "/sys/hypervisor/version/extra | tr '\\n' ' '"), ("machine", "head -n 30 /proc/cpuinfo | grep -m1 name")):
            out[name] = self.place.run(text, 30)[1].strip()
        return out


def commands(experiment):
    """The guests' command lines and guest files of every combination, as the archive keeps them."""
    session = Session(Here, experiment)
    return json.dumps([{"levels": levels, "command": session.script(Run(i, 0, levels), 0),
                        "guest file": session.guest_file(Run(i, 0, levels), 0, 1)}
                       for i, levels in enumerate(experiment.cells())], indent=1)
