# SPDX-License-Identifier: MIT
"""The table of `make bench` and its gates, from the rows in build/bench."""
import gzip
import os
import re

import costdoc
import rows

MIB_PAGES = 256
MACHINE_PAGES = 2048 * MIB_PAGES
XEN_MEMORY_MIB = 23         # what the gate names, for the 2 GiB machine
XEN_LINES_MINIMAL = 125473  # see README.md, "Source lines"
XEN_LINES_X86 = 291266
OURS_LINES_MAX = 14999       # of core/, pv/ and x86/, neither blank nor comment
IDLE_GUEST_KIB = 64          # beyond its page tables
FIXED_PER_MILLE, FIXED_MIB = 8, 4
FIRST_LINE_PART = 7          # create to an SDK guest's first line: of Xen's with xl (the aim is ten)

# (run, phase, row, what the table says, is it gated). Every row that a program printed goes to RUN.txt besides.
SUMMARY = [
    ("hvbench", "", "xen_version", "null hypercall (control domain)", True),
    ("calls", "hv", "xen_version", "null hypercall", True),
    ("calls", "hv", "multicall x32 xen_version", "multicall of 32 null calls", False),
    ("calls", "hv", "user syscall round trip", "system call, bare guest", True),
    ("calls", "hv", "#PF bounce + iret (skip)", "page fault, bare guest", True),
    ("calls", "hv", "unmap, touch, #PF, map, iret", "unmap, fault, map, bare guest", True),
    ("calls", "hv", "mmu_update change frame", "mmu_update, one entry", False),
    ("calls", "hv", "pin+unpin L1, 512 entries", "pin + unpin a full L1", False),
    ("calls", "hv", "evtchn send + upcall + iret", "event to itself", False),
    ("hvbench", "", "grant map + unmap (host_map)", "grant map + unmap (control domain)", False),
    ("calls", "hv", "grant copy 4096 B (frames)", "grant copy 4 KiB", False),
    ("calls", "glbench", "null syscall (getppid)", "null system call, Linux", True),
    ("calls", "glbench", "anon page fault (after DONTNEED)", "anonymous page fault, Linux", True),
    ("calls", "glbench", "file map fault, read (per page)", "mapped-file fault, Linux", True),
    ("calls", "glbench", "fork+exit+wait", "fork + exit + wait, Linux", False),
    ("calls", "glbench", "fork+exec+wait (static)", "fork + exec + wait, Linux", False),
    ("calls", "glbench", "pipe ping-pong, two processes", "pipe ping-pong, Linux", False),
    ("calls", "glbench", "clock_gettime", "clock_gettime, Linux", False),
    ("life", "cycle-tiny", "create to its return", "create, no kernel (spin)", True),
    ("life", "line", "create to first line", "create to an SDK guest's first line", True),
    ("life", "cycle-min", "create to guest up", "create to user space, Linux", True),
    ("life", "cycle-full", "create to guest up", "the same with vbd and vif", True),
    ("life", "cycle-tiny", "destroy", "destroy, no kernel (spin)", True),
    ("life", "cycle-min", "destroy", "destroy, Linux", True),
    ("life", "cycle-full", "destroy", "destroy, Linux with vbd and vif", True),
    ("block", "blk", "seq read 128k QD1", "block: read 128k, depth 1", False),
    ("block", "blk", "seq write 128k QD1", "block: write 128k, depth 1", False),
    ("block", "blk", "seq read 128k QD8", "block: read 128k, depth 8", False),
    ("block", "blk", "seq write 128k QD8", "block: write 128k, depth 8", False),
    ("block", "blk", "rand read 4k QD1", "block: read 4k, depth 1", False),
    ("block", "blk", "rand write 4k QD1", "block: write 4k, depth 1", False),
    ("block", "blk", "rand read 4k QD32", "block: read 4k, depth 32", False),
    ("block", "blk", "rand write 4k QD32", "block: write 4k, depth 32", False),
    ("net", "net", "TCP bulk guest to dom0 (per KiB)", "net: TCP out, per KiB", False),
    ("net", "net", "TCP bulk dom0 to guest (per KiB)", "net: TCP in, per KiB", False),
    ("net", "net", "TCP request/response 1 B", "net: TCP round trip 1 B", False),
    ("net", "net", "TCP request/response 1 KiB", "net: TCP round trip 1 KiB", False),
    ("net", "net", "UDP 64 B guest to dom0", "net: UDP 64 B out", False),
    ("net", "net", "UDP 64 B dom0 to guest", "net: UDP 64 B in", False),
    ("store", "xs", "xs read", "store: read", False),
    ("store", "xs", "xs write (same node)", "store: write", False),
    ("store", "xs", "xs transaction, 5 writes", "store: transaction, 5 writes", False),
    ("store", "xs", "xs write + watch event", "store: write and its event", False),
]
HEAD = "%-34s %11s %11s %6s | %11s %11s %6s | %8s %8s %7s %7s | %s" % (
    "instructions per operation", "ours ring 0", "Xen ring 0", "ratio", "ours all", "Xen all", "ratio",
    "our CR3", "Xen CR3", "invlpg", "Xen", "gate")


