#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the hypervisor's image says about speculation, by disassembly. No emulator.

  SPEC-2  no indirect call or jump but those of start-up and of the thunks
  SPEC-3  in the exits VERW is the last instruction before SYSRET or IRET, and all registers are restored by then;
          every other SYSRET or IRET to a guest is a site that the plan replaces by those, or one of fast.S, which
          no way in reaches where the plan has such sites (hal_fast_paths)
  SPEC-1, ENT-4  each way in from the IDT begins with a site where the plan puts the change of root
  MM-18   where TLBs are tagged, fast.S changes roots as pv/tags.c does, each mode under its own tag
  SPEC-1  after a guest's root is loaded, the exits touch the stack and the code's own page only

Last line: `check-speculation-image: N passed, N failed`.

Sabotage: put `jmp *%rax` behind the `ret` of spec_fill_rsb (isolation.S); "thunks" fails. Exchange VERW and the `addq` of
tail_sysret: "buffers last" fails. Write plain `sysretq` for LEAVE_SYSRET in entry.S: "every exit" fails. Put
ISOLATION after CLAC in ENTER_BY_GATE: "entries" fails. Write `movl spec_ctrl_exit(%rip), %eax` into
tail_iret: "nothing else" fails. Give ENTER_USER CPU_tags + 8, or take the movb out of LOAD_ROOT: "tags" fails.
"""
import re
import struct
import subprocess
import sys

ELF = sys.argv[1] if len(sys.argv) > 1 else "build/hypervisor/tenue.elf"
PTI, VERW, TAGS = 1 << 0, 1 << 10, 1 << 30
LEAVING = ("sysretq", "iretq", "sysretl", "iret")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def symbols():
    table = {}
    for line in output("nm", ELF).splitlines():
        address, _, name = line.split(None, 2)
        table[name] = int(address, 16)
    return table


def instructions():
    """[(address, mnemonic, operands, function)] of the whole image."""
    code, function = [], ""
    for line in output("objdump", "-d", "--no-show-raw-insn", ELF).splitlines():
        head = re.match(r"([0-9a-f]+) <(.+)>:", line)
        if head:
            function = head.group(2)
            continue
        found = re.match(r"\s*([0-9a-f]+):\s+(?:cs |data16 |lock )*(\S+)\s*([^#]*)", line)
        if found:
            code.append((int(found.group(1), 16), found.group(2), found.group(3).strip(), function))
    return code


def sites(names):
    """{address: (target, bits)} of .spec_sites."""
    at, end = names["spec_sites_start"], names["spec_sites_end"]
    for line in output("readelf", "-SW", ELF).splitlines():
        found = re.match(r"\s*\[\s*\d+\]\s+\S+\s+PROGBITS\s+([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)", line)
        if found:
            base, offset, size = (int(x, 16) for x in found.groups())
            if base <= at < base + size:
                with open(ELF, "rb") as f:
                    f.seek(offset + at - base)
                    raw = f.read(end - at)
                return {a: (t, b) for a, t, b, _ in struct.iter_unpack("<QQII", raw)}
    raise SystemExit("image.py: no section holds spec_sites_start")


class Image:
    def __init__(self):
        self.names = symbols()
        self.code = instructions()
        self.index = {c[0]: i for i, c in enumerate(self.code)}
        self.sites = sites(self.names)

    def is_tail(self, address):
        return self.names["tails_start"] <= address < self.names["tails_end"]


def thunks(image):
    found = 0
    for _, mnemonic, operands, function in image.code:
        found += "__x86_indirect_thunk_" in operands
        if re.match(r"(call|jmp|bnd)", mnemonic) and operands.startswith("*") and \
                function not in ("ap_64_low", "start64_low"):
            yield "%s: %s %s" % (function, mnemonic, operands)
    if found < 5:
        yield "only %d branches through thunks: is the option gone?" % found


def buffers_last(image):
    seen = 0
    for i, (address, mnemonic, _, _) in enumerate(image.code):
        if not (mnemonic in LEAVING and image.is_tail(address)):
            continue
        seen += 1
        before, skip = image.code[i - 1], image.code[i - 2]
        if before[1] != "verw":
            yield "%x: %s comes last, not VERW" % (before[0], before[1])
        elif image.sites.get(skip[0]) != (0, VERW):
            yield "%x: VERW is not switched by the plan" % before[0]
    if seen != 2:
        yield "%d exits, two are known" % seen


def every_exit(image):
    """Outside the tails: LEAVE_... sites, and the way back into the hypervisor."""
    home = 0
    for i, (address, mnemonic, _, function) in enumerate(image.code):
        if mnemonic not in LEAVING or image.is_tail(address):
            continue
        if image.names["fast_start"] <= address < image.names["fast_end"]:
            continue
        site = image.sites.get(image.code[i - 1][0])
        if site and site[1] & VERW and site[1] & PTI:
            continue
        if function == "leave_trap":
            home += 1
            continue
        yield "%s at %x leaves without a site" % (mnemonic, address)
    if home != 1:
        yield "leave_trap has %d ways home, one is known" % home


def entries(image):
    targets = set()
    for address, mnemonic, operands, _ in image.code:
        if mnemonic == "jmp" and image.names["idt_stubs"] <= address < image.names["idt_stubs_end"]:
            targets.add(int(operands.split()[0], 16))
    targets.add(image.names["sysenter_entry"])
    if len(targets) < 5:
        yield "only %d ways in" % len(targets)
    for target in targets:
        site = image.sites.get(target)
        if not site or not site[1] & PTI or not site[0]:
            yield "the way in at %x begins with something else" % target


def nothing_else(image):
    for address, mnemonic, operands, _ in image.code:
        if not image.is_tail(address) or mnemonic in LEAVING + ("jmp",):
            continue
        if mnemonic == "verw" or operands in ("%rax,%cr3", "%rax", "%rsp", "$0x8,%rsp"):
            continue
        yield "%x: %s %s on a guest's tables" % (address, mnemonic, operands)
    if image.names["verw_selector"] >= image.names["entry_text_end"]:
        yield "VERW's operand is outside the pages that stay mapped"


ROOT_CHANGE = re.compile(r"movb \$0x([01]),\S+\(%rcx\)\|swapgs\|mov (\S+),(%\w+)\|"
                         r"mov \$0x1,%\w+\|xadd [^|]+\|inc %\w+\|mov \3,(\S+)\(%rsp\)\|shl \$0xc,\3\|mov \3,%cr3\|mov [^|]+\|$")
TAGGED = re.compile(r"mov (%\w+),(\S+)\(%rsp\)\|shl \$0xc,\1\|or (\S+)\(%rsp\),\1\|mov \1,%cr3\|"
                    r"movb \$0x80,(\S+)\(%rsp\)\|jmp ([0-9a-f]+) [^|]*\|$")


def steps(image, first, count):
    return "".join("%s %s|" % c[1:3] if c[2] else c[1] + "|" for c in image.code[first:first + count])


def tags(image):
    """Changes of root in fast.S where TLBs are tagged (ADR 65): the steps of tags_switch_root()."""
    tag_of = {"0": set(), "1": set()}
    for site, (target, bits) in image.sites.items():
        if bits != TAGS or not image.names["fast_start"] <= site < image.names["fast_end"]:
            continue
        at = image.index[site]
        plain = ROOT_CHANGE.match(steps(image, at - 3, 10))
        tagged = TAGGED.match(steps(image, image.index[target], 6))
        if not plain or not tagged or image.code[at + 1][0] - site < 5:
            yield "%x: %s; tagged: %s" % (site, steps(image, at - 3, 10), steps(image, image.index[target], 6))
            continue
        tag, keep, back = (int(x, 16) for x in tagged.group(3, 4, 5))
        tag_of[plain.group(1)].add(tag)
        if tagged.group(1, 2) != plain.group(3, 4) or keep != tag + 7 or back != image.code[at + 7][0]:
            yield "%x: %s" % (target, steps(image, image.index[target], 6))
    if [len(t) for t in tag_of.values()] != [1, 1] or tag_of["1"].pop() != tag_of["0"].pop() + 8:
        yield "user and kernel mode have not each a tag of their own"


image = Image()
bad = 0
RULES = (("thunks", thunks), ("buffers last", buffers_last), ("every exit", every_exit), ("entries", entries),
         ("nothing else on a guest's tables", nothing_else), ("tags", tags))
for name, rule in RULES:
    faults = list(rule(image))
    bad += bool(faults)
    print("%s  %s" % ("FAIL" if faults else "PASS", name))
    for fault in faults[:10]:
        print("      " + fault)
print("check-speculation-image: %d passed, %d failed" % (len(RULES) - bad, bad))
sys.exit(bad != 0)
