# SPDX-License-Identifier: MIT
"""What an experiment may vary: every factor by name, with its values and where it acts.

A factor acts on the boot (another hypervisor), on the guest file, on the disk's line in it, or on the workload. Adding one is a
row here. Units and ranges are those of tenue.cfg(5), fio(1) and iperf3(1).
"""

BOOT, GUEST, DISK, REQUESTS, FIO, IPERF3 = "boot", "guest file", "disk", "requests", "fio", "iperf3"


class ExperimentError(Exception):
    """What is wrong with an experiment, in a sentence that names the file and the key."""


class Factor:
    def __init__(self, acts_on, what, words=None, least=None, most=None):
        self.acts_on, self.what = acts_on, what
        self.words, self.least, self.most = words, least, most

    def complaint(self, value):
        """None, or what is wrong with a value."""
        if self.words:
            return None if value in self.words else "is one of " + ", ".join(self.words)
        if isinstance(value, bool) or not isinstance(value, int):
            return "is a whole number"
        return None if self.least <= value <= self.most else "is from %d to %d" % (self.least, self.most)


SIZES = ["512", "1k", "2k", "4k", "8k", "16k", "32k", "64k", "128k", "256k", "512k", "1m"]

FACTORS = {
    "hypervisor": Factor(BOOT, "which hypervisor runs", ["tenue", "xen"]),
    "backend": Factor(BOOT, "whose backends serve: ours, or the control domain kernel's", ["ours", "kernel"]),
    "guests": Factor(GUEST, "guests at a time; the figure is their sum", least=1, most=32),
    "vcpus": Factor(GUEST, "vcpus of each", least=1, most=32),
    "pin": Factor(GUEST, "guests pinned to processors in turn", ["none", "each"]),
    "device": Factor(DISK, "what the disk is: answers at once, after `delay-us`, or is memory", ["null", "paced", "memory"]),
    "delay-us": Factor(DISK, "a paced disk's time for a request, in microseconds", least=1, most=1000000),
    "queues": Factor(DISK, "rings of a disk", least=1, most=8),
    "ring-order": Factor(DISK, "pages of a ring, as a power of two", least=0, most=4),
    "indirect": Factor(DISK, "segments of an indirect request; 0: none", least=0, most=256),
    "grants": Factor(DISK, "how data crosses", ["persistent", "map", "copy"]),
    "batch": Factor(DISK, "answers before the guest is notified", least=1, most=256),
    "batch-us": Factor(DISK, "or microseconds", least=0, most=100000),
    "poll-us": Factor(DISK, "microseconds that the backend looks at the ring before it sleeps", least=0, most=100000),
    "rw": Factor(REQUESTS, "pattern", ["read", "write", "randread", "randwrite", "randrw"]),
    "bs": Factor(REQUESTS, "block size", SIZES),
    "iodepth": Factor(REQUESTS, "requests in flight of a job", least=1, most=1024),
    "numjobs": Factor(FIO, "jobs of a guest", least=1, most=64),
    "direction": Factor(IPERF3, "of the data, seen from the guest", ["out", "in"]),
    "protocol": Factor(IPERF3, "of the data", ["tcp", "udp"]),
    "streams": Factor(IPERF3, "connections of a guest", least=1, most=64),
    "length": Factor(IPERF3, "bytes of a write or datagram", least=16, most=65507),
}

DEFAULTS = {
    "hypervisor": "tenue", "backend": "ours", "guests": 1, "vcpus": 1, "pin": "none",
    "device": "null", "delay-us": 100, "rw": "randread", "bs": "4k", "iodepth": 32, "numjobs": 1,
    "direction": "out", "protocol": "tcp", "streams": 1, "length": 65507,
}

WORKLOADS = {"fio": (FIO, REQUESTS, DISK), "ring": (REQUESTS, DISK), "iperf3": (IPERF3,)}

# Keys of a disk's line in the guest file. What an experiment leaves out is left out there, too.
DISK_KEYS = ("queues", "ring-order", "indirect", "grants", "batch", "batch-us", "poll-us")

# What the ring-only load can do (tests/guests/ring-load): whole pages, one ring of one page.
RING_WORDS = {"rw": ["read", "write", "randread", "randwrite"], "bs": ["4k", "8k", "16k", "32k"]}
RING_DEPTH, RING_PAGES = 32, 256
RING_NOT = ("queues", "ring-order", "indirect")


def pages(bs):
    return int(bs.rstrip("k")) // 4


def ring_complaint(levels):
    """None, or why the ring-only load cannot be this combination."""
    for name, words in RING_WORDS.items():
        if levels[name] not in words:
            return "%s = %r: of workload ring one of %s" % (name, levels[name], ", ".join(words))
    for name in RING_NOT:
        if name in levels:
            return "%s: does nothing to ring, which has one ring of one page" % name
    if levels["iodepth"] > RING_DEPTH or levels["iodepth"] * pages(levels["bs"]) > RING_PAGES:
        return "iodepth = %d: of workload ring at most %d, and %d pages in all" % (levels["iodepth"], RING_DEPTH, RING_PAGES)
    return None
