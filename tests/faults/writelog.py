# SPDX-License-Identifier: MIT
"""Reads what QEMU's blklogwrites driver wrote, and makes the disk that a power cut would have left.

The format is that of Linux's dm-log-writes: a superblock (magic, version, number of entries, sector size), then entries,
each one sector (sector, number of sectors, flags, length of data) followed by its data; a discard has none.

The rule of a cut: what was written before the last flush before the cut is there; of what was written after it, each
write is there, or not, or a part of its 512-byte sectors is: chosen at random by a seed. A write stays whole across a
cut only by luck, as on a real disk.
"""
import collections
import random
import struct

MAGIC = 0x6a736677736872
SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
SECTOR = 512

# at: where its data is in the log, offset and length in bytes on the disk, end: where the log goes on
Entry = collections.namedtuple("Entry", "number flags offset length at end")


class LogError(Exception):
    """The log is not one that blklogwrites makes."""


def entries(path):
    """Yields the log's entries up to the first one that is not whole."""
    with open(path, "rb") as f:
        head = f.read(SUPER.size)
        if len(head) < SUPER.size:
            raise LogError("%s: no superblock" % path)
        magic, version, _, sector = SUPER.unpack(head)
        if magic != MAGIC or version != 1 or sector % SECTOR or not sector:
            raise LogError("%s: not a write log of version 1" % path)
        size = f.seek(0, 2)
        at, number = sector, 0
        while at + sector <= size:
            f.seek(at)
            start, count, flags, length = ENTRY.unpack(f.read(ENTRY.size))
            data = 0 if flags & DISCARD else count * sector
            if (start, count, flags, length) == (0, 0, 0, 0) or at + sector + data > size:
                return
            yield Entry(number, flags, start * sector, count * sector, at + sector, at + sector + data)
            at += sector + data
            number += 1


class Disk:
    """An image that a log is applied to."""
    def __init__(self, image, log):
        self.image, self.log = open(image, "r+b"), open(log, "rb")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.image.close()
        self.log.close()

    def data(self, entry):
        self.log.seek(entry.at)
        return self.log.read(entry.length)

    def apply(self, entry, first=0, last=None):
        """Applies a write from its byte `first` to `last`; a discard leaves zeros, as our machine's disks do."""
        data = bytes(entry.length) if entry.flags & DISCARD else self.data(entry)
        self.image.seek(entry.offset + first)
        self.image.write(data[first:last])


def last_flush(log, cut):
    """How many of the first `cut` entries a flush among them made durable."""
    return max([e.number for e in log[:cut] if e.flags & FLUSH], default=0)


def apply_cut(disk, log, cut, durable, seed):
    """What the unflushed entries from `durable` to `cut` may have left: (applied, torn, dropped)."""
    chance = random.Random(seed)
    counts = [0, 0, 0]
    for e in (e for e in log[durable:cut] if e.length):
        fate = 0 if e.flags & FUA else chance.randrange(3)
        counts[fate] += 1
        if fate == 0:
            disk.apply(e)
        elif fate == 1:
            sectors = e.length // SECTOR
            first = chance.randrange(sectors)
            disk.apply(e, first * SECTOR, chance.randrange(first, sectors + 1) * SECTOR)
    return tuple(counts)
