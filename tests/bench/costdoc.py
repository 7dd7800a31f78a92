# SPDX-License-Identifier: MIT
"""The cost table: targets with met or not, as text for the report, and docs/cost.md with docs/cost.svg."""
import os
import re

import rows
import targets

BAR_WIDTH, BAR_HEIGHT, LEFT, GAP = 420, 9, 250, 9


def figure(value):
    if value is None:
        return "-"
    for unit, size in (("M", 1e6), ("k", 1e4)):
        if value >= size:
            return "%.1f%s" % (value / (1e6 if unit == "M" else 1e3), unit)
    return "%.0f" % value


def ratio(a, b):
    return "%.2f" % (a / b) if a is not None and b else "-"


def target_rows(sides, runs):
    """[(name, what, ours, xen, limit, verdict)]"""
    found = []
    for t in targets.TARGETS:
        if t.run in runs:
            ours, xen = t.figure(sides[0]), t.figure(sides[1])
            limit = t.at_most(xen)
            found.append((t.name, t.what, ours, xen, limit, targets.verdict(ours, limit)))
    return found


def target_lines(sides, runs):
    table = target_rows(sides, runs)
    lines = ["%-36s %10s %10s %6s %10s  %s" % ("targets", "ours", "Xen", "ratio", "at most", "")]
    lines += ["%-36s %10s %10s %6s %10s  %s" % (name, figure(ours), figure(xen), ratio(ours, xen), figure(limit), verdict)
              for name, _, ours, xen, limit, verdict in table]
    return lines


def linux_value(side, name, what):
    """Of a row of lbench in the control domain, or None."""
    found = side.get(targets.LINUX_PHASE, {}).get(name)
    return getattr(rows.middle(found), what) if found else None


def linux_rows(native, ours, xen):
    """Every row of lbench in the control domain: [(name, native, ours, xen, ours in ring 0)]"""
    value = linux_value
    names = list(ours.get(targets.LINUX_PHASE, {}))
    return [(n, value(native, n, "executed"), value(ours, n, "executed"), value(xen, n, "executed"), value(ours, n, "hyp"))
            for n in names]


def svg(table):
    """One pair of bars a row: ours and the target, as parts of Xen's."""
    shown = [r for r in table if r[2] is not None and r[3]]
    height = len(shown) * (2 * BAR_HEIGHT + GAP) + 40
    out = ['<!-- SPDX-License-Identifier: MIT; written by make bench-docs -->',
           '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">'
           % (LEFT + BAR_WIDTH + 60, height),
           '<rect width="100%" height="100%" fill="white"/>',
           '<text x="%d" y="16">instructions, as a part of Xen 4.17\'s (full width); thin bar: the target</text>' % 8]
    y = 30
    for name, _, ours, xen, limit, verdict in shown:
        part, goal = min(ours / xen, 1), min(limit / xen, 1)
        colour = "#3a7d44" if verdict == "met" else "#b5533c"
        out.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (LEFT - 8, y + BAR_HEIGHT + 3, name.replace("&", "&amp;")))
        out.append('<rect x="%d" y="%d" width="%d" height="%d" fill="#eeeeee"/>' % (LEFT, y, BAR_WIDTH, 2 * BAR_HEIGHT))
        out.append('<rect x="%d" y="%d" width="%.0f" height="%d" fill="%s"/>'
                   % (LEFT, y, part * BAR_WIDTH, BAR_HEIGHT + 3, colour))
        out.append('<rect x="%d" y="%d" width="%.0f" height="%d" fill="#888888"/>'
                   % (LEFT, y + BAR_HEIGHT + 4, goal * BAR_WIDTH, BAR_HEIGHT - 5))
        out.append('<text x="%d" y="%d">%.0f %%</text>' % (LEFT + BAR_WIDTH + 8, y + BAR_HEIGHT + 3, 100 * ours / xen))
        y += 2 * BAR_HEIGHT + GAP
    return "\n".join(out + ["</svg>", ""])


def markdown(head, body):
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return lines + ["| " + " | ".join(r) + " |" for r in body]


BLOCK = [("read 4 KiB, depth 1", "rand read 4k QD1"), ("write 4 KiB, depth 1", "rand write 4k QD1"),
         ("read 4 KiB, depth 32", "rand read 4k QD32"), ("write 4 KiB, depth 32", "rand write 4k QD32"),
         ("read 128 KiB, depth 1", "seq read 128k QD1"), ("write 128 KiB, depth 1", "seq write 128k QD1"),
         ("read 128 KiB, depth 8", "seq read 128k QD8"), ("write 128 KiB, depth 8", "seq write 128k QD8")]


