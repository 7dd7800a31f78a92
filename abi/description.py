# SPDX-License-Identifier: MIT
"""The description of the hypercall ABI, loaded: one Hypercall for each TOML file beside this one.

What a file may hold is said in README.md. Whatever is misspelt, missing or contradicts itself raises Problem with the file and
the operation, before anything is written.
"""
import pathlib
import re
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent
REGISTERS = ("rdi", "rsi", "rdx", "r10")
DIRECTIONS = ("in", "out", "inout")
# What a field's value is, where two hypervisors, or two runs, may differ in it: docs/hypercalls/agreement.md.
KINDS = ("text", "time", "mfn", "handle", "machine")


class Problem(Exception):
    pass


class Field:
    def __init__(self, where, row):
        if len(row) != 4:
            raise Problem("%s: a field is [direction, type, name, meaning], not %r" % (where, row))
        direction, self.type, self.name, self.meaning = row
        self.direction, _, self.kind = direction.partition(":")
        if self.direction not in DIRECTIONS or self.kind not in ("",) + KINDS:
            raise Problem("%s: field %s: '%s' is no direction (%s) and kind (%s)"
                          % (where, self.name, direction, ", ".join(DIRECTIONS), ", ".join(KINDS)))

    @property
    def is_out(self):
        return self.direction != "in"


class Operation:
    KEYS = {"number", "who", "does", "struct", "type", "member", "fields", "errors", "returns", "returns_vary", "differs", "locks",
            "restart"}

    def __init__(self, call, name, table):
        self.call, self.name, self.where = call, name, "%s: op.%s" % (call.file, name)
        for key in table:
            if key not in self.KEYS:
                raise Problem("%s: unknown key '%s'" % (self.where, key))
        if not table.get("does"):
            raise Problem("%s: does not say what it does" % self.where)
        if call.prefix and "number" not in table:
            raise Problem("%s: has no number" % self.where)
        self.number = table.get("number")
        self.who = table.get("who", call.who)
        self.does, self.struct, self.type = table["does"], table.get("struct"), table.get("type")
        self.member = table.get("member")
        self.fields = [Field(self.where, row) for row in table.get("fields", [])]
        if self.fields and not (self.struct or self.type):
            raise Problem("%s: fields of which structure?" % self.where)
        self.errors = dict(table.get("errors", {}))
        self.all_errors = {**call.errors, **self.errors}
        self.returns, self.returns_vary = table.get("returns", "0"), table.get("returns_vary", False)
        self.differs = table.get("differs")
        self.locks, self.restart = table.get("locks", call.locks), table.get("restart", call.restart)

    @property
    def symbol(self):
        """The name of its constant; of a hypercall without operations, the hypercall's."""
        return self.call.prefix + self.name if self.call.prefix else "__HYPERVISOR_" + self.call.name

    @property
    def title(self):
        return self.call.name if self.name == self.call.name else "%s %s" % (self.call.name, self.name)


class Refused:
    def __init__(self, where, name, error, row):
        if len(row) != 2 or not isinstance(row[0], int) or not row[1]:
            raise Problem("%s: refused.%s.%s is [number, \"why\"]" % (where, error, name))
        self.name, self.error = name, error
        self.number, self.why = row


class Hypercall:
    KEYS = {"name", "number", "who", "header", "prefix", "operations", "not_operations", "select", "source", "does", "args", "errors",
            "locks", "restart", "op", "refused"}

    def __init__(self, path):
        self.file = path.name
        with open(path, "rb") as f:
            try:
                table = tomllib.load(f)
            except tomllib.TOMLDecodeError as e:
                raise Problem("%s: %s" % (path.name, e)) from e
        for key in table:
            if key not in self.KEYS:
                raise Problem("%s: unknown key '%s'" % (self.file, key))
        for key in ("name", "number", "who", "source", "does", "args", "locks", "restart", "op"):
            if key not in table:
                raise Problem("%s: has no '%s'" % (self.file, key))
        self.name, self.number, self.who, self.source = (table[k] for k in ("name", "number", "who", "source"))
        if self.who not in ("any", "control"):
            raise Problem("%s: who is 'any' or 'control'" % self.file)
        self.header, self.prefix = table.get("header"), table.get("prefix", "")
        self.operations = table.get("operations", r"\w+")
        self.not_operations = table.get("not_operations", "")
        self.does, self.args = table["does"], table["args"]
        if len(self.args) > len(REGISTERS):
            raise Problem("%s: more arguments than registers" % self.file)
        self.errors = dict(table.get("errors", {}))
        self.locks, self.restart = table["locks"], table["restart"]
        self.select = table.get("select", "the first argument" if self.prefix else None)
        self.ops = [Operation(self, name, t) for name, t in table["op"].items()]
        self.refused = [Refused(self.file, name, error, row) for error, rows in table.get("refused", {}).items()
                        for name, row in rows.items()]
        numbers = [o.number for o in self.ops + self.refused if o.number is not None]
        for n in set(numbers):
            if numbers.count(n) > 1:
                raise Problem("%s: number %d is described twice" % (self.file, n))

    @property
    def by_register(self):
        """Does the first argument name the operation? Else it lies in memory."""
        return bool(self.prefix) and self.select == "the first argument"


class Description:
    def __init__(self, folder=HERE):
        self.calls, self.absent = [], []
        for path in sorted(pathlib.Path(folder).glob("*.toml")):
            if path.name in ("costs.toml", "differences.toml"):
                continue
            if path.name == "absent.toml":
                with open(path, "rb") as f:
                    self.absent = [Refused(path.name, name, error, row) for error, rows in tomllib.load(f)["refused"].items()
                                   for name, row in rows.items()]
            else:
                self.calls.append(Hypercall(path))
        self.calls.sort(key=lambda c: c.number)
        numbers = [c.number for c in self.calls + self.absent]
        for n in set(numbers):
            if numbers.count(n) > 1:
                raise Problem("two files describe hypercall %d" % n)

    def operations(self):
        return [op for call in self.calls for op in call.ops]

    def call(self, name):
        return next(c for c in self.calls if c.name == name)


def words(text):
    """One line of it."""
    return re.sub(r"\s+", " ", text).strip()
