# SPDX-License-Identifier: MIT
"""What each operation may cost at most, in instructions: the rows of the cost table, with Xen's figures of the day the
targets were set. `Target.figure` takes a side's runs as table.load() gives them."""
import rows

ALL, RING0 = "executed", "hyp"


class Part(float):
    pass


class Target:
    """`limit` may be a part of what Xen needs in the same bench: Part(0.1)."""

    def __init__(self, name, run, phase, row, what, limit, per=1, less=None, native=None):
        self.name, self.run, self.phase, self.row = name, run, phase, row
        self.what, self.limit, self.per, self.less = what, limit, per, less
        self.native = native  # the row of the same name in the native run, if there is one

    def one(self, side, row):
        found = side.get(self.run, ({},))[0].get(self.phase, {}).get(row)
        return getattr(rows.middle(found), self.what) if found else None

    def at_most(self, xen):
        if isinstance(self.limit, Part):
            return None if xen is None else self.limit * xen
        return self.limit

    def figure(self, side):
        value, less = self.one(side, self.row), self.one(side, self.less) if self.less else 0
        return None if value is None or less is None else (value - less) / self.per


def bare(name, row, limit, **more):
    """From the bare guest as control domain: guest and hypervisor together."""
    return Target(name, "hvbench", "", row, ALL, limit, **more)


TARGETS = [
    bare("xen_version", "xen_version", 110),
    bare("stack_switch", "stack_switch", 95),
    bare("multicall of 32", "multicall x32 xen_version", 2400),
    bare("user system call round trip", "user syscall round trip", 260),
    bare("#PF bounce + iret", "#PF bounce + iret (skip)", 270),
    bare("event send + upcall + iret", "evtchn send + upcall + iret", 350),
    bare("block, wake by timer, upcall", "timer 50us + block, upcall", 2500),
    bare("mmu_update, one", "mmu_update change frame", 450),
    bare("mmu_update, each in a batch", "mmu_update x64 clear + x64 set", 180, per=128),
    bare("update_va_mapping + invlpg", "update_va_mapping change, invlpg", 400),
    bare("store to a page table, emulated", "direct PTE write (ptwr emulation)", 700),
    bare("pin + unpin, per present L1 entry", "pin+unpin L1, 512 entries", 100, per=512, less="pin+unpin L1, empty"),
    bare("emulated rdmsr", "emulated rdmsr (FS_BASE)", 450),
    bare("emulated cpuid", "emulated cpuid (ud2 prefix)", 200),
    bare("emulated port read", "emulated in from port 0x80", 450),
    bare("grant map + unmap", "grant map + unmap (host_map)", 1100),
    bare("grant copy, 64 bytes by reference", "grant copy 64 B (source ref)", 600),
    Target("fork + exit, ring 0", "calls", "lbench", "fork+exit+wait", RING0, 200e3),
    Target("fork + exec, ring 0", "calls", "lbench", "fork+exec+wait (static)", RING0, 430e3),
    Target("Linux create to user space, ring 0", "life", "cycle-min", "create to guest up", RING0, 90e6),
    Target("destroy, per page, ring 0", "life", "cycle-min", "destroy", RING0, 620, per=128 * 256),
    Target("empty 64 MiB guest: create", "life", "cycle-tiny", "create to its return", ALL, 6e6),
    Target("empty 64 MiB guest: destroy", "life", "cycle-tiny", "destroy", ALL, 12e6),
    Target("SDK guest: create to first line", "life", "line", "create to first line", ALL, Part(0.1)),
    Target("disk and NIC: create, vcpu runs", "life", "start-full", "create to its return", ALL, 60e6),
]

# I/O, as ratio to Xen's whole (its kernel's backends): at most by our backends, at most by the kernel's on ours. Ring 0's own
# ratio is at most IO_RING0 everywhere.
IO_RING0 = 0.4
IO = {
    ("block", "blk"): [(row, 0.8, 0.7 if "QD1" in row and "4k" in row else 0.8) for row in (
        "seq read 128k QD1", "seq write 128k QD1", "seq read 128k QD8", "seq write 128k QD8", "rand read 4k QD1",
        "rand write 4k QD1", "rand read 4k QD32", "rand write 4k QD32")],
    ("net", "net"): [
        ("TCP bulk guest to dom0 (per KiB)", 1.1, 0.8), ("TCP bulk dom0 to guest (per KiB)", 1.1, 0.8),
        ("TCP request/response 1 B", 0.85, 0.7), ("TCP request/response 1 KiB", 0.85, 0.7),
        ("UDP 64 B guest to dom0", 0.95, 0.8), ("UDP 64 B dom0 to guest", 0.95, 0.8)],
}

# User-bound and kernel-bound work of one Linux process, beside the same kernel without a hypervisor.
LINUX_PHASE = "lbench"


def verdict(value, limit):
    return "-" if value is None or limit is None else "met" if value <= limit else "NOT met"
