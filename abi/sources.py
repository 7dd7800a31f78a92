# SPDX-License-Identifier: MIT
"""What the sources say, to hold the description against: constants of the public headers, the hypervisor's switches, tests.

An operation has a case that does something, or one that returns an error, or falls to the default and its error.
"""
import pathlib
import re

WORKS = "works"


def defines(text, pattern):
    """{name: number} of `#define NAME number` lines whose whole name matches."""
    found = {}
    for m in re.finditer(r"^\s*#\s*define\s+(\w+)\s+\(?((?:0x[0-9a-fA-F]+|\d+))[uUlL]*\)?(?:\s|$)", text, re.M):
        if re.fullmatch(pattern, m.group(1)):
            found[m.group(1)] = int(m.group(2), 0)
    return found


def strip_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def answers(source):
    """What each `case NAME:` of a file does ("works" or its error), and the errors of its defaults in order."""
    body = strip_comments(source)
    result = {}
    for m in re.finditer(r"((?:case\s+\w+\s*:\s*)+)([^;{]*[;{])", body):
        error = re.fullmatch(r"\s*return\s+-XEN_(E\w+)\s*;", m.group(2))
        for name in re.findall(r"case\s+(\w+)", m.group(1)):
            if result.get(name) != WORKS:
                result[name] = error.group(1) if error else WORKS
    # So do a row of a lookup table, a comparison before the switch, and a default that names what
    # is left: "default: /* NAME */".
    for name in re.findall(r"\[(\w+)\]\s*=|\bOP\((\w+)|\b(?:cmd\)?|which) == (\w+)", body) + \
            re.findall(r"default: (/)\* (\w+) \*/\s*return (?!-XEN)", source):
        for n in name:
            if n:
                result.setdefault(n, WORKS)
    errors = re.findall(r"default\s*:\s*(?:\w+\s*=\s*|return\s+)-XEN_(E\w+)", body)
    return result, errors


class Sources:
    """The tree at top; public headers at headers."""

    def __init__(self, top, headers="/usr/include/xen"):
        self.top, self.headers = pathlib.Path(top), pathlib.Path(headers)
        self.cache = {}

    def text(self, path):
        path = pathlib.Path(path)
        if path not in self.cache:
            self.cache[path] = path.read_text(errors="replace")
        return self.cache[path]

    def header(self, name):
        own = self.top / "hypervisor/include" / name
        return self.text(own if own.exists() else self.headers / name)

    def public_operations(self, call):
        """{name: number} of a hypercall's operations in its public header."""
        if not call.prefix:
            return {}
        found = defines(self.header(call.header), re.escape(call.prefix) + "(?:%s)" % call.operations)
        names = {n.removeprefix(call.prefix): v for n, v in found.items()}
        return {n: v for n, v in names.items() if not (call.not_operations and re.fullmatch(call.not_operations, n))}

    def public_hypercalls(self):
        found = defines(self.header("xen.h"), r"__HYPERVISOR_\w+")
        return {n.removeprefix("__HYPERVISOR_"): v for n, v in found.items()}

    def dispatch(self, call):
        """({operation: "works" or error}, the error of what has no case)."""
        cases, errors = answers(self.text(self.top / "hypervisor" / call.source))
        own = {n.removeprefix(call.prefix): a for n, a in cases.items() if call.prefix and n.startswith(call.prefix)}
        return own, errors[-1] if errors else "ENOSYS"

    # --- tests ---

    def wrappers(self):
        """{SDK function: constants in it}: a test that calls one exercises them."""
        found = {}
        for path in sorted(self.top.glob("frontends/*/*.c")):
            for m in re.finditer(r"^\w[^;{}\n]*?\b(front_\w+)\([^;{}]*\)\n\{(.*?)^\}", self.text(path), re.M | re.S):
                found.setdefault(m.group(1), set()).update(re.findall(r"\b[A-Z]\w+|\bhc_\w+", m.group(2)))
        return found

    def tests(self):
        """{name of a test: the words that matter in it}."""
        if "tests" not in self.cache:
            wrappers, found = self.wrappers(), {}
            for path in sorted(self.top.glob("tests/guests/*/main.c")) + sorted(self.top.glob("tests/unit/test_*.c")) + \
                    sorted(self.top.glob("tests/model/*.c")):
                words = set(re.findall(r"\w+", strip_comments(self.text(path))))
                for w in [w for w in words if w in wrappers]:
                    words |= wrappers[w]
                name = path.parent if path.name == "main.c" else path
                found[str(name.relative_to(self.top))] = words
            self.cache["tests"] = found
        return self.cache["tests"]

    def tests_of(self, op):
        """The tests that name an operation, or call the SDK's function for it."""
        names = {op.symbol} if op.call.prefix else {op.symbol, "hc_" + op.name}
        if op.call.name.endswith("_compat"):
            names = {"__HYPERVISOR_" + op.call.name, "hc_" + op.call.name}
        elif op.call.name == "mmu_update":
            names |= {"hc_mmu_update", "front_pt_set"} if op.name == "NORMAL_PT_UPDATE" else set()
        return [t for t, words in self.tests().items() if names & words]

    # --- examples ---

    def examples(self, call):
        """{operation: its text} of examples/hypercalls/NAME.c."""
        path = self.top / "examples/hypercalls" / (call.name + ".c")
        if not path.exists():
            return {}
        return {m.group(1): m.group(2).strip("\n") for m in
                re.finditer(r"^EXAMPLE\((\w+)\)\n\{\n(.*?)^\}", self.text(path), re.M | re.S)}

    def fuzzed(self):
        """Constants that the fuzzer's table of operations names."""
        return set(re.findall(r"\w+", self.text(self.top / "tests/fuzz/hypercalls/ops.c")))
