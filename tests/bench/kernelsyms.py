# SPDX-License-Identifier: MIT
"""A Linux kernel's function names, from its own table (kallsyms) in the vmlinux that was booted: Debian's System.map is a
stub, and its debug package has 700 MB. Names of modules come from their files, loaded where the log says.

The table, as kernels from 4.6 to 6.3 lay it out: offsets, base, number, names, markers, (order,) tokens, index of tokens. It has
no header: the tokens are found by the ten digits, which stand for themselves, and the number by the base and what follows it.
"""
import re
import struct
import subprocess

DIGITS = b"".join(b"%d\0" % i for i in range(10))
KERNEL_START = 0xffffffff80000000
TOKENS, PER_MARKER = 256, 256


def _aligned(n):
    return (n + 7) & ~7


def _tokens(image):
    """(where they begin, the 256 tokens)."""
    at = -1
    while True:
        at = image.find(DIGITS, at + 1)
        if at < 0:
            raise ValueError("no table of symbols")
        start = at
        for _ in range(ord("0")):       # the token 0 is 48 tokens before the digit 0
            start = image.rfind(b"\0", 0, start - 1) + 1
        while start % 8 and not image[start]:
            start += 1
        tokens = image[start:start + 65536].split(b"\0")[:TOKENS]
        index = [sum(len(t) + 1 for t in tokens[:i]) for i in range(TOKENS)]
        behind = _aligned(start + index[-1] + len(tokens[-1]) + 1)
        if image[behind:behind + 2 * TOKENS] == struct.pack("<%dH" % TOKENS, *index):
            return start, tokens


def _names(image, at, count, tokens):
    """The names and, as the markers say it again, where every 256th begins; None if these are no names."""
    names, markers, begin = [], [], at
    for i in range(count):
        if i % PER_MARKER == 0:
            markers.append(at - begin)
        length = image[at]
        at += 1
        if length & 0x80:
            length = (length & 0x7f) | image[at] << 7
            at += 1
        names.append(b"".join(tokens[t] for t in image[at:at + length]).decode("latin-1"))
        at += length
    told = struct.unpack_from("<%dI" % len(markers), image, _aligned(at))
    return names if told == tuple(markers) else None


def of_kernel(path):
    """[(address, name)] of its functions, ascending."""
    with open(path, "rb") as f:
        image = f.read()
    begin, tokens = _tokens(image)
    for at in range(begin - 8, 8, -8):
        base, count = struct.unpack_from("<QQ", image, at - 8)
        if base < KERNEL_START or not 0 < count < (begin - at) // 2:
            continue
        names = _names(image, at + 8, count, tokens)
        if names:
            break
    else:
        raise ValueError("no number of symbols before their tokens")
    offsets = struct.unpack_from("<%di" % count, image, at - 8 - _aligned(4 * count))
    return sorted((base - 1 - offset, name[1:]) for offset, name in zip(offsets, names)
                  if name[0] in "tTwW" and offset < 0)


def of_modules(log, folder):
    """[(address, name)] of the modules that the log names ("=== text MODULE ADDRESS", from either domain)."""
    files = {}
    for path in subprocess.run(["find", folder, "-name", "*.ko"], stdout=subprocess.PIPE, universal_newlines=True,
                               check=True).stdout.split():
        files[re.sub(r".*/(.*)\.ko", r"\1", path).replace("-", "_")] = path
    found = set()
    with open(log, errors="replace") as f:
        loaded = set(re.findall(r"^=== text (\w+) (0x[0-9a-f]+)", f.read().replace("\r", ""), re.M))
    for module, address in loaded:
        text = subprocess.run(["readelf", "-sSW", files[module]], stdout=subprocess.PIPE, universal_newlines=True,
                              check=True).stdout
        section = re.search(r"\[ *(\d+)\] \.text ", text).group(1)
        for value, name in re.findall(r"^ *\d+: ([0-9a-f]+) +\d+ FUNC +\w+ +\w+ +%s (\S+)" % section, text, re.M):
            found.add((int(address, 16) + int(value, 16), "%s [%s]" % (name, module)))
    return sorted(found)
