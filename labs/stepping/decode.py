# SPDX-License-Identifier: MIT
"""Hypercalls in words, by the description of the ABI (abi/*.toml) and where the compiler puts the fields of its structures.

Nothing here knows a hypercall by name: arguments, operations, fields and errors are the description's.
"""
import re

ELEMENTS_SHOWN = 4
TEXT_SHOWN = 60


class Layouts:
    """build/labs/stepping/layouts: fields, errors, domains."""

    def __init__(self, path):
        self.fields, self.sizes, self.errors, self.domains = {}, {}, {}, {}
        with open(path, encoding="ascii") as f:
            for line in f:
                kind, *words = line.split()
                if kind == "field":
                    call, op, name, at, size, how = words
                    self.fields[call, op, name] = int(at), int(size), how
                elif kind == "size":
                    self.sizes[words[0], words[1]] = int(words[2])
                elif kind == "error":
                    self.errors.setdefault(int(words[1]), words[0])
                elif kind == "domain":
                    self.domains[int(words[1])] = words[0]


def signed(value, bits=64):
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


class Call:
    """One hypercall as it was made: what is known before it is done, and what it then told."""

    def __init__(self, name, operation, arguments, elements):
        self.name, self.operation, self.arguments, self.elements = name, operation, arguments, elements

    def text(self):
        return "%s%s(%s)" % (self.name, " " + self.operation if self.operation else "", ", ".join(self.arguments))


class Decoder:
    def __init__(self, description, layouts):
        self.layouts = layouts
        self.calls = {c.number: c for c in description.calls}
        self.absent = {r.number: r.name for r in description.absent}

    # --- values ---

    def value(self, kind, value):
        """An argument in a register, by its type in C."""
        kind = kind.strip()
        if kind == "domid_t":
            high, value = value >> 16 & 0xffff, value & 0xffff
            name = self.layouts.domains.get(value, "%d" % value)
            return name if not high else "%s for %d" % (name, high - 1)
        if kind == "int":
            return "%d" % signed(value & 0xffffffff, 32)
        if kind in ("unsigned int", "uint32_t"):
            value &= 0xffffffff
        return "%d" % value if value < 4096 and "*" not in kind else "0x%x" % value

    def field(self, call, op, field, data):
        at, size, how = self.layouts.fields[call.name, op.name, field.name]
        raw = data[at:at + size]
        if field.type == "domid_t" or how != "b":
            value = int.from_bytes(raw, "little")
            return self.value(field.type, value) if how == "u" else "%d" % signed(value, 8 * size)
        if re.match(r"char|xen_\w+_t$", field.type) and raw.split(b"\0")[0].isascii():
            return '"%s"' % raw.split(b"\0")[0].decode("ascii")[:TEXT_SHOWN]
        if size == 8:
            return self.value("void *", int.from_bytes(raw, "little"))
        return raw[:8].hex() + ("..." if size > 8 else "")

    def result(self, value):
        value = signed(value)
        name = self.layouts.errors.get(-value) if value < 0 else None
        return "-%s" % name if name else "%d" % value if abs(value) < 1 << 32 else "0x%x" % (value & (1 << 64) - 1)

    # --- calls ---

    def select(self, call, registers, read):
        """Which operation, by the description's words for where it is named: (number, rest of what named it)."""
        if call.by_register:
            mask = 63 if "bits 0-5" in call.args[0][2] else 0xffffffff
            return registers[0] & mask
        if not call.prefix:
            return None
        width = 8 if call.select.startswith("bits 0-2") else 4
        data = read(registers[0], width)
        if data is None:
            return -1
        number = int.from_bytes(data, "little")
        return number & 7 if width == 8 else number

    @staticmethod
    def operation(call, number):
        if not call.prefix:
            return call.ops[0]
        return next((o for o in call.ops if o.number == number), None)

    @staticmethod
    def name_of(call, number):
        return next((o.name for o in call.ops + call.refused if o.number == number), "operation %d" % number)

    @staticmethod
    def place(call):
        """Which argument is the address of the operation's structure: the one that is a pointer first."""
        return next((i for i, (kind, *_) in enumerate(call.args) if "*" in kind), None)

    def elements(self, call, registers, read):
        """[(operation, address, size, index)]; index None where there is one structure alone."""
        place = self.place(call)
        if place is None or call.name == "multicall":
            return []
        address = registers[place]
        count = next((registers[i] & 0x7fffffff for i, a in enumerate(call.args) if a[1] == "count" and "char" not in call.args[place][0]), None)
        found, number = [], self.select(call, registers, read)
        for i in range(1 if count is None else min(count, ELEMENTS_SHOWN)):
            if i and not call.by_register:
                number = self.select(call, [address], read)
            op = self.operation(call, number)
            size = self.layouts.sizes.get((call.name, op.name)) if op else None
            if size is None and count is not None and not call.by_register:
                size = max(n for (name, _), n in self.layouts.sizes.items() if name == call.name)
            if size is None or op is None:
                break
            if op.member:
                size = max(sum(self.layouts.fields[call.name, op.name, f.name][:2]) for f in op.fields) if op.fields else 0
            found.append((op, address, size, None if count is None else i))
            address += size
        if count is not None and count > len(found):
            found.append((None, 0, 0, count - len(found)))
        return found

    def fields(self, call, elements, read, out):
        """Lines of the fields that go in, or come out: one for each element."""
        for op, address, size, index in elements:
            if op is None:
                if not out:
                    yield "... and %d more" % index
                continue
            wanted = [f for f in op.fields if (f.is_out if out else f.direction != "out")]
            data = read(address, size) if wanted else None
            named = "" if index is None else "[%d] %s" % (index, "" if call.by_register else op.name + " ")
            if not wanted:
                if named and not out and not call.by_register:
                    yield named.rstrip()
                continue
            if data is None:
                yield "%snothing is mapped at 0x%x" % (named, address)
                continue
            yield named + " ".join("%s%s" % ("" if f.name == "." else f.name + "=", self.field(call, op, f, data)) for f in wanted)

    def call(self, number, registers, read):
        """A hypercall that begins: registers are its arguments, read(address, size) tells the caller's memory or None."""
        call = self.calls.get(number)
        if not call:
            return Call(self.absent.get(number, "hypercall %d" % number), None, [], []), None
        selected = self.select(call, registers, read)
        elements = self.elements(call, registers, read)
        each = elements and elements[0][3] is not None and not call.by_register
        arguments = [self.argument(call, i, registers, read) for i in range(1 if call.by_register else 0, len(call.args))]
        if call.by_register and "bits 0-5" in call.args[0][2] and registers[0] >> 6 & 0x3ffffff:
            arguments.insert(0, "from %d" % (registers[0] >> 6 & 0x3ffffff))
        name = None if not call.prefix or each else self.name_of(call, selected)
        return Call(call.name, name, arguments, list(self.fields(call, elements, read, False))), (call, elements)

    def argument(self, call, i, registers, read):
        kind, name, _ = call.args[i]
        text = "%s=%s" % (name, self.value(kind, registers[i]))
        if kind.startswith("char"):
            length = next((registers[j] for j, a in enumerate(call.args) if a[1] == "count"), 0)
            data = read(registers[i], min(length & 0xffffffff, TEXT_SHOWN))
            if data:
                text = "%s=%s" % (name, ascii(data.decode("latin-1")))
        return text

    def told(self, made, read):
        return list(self.fields(made[0], made[1], read, True)) if made else []