def figure(value):
    value = round(value, 2)     # below that it is a timer tick's, not the operation's
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if value >= size * (10 if unit != "k" else 1):
            return "%.4g%s" % (value / (1e3 if unit == "k" else size), unit)
    return "%.1f" % value if value < 100 and value != int(value) else "%.0f" % value


def ratio(a, b):
    return "%.3f" % (a / b) if b else "-"


class Gates:
    def __init__(self):
        self.lines, self.failed, self.unmeasured = [], 0, 0

    def check(self, name, ours, limit, text):
        if ours is None or limit is None:
            self.unmeasured += 1
            self.lines.append("UNMEASURED %s" % name)
            return "?"
        held = ours <= limit
        self.failed += not held
        self.lines.append("%s %s: %s" % ("PASS" if held else "FAIL", name, text))
        return "PASS" if held else "FAIL"


def line(name, ours, xen, gate):
    """Both have hyp, executed, cr3 and invlpg."""
    return "%-34s %11s %11s %6s | %11s %11s %6s | %8s %8s %7s %7s | %s" % (
        name, figure(ours.hyp), figure(xen.hyp), ratio(ours.hyp, xen.hyp), figure(ours.executed), figure(xen.executed),
        ratio(ours.executed, xen.executed), figure(ours.cr3), figure(xen.cr3), figure(ours.invlpg), figure(xen.invlpg),
        gate)


def gate_row(gates, name, ours, xen):
    """Ring-0 instructions, CR3 loads and INVLPG: none above Xen's. Returns the worst verdict."""
    verdicts = [gates.check("%s, %s" % (name, what), round(a, 2), round(b, 2), "%s, Xen %s" % (figure(a), figure(b)))
                for what, a, b in (("ring 0", ours.hyp, xen.hyp), ("CR3 loads", ours.cr3, xen.cr3),
                                   ("INVLPG", ours.invlpg, xen.invlpg))]
    return "FAIL" if "FAIL" in verdicts else "PASS"


class Boot:
    """From reset to the control domain's user space, the firmware's share left out of ring 0 but not of all."""

    def __init__(self, counters):
        self.hyp, self.cr3, self.invlpg = counters["hyp"], counters["cr3"], counters["invlpg"]
        self.executed = sum(counters[a] for a in ("firmware", "hyp", "kern", "user"))


class Life:
    """A guest's create and destroy together: pages are cleared in the one by us, in the other by Xen."""

    def __init__(self, phase, create):
        parts = [rows.middle(phase[r]) for r in (create, "destroy")]
        for what in ("hyp", "executed", "cr3", "invlpg"):
            setattr(self, what, sum(getattr(p, what) for p in parts))


def whole_lives(sides):
    lines = []
    for phase, create, name in (("cycle-tiny", "create to its return", "create + destroy, spin"),
                                ("cycle-min", "create to guest up", "create + destroy, Linux"),
                                ("cycle-full", "create to guest up", "create + destroy, vbd and vif")):
        both = [side["life"][0].get(phase, {}) for side in sides]
        if all(create in p and "destroy" in p for p in both):
            lines.append(line(name, Life(both[0], create), Life(both[1], create), ""))
    return lines


def gate_first_line(gates, sides):
    ours, xen = (side["life"][0].get("line", {}).get("create to first line") for side in sides)
    both = ours and xen
    ours, xen = (rows.middle(r).executed for r in (ours, xen)) if both else (None, None)
    gates.check("create to an SDK guest's first line at most a seventh of Xen's", ours, xen / FIRST_LINE_PART if both else None,
                both and "%s, Xen %s" % (figure(ours), figure(xen)))


def gate_user_bound(gates, native, ours):
    """A program that only computes: its own instructions and what interrupts it."""
    a, b = (costdoc.linux_value(side, "user loop 1M adds", "executed") for side in (ours, native))
    both = a is not None and b is not None
    gates.check("user-bound code within 0.2 % of native", a if both else None, b * 1.002 if both else None,
                both and "%s, native %s" % (figure(a), figure(b)))


