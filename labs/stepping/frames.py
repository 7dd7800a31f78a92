# SPDX-License-Identifier: MIT
"""The hypervisor's frame table, before and after: who owns which frame, as what it is used, and how often."""
import struct

LINES_SHOWN = 12
CHUNK = 512


class Frames:
    def __init__(self, machine, places, off):
        self.machine, self.places, self.off = machine, places, off
        self.start = self.size = None
        self.types = {value: name[5:] for name, value in off.items() if name.startswith("TYPE_")}

    def find(self):
        pointer = self.machine.debugger.number(self.places.frame_table)
        count = self.machine.debugger.number(self.places.frame_count)
        self.start = pointer - self.off["DIRECT_MAP_VIRT"]
        self.size = min(count * self.off["PAGE_size"], len(self.machine.memory) - self.start)

    def snapshot(self):
        if self.start is None:
            self.find()
        return self.machine.memory[self.start:self.start + self.size]

    # --- in words ---

    def text(self, record):
        count, kind = (struct.unpack_from("<Q", record, self.off[n])[0] for n in ("PAGE_count", "PAGE_type"))
        off = self.off
        if count & off["C_FREE"]:
            return "free"
        if not count & off["C_DOM"]:
            return "the hypervisor's"
        owner = "%sdomain %d" % ("shared with " if count & off["C_SHARED"] else "", count >> off["C_OWNER_SHIFT"] & 0xffff)
        idle = bool(kind & off["T_STAMPED"])
        uses = 0 if idle else kind & off["T_REFS_MASK"]
        name = self.types.get(kind >> off["T_TYPE_SHIFT"], "?")
        words = "no type" if idle or not uses and not kind & off["T_PARTIAL"] else "%s x%d" % (name, uses)
        for bit, word in (("T_PINNED", "pinned"), ("T_PARTIAL", "partly validated")):
            if kind & off[bit] and not idle:
                words += ", " + word
        gone = "" if count & off["C_ALLOC"] or count & off["C_SHARED"] else ", given up"
        return "%s, %s, %d reference%s%s" % (owner, words, count & off["C_REFS_MASK"], "s" * (count & off["C_REFS_MASK"] != 1), gone)

    def different(self, before, after):
        """Numbers of the frames whose records differ."""
        size = self.off["PAGE_size"]
        step = size * CHUNK
        for at in range(0, len(before), step):
            if before[at:at + step] == after[at:at + step]:
                continue
            for i in range(at, min(at + step, len(before)), size):
                if before[i:i + size] != after[i:i + size]:
                    yield i // size

    def changes(self, before):
        """Lines: frames that changed alike, one after another, are one."""
        after, size = self.snapshot(), self.off["PAGE_size"]
        runs = []
        for mfn in self.different(before, after):
            at = mfn * size
            change = tuple(self.text(words[at:at + size]) for words in (before, after))
            if change[0] == change[1]:
                continue
            if runs and runs[-1][1] == mfn - 1 and runs[-1][2] == change:
                runs[-1][1] = mfn
            else:
                runs.append([mfn, mfn, change])
        for first, last, (was, now) in runs[:LINES_SHOWN]:
            name = "frame 0x%x" % first if first == last else "frames 0x%x to 0x%x" % (first, last)
            yield "%s: %s -> %s" % (name, was, now)
        if len(runs) > LINES_SHOWN:
            yield "... and %d more" % (len(runs) - LINES_SHOWN)