def block_rows(sides):
    phases = [side.get("block", ({},))[0].get("blk", {}) for side in sides]
    for name, row in BLOCK:
        if all(row in p for p in phases):
            ours, xen = (rows.middle(p[row]) for p in phases)
            yield (name, figure(ours.hyp), figure(ours.executed), figure(xen.executed), ratio(ours.executed, xen.executed),
                   "%.1f" % ours.cr3, "%.1f" % xen.cr3)


def io_rows(sides, kernel, run=None):
    """Whose backends serve, on ours, beside the kernel's on Xen: [(name, Xen's all, then for ours and for the kernel's all, its
    ratio, what it may be, verdict, ring 0's ratio)]. A side that was not measured has None."""
    found = []
    for (name, phase), wanted in targets.IO.items():
        if run not in (None, name):
            continue
        ours, third, xen = (side.get(name, ({},))[0].get(phase, {}) for side in (sides[0], kernel, sides[1]))
        for row, *limits in wanted:
            if row not in xen:
                continue
            theirs, cells = rows.middle(xen[row]), []
            for side, limit in zip((ours, third), limits):
                mine = rows.middle(side[row]) if row in side else None
                part = mine and mine.executed / theirs.executed
                cells.append((mine and mine.executed, part, limit, targets.verdict(part, limit), mine and mine.hyp / theirs.hyp))
            found.append((row, theirs.executed, cells))
    return found


def io_lines(sides, kernel, run=None):
    lines = ["%-34s %9s | %9s %6s %7s %7s %6s | %9s %6s %7s %7s %6s" % (
        "I/O: backends beside Xen's", "Xen", "ours", "ratio", "at most", "", "ring 0", "kernel's", "ratio", "at most", "", "ring 0")]
    for row, theirs, cells in io_rows(sides, kernel, run):
        text = "%-34s %9s" % (row, figure(theirs))
        for value, part, limit, verdict, ring0 in cells:
            text += " | %9s %6s %7.2f %7s %6s" % (figure(value), "-" if part is None else "%.3f" % part, limit, verdict,
                                                  "-" if ring0 is None else "%.2f" % ring0)
        lines.append(text)
    return lines if len(lines) > 1 else []


def write(sides, kernel, native, report, folder):
    """docs/cost.md from the template beside this file: {targets}, {linux}, {block}, {memory} are tables of the last run."""
    table = target_rows(sides, list(sides[0]))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "cost.md.in")) as f:
        text = f.read()
    body = [(n + (" (ring 0)" if w == targets.RING0 and "ring 0" not in n else ""), figure(a), figure(b), ratio(a, b),
             figure(limit), v) for n, w, a, b, limit, v in table]
    calls = [side.get("calls", ({},))[0] for side in sides]
    linux = [(n, figure(nat), figure(a), ratio(a, nat), figure(b), ratio(b, nat), figure(hyp))
             for n, nat, a, b, hyp in linux_rows(native, calls[0], calls[1])]
    memory = re.findall(r"^(memory|of 2 GiB.*?|per .*?guest.*?|kept.*?|image.*?|source lines.*?|core, pv, x86.*?)  +(\S.*?)  +(\S.*?) +(\S+)$",
                        report, re.M)
    met = sum(1 for r in table if r[5] == "met")
    text = text.replace("{met}", "%d of %d" % (met, len(table)))
    text = text.replace("{targets}", "\n".join(markdown(("operation", "ours", "Xen 4.17", "ratio", "at most", ""), body)))
    text = text.replace("{linux}", "\n".join(markdown(
        ("operation", "native", "ours", "to native", "Xen 4.17", "to native", "ours, ring 0"), linux)))
    text = text.replace("{block}", "\n".join(markdown(
        ("request", "ours, ring 0", "ours", "Xen 4.17", "ratio", "our CR3 loads", "Xen's"), block_rows(sides))))
    text = text.replace("{io}", "\n".join(markdown(
        ("operation", "Xen 4.17", "ours", "ratio", "aim", "ring 0's", "kernel's on ours", "ratio", "aim", "ring 0's"),
        [(row, figure(theirs)) + tuple(w for value, part, limit, _, ring0 in cells for w in (
            figure(value), "-" if part is None else "%.2f" % part, "%.2f" % limit, "-" if ring0 is None else "%.2f" % ring0))
         for row, theirs, cells in io_rows(sides, kernel)])))
    text = text.replace("{memory}", "\n".join(markdown(
        ("what", "ours", "Xen 4.17", "ratio"), [m for m in memory if m[0] != "memory"])))
    with open(folder + "/cost.md", "w") as f:
        f.write(text)
    with open(folder + "/cost.svg", "w") as f:
        f.write(svg(table))
    print("wrote %s/cost.md and %s/cost.svg" % (folder, folder))