def load(out, side, run):
    log = "%s/%s-%s.log" % (out, side, run)
    if not os.path.exists(log) or not os.path.exists(log + ".prof"):
        return {}, None, ["%s: no such run" % log]
    return rows.load(log)


def full_rows(path, ours, xen):
    """Every row of a run, side by side."""
    with open(path, "w") as f:
        for phase in list(xen) + [p for p in ours if p not in xen]:
            a, b = ours.get(phase, {}), xen.get(phase, {})
            f.write("phase %s\n%s\n" % (phase or "(control domain)", HEAD))
            for name in list(b) + [n for n in a if n not in b]:
                if name in a and name in b:
                    f.write(line(name, rows.middle(a[name]), rows.middle(b[name]), "") + "\n")
                else:
                    f.write("%-34s only %s has it\n" % (name, "Xen" if name in b else "ours"))
            f.write("\n")


def boot_line(gates, sides):
    ours, xen = ([b for b in (side[run][1] for run in side) if b] for side in sides)
    name = "reset to control domain user space"
    if not ours or not xen:
        gates.check(name, None, None, "")
        return "%-34s not measured" % name
    a, b = Boot(ours[0]), Boot(xen[0])
    return line(name, a, b, gate_row(gates, name, a, b))


def memory_lines(gates, out):
    ours, xen = (rows.memory("%s/%s-memory.log" % (out, s)) if os.path.exists("%s/%s-memory.log" % (out, s)) else {}
                 for s in ("ours", "xen"))

    def fixed(m):
        return MACHINE_PAGES - m["boot"]["free"] - m["boot"]["owning"] if "boot" in m else None

    def per_guest(m, some, none, count):
        if some not in m or none not in m:
            return None
        held = [m[k]["total"] - m[k]["free"] - m[k]["owning"] for k in (some, none)]
        return (held[0] - held[1]) / count

    lines = ["%-34s %14s %14s %6s" % ("memory", "ours", "Xen", "ratio")]
    for name, a, b in (
            ("of 2 GiB not a domain's, not free", fixed(ours), fixed(xen)),
            ("per Linux guest of 128 MiB", per_guest(ours, "linux-3", "boot", 3), per_guest(xen, "linux-3", "boot", 3)),
            ("per small guest of 8 MiB", per_guest(ours, "small-20", "linux-0", 20),
             per_guest(xen, "small-20", "linux-0", 20)),
            ("kept after 23 guests", per_guest(ours, "small-0", "boot", 1), per_guest(xen, "small-0", "boot", 1))):
        text = ["-" if v is None else "%.0f KiB" % (v * 4) for v in (a, b)]
        lines.append("%-34s %14s %14s %6s" % (name, text[0], text[1], ratio(a, b) if a is not None and b else "-"))
    a, b = fixed(ours), fixed(xen)
    gates.check("fixed memory below Xen's", a, b, a is not None and b is not None and "%d KiB, Xen %d KiB" % (a * 4, b * 4))
    gates.check("fixed memory below %d MiB" % XEN_MEMORY_MIB, a, XEN_MEMORY_MIB * MIB_PAGES, a is not None and "%d KiB" % (a * 4))
    limit = MACHINE_PAGES * FIXED_PER_MILLE // 1000 + FIXED_MIB * MIB_PAGES
    gates.check("fixed memory at most 0.8 %% of RAM and %d MiB" % FIXED_MIB, a, limit,
                a is not None and "%d KiB of %d" % (a * 4, limit * 4))
    idle = per_guest(ours, "small-20", "linux-0", 20)
    gates.check("memory per idle guest at most %d KiB" % IDLE_GUEST_KIB, idle, IDLE_GUEST_KIB / 4,
                idle is not None and "%d KiB" % (idle * 4))
    return lines


def gang_lines(gates, out):
    """What more guests get together out of one processor; a collapse would show at eight."""
    both = [rows.gangs("%s/%s-gang.log" % (out, s)) if os.path.exists("%s/%s-gang.log" % (out, s)) else {} for s in ("ours", "xen")]
    share = [100 * g[8][0] / g[2][0] if 2 in g and 8 in g else None for g in both]
    lines = ["%-34s %14s %14s" % ("4k reads a second, depth 32", "ours", "Xen")]
    for n in (2, 8):
        lines.append("%-34s %14s %14s" % ("%d guests together" % n, *(g[n][0] if n in g else "-" for g in both)))
        lines.append("%-34s %14s %14s" % ("  the slowest, of an even share", *(
            "%.1f %%" % (100 * n * g[n][1] / g[n][0]) if n in g else "-" for g in both)))
    lines.append("%-34s %14s %14s" % ("8 of 2", *("-" if s is None else "%.1f %%" % s for s in share)))
    gates.check("8 guests read at least 95 % of what 2 do", None if share[0] is None else 95, share[0], share[0] is not None and "%.1f %%" % share[0])
    return lines


