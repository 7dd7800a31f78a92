# SPDX-License-Identifier: MIT
"""Rows of one run: the programs' lines of a console log, each with the plugin's window that belongs to it.

Both are cut into phases first ("=== phase NAME" in the log, P in the plugin's file), so that a phase that broke off loses
its own rows only. Within a phase the n-th row has the n-th window.
"""
import re
from collections import OrderedDict

ROW = re.compile(r"^([A-Z][A-Za-z0-9]+) (.*?) +n +(\d+) +min +([\d.]+) +med +([\d.]+|-)")
EVENTS = ("cr3", "invlpg", "iret", "sysret", "syscall", "msr", "io", "hlt")


class Row:
    """One figure, everything per operation. `hyp` is ring 0; `executed` is everybody's instructions."""

    def __init__(self, name, operations, ticks):
        self.name, self.operations, self.ticks = name, operations, ticks
        self.window, self.blocks = None, {}

    def __getattr__(self, name):
        if self.window is None:
            raise AttributeError(name)
        if name == "executed":
            return sum(self.window[a] for a in ("firmware", "hyp", "kern", "user"))
        return self.window[name]


def counters(words):
    return {words[i]: int(words[i + 1]) for i in range(0, len(words) - 1, 2)}


def read_log(path):
    """Yields (phase, rows), the phase "" being what comes before the first."""
    phases = OrderedDict({"": []})
    phase = ""
    with open(path, errors="replace") as f:
        for line in f:
            line = line.replace("\r", "")
            found = re.match(r"=== phase (\S+)", line)
            if found:
                phase = found.group(1)
                phases[phase] = []
            found = ROW.match(line)
            if found:
                name, operations, least, middle = found.groups()[1:]
                phases[phase].append(Row(name.strip(), int(operations), float(least if middle == "-" else middle)))
    return phases


def typical(batches):
    """Of a row's batches the middle one by ring-0 instructions: what else runs lands in one batch or another."""
    return sorted(batches, key=lambda b: b[0]["hyp"])[(len(batches) - 1) // 2]


def read_profile(path):
    """Returns (counters at user space or None, per phase the window and histogram of each row)."""
    boot, phases, blocks, batches = None, [[]], {}, []
    with open(path) as f:
        for line in f:
            words = line.split()
            if not words:
                continue
            if words[0] == "B" and boot is None:
                boot = counters(words[1:])
            elif words[0] == "P":
                phases.append([])
            elif words[0] == "H":
                key = words[1], int(words[2], 16)
                blocks[key] = blocks.get(key, 0) + int(words[3])
            elif words[0] == "w":
                batches.append((counters(words[1:]), blocks))
                blocks = {}
            elif words[0] == "W":
                phases[-1].append(typical(batches))
                batches = []
    return boot, phases


def load(log):
    """Returns ({phase: {name: [Row, ...]}}, boot counters, complaints)."""
    complaints, result = [], {}
    texts = read_log(log)
    boot, windows = read_profile(log + ".prof")
    for i, (phase, rows) in enumerate(texts.items()):
        mine = windows[i] if i < len(windows) else []
        if len(mine) != len(rows):
            complaints.append("%s: phase %s has %d rows but %d windows" % (log, phase or "(none)", len(rows), len(mine)))
        named = OrderedDict()
        for row, (window, blocks) in zip(rows, mine):
            row.window = {k: v / row.operations for k, v in window.items()}
            row.blocks = {k: v / row.operations for k, v in blocks.items()}
            named.setdefault(row.name, []).append(row)
        result[phase] = named
    return result, boot, complaints


def middle(rows):
    """Of several lives or repeats, the one in the middle by ring-0 instructions."""
    return sorted(rows, key=lambda r: r.hyp)[(len(rows) - 1) // 2]


def memory(log):
    """The hypervisor's memory, by label, in pages: {label: {total, free, domains, owning}}."""
    out = {}
    with open(log, errors="replace") as f:
        for line in f:
            found = re.match(r"MEM (\S+) total (\d+) free (\d+) domains (\d+) owning (\d+)", line)
            if found:
                out[found.group(1)] = dict(zip(("total", "free", "domains", "owning"), map(int, found.groups()[1:])))
    return out


def gangs(log):
    """By the number of guests: (requests a second of all together, of the slowest), if all were at work at once."""
    with open(log, errors="replace") as f:
        found = re.findall(r"^GANG (\d+) guests (\d+) IOPS (\d+) least (\d+)", f.read(), re.M)
    return {int(n): (int(iops), int(least)) for n, k, iops, least in found if n == k}


def missing_pages(log):
    """[(set, life, at the destroy's return, later)] where not all memory came back at once."""
    with open(log, errors="replace") as f:
        found = re.findall(r"^(\S+) life (\d+): pages missing at destroy's return (-?\d+), then (-?\d+)", f.read(), re.M)
    return [(s, int(n), int(a), int(b)) for s, n, a, b in found if int(a) or int(b)]