def code_lines(root):
    """Lines of C, headers and assembly that are neither blank nor comment."""
    total = 0
    for directory, _, files in os.walk(root):
        for name in files:
            if name.endswith((".c", ".h", ".S", ".def")):
                with open(os.path.join(directory, name), errors="replace") as f:
                    text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
                total += sum(1 for l in text.splitlines() if l.strip() and not l.strip().startswith("//"))
    return total


def size_lines(gates):
    ours, xen = ("build/hypervisor/tenue", "build/images/xen")
    sizes = [os.path.getsize(p) for p in (ours, xen)]
    packed = [len(gzip.compress(open(p, "rb").read(), 9)) for p in (ours, xen)]
    count = code_lines("hypervisor")
    layers = sum(code_lines("hypervisor/" + d) for d in ("core", "pv", "x86"))
    gates.check("image at most a quarter of Xen's", sizes[0] * 4, sizes[1], "%d bytes, Xen %d" % tuple(sizes))
    return ["%-34s %14s %14s %6s" % ("size", "ours", "Xen", "ratio"),
            "%-34s %14d %14d %6s" % ("image, bytes", sizes[0], sizes[1], ratio(*sizes)),
            "%-34s %14d %14d %6s" % ("image, gzip -9", packed[0], packed[1], ratio(*packed)),
            "%-34s %14d %14d %6s" % ("source lines (Xen's as built small)", count, XEN_LINES_MINIMAL,
                                     ratio(count, XEN_LINES_MINIMAL)),
            "%-34s %14d %14d %6s" % ("core, pv, x86 (at most %d)" % OURS_LINES_MAX, layers, XEN_LINES_MINIMAL,
                                     ratio(layers, XEN_LINES_MINIMAL)),
            "%-34s %14d %14d %6s" % ("source lines (Xen's for x86)", count, XEN_LINES_X86, ratio(count, XEN_LINES_X86))]


def report(out, runs, whole, docs=None):
    gates, text, notes = Gates(), [HEAD], []
    sides = [{r: load(out, s, r) for r in runs} for s in ("ours", "xen")]
    for run in runs:
        full_rows("%s/%s.txt" % (out, run), sides[0][run][0], sides[1][run][0])
        notes += sides[0][run][2] + sides[1][run][2]
        for side in ("ours", "xen"):
            log = "%s/%s-%s.log" % (out, side, run)
            if os.path.exists(log):
                notes += ["%s %s life %d: %d pages missing when destroy returned, %d later" % ((side,) + m)
                          for m in rows.missing_pages(log)]
    if any(r not in ("hvbench",) for r in runs):
        text.append(boot_line(gates, sides))
    for run, phase, row, name, gated in SUMMARY:
        if run not in runs:
            continue
        a, b = (side[run][0].get(phase, {}).get(row) for side in sides)
        if not a or not b:
            text.append("%-34s not measured on %s" % (name, "either" if not a and not b else "Xen" if a else "ours"))
            if gated:
                gates.check(name, None, None, "")
            continue
        a, b = rows.middle(a), rows.middle(b)
        text.append(line(name, a, b, gate_row(gates, name, a, b) if gated else ""))
    if "calls" in runs:
        gate_user_bound(gates, load(out, "native", "calls")[0], sides[0]["calls"][0])
    if "life" in runs:
        text += whole_lives(sides)
        gate_first_line(gates, sides)
    text.append("")
    text += costdoc.target_lines(sides, runs) + [""]
    third = {r: load(out, "kernel", r) for r in runs if r in ("block", "net")}
    for run in third:
        text += costdoc.io_lines(sides, third, run) + [""]
    if "gang" in runs:
        text += gang_lines(gates, out) + [""]
    if "memory" in runs:
        text += memory_lines(gates, out) + [""]
    text += size_lines(gates)
    text += ["", "gates:"] + gates.lines
    text += ["note: " + n for n in notes]
    text.append("bench: %d gates held, %d failed, %d not measured%s; every row: %s/*.txt" % (
        len(gates.lines) - gates.failed - gates.unmeasured, gates.failed, gates.unmeasured,
        "" if whole else " (not the whole bench)", out))
    text = "\n".join(text)
    print(text)
    with open(out + "/report.txt", "w") as f:
        f.write(text + "\n")
    if docs:
        native = load(out, "native", "calls")[0]
        costdoc.write(sides, {r: load(out, "kernel", r) for r in ("block", "net")}, native, text, docs)
    return 1 if gates.failed else 2 if gates.unmeasured else 0
