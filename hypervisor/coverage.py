#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write docs/abi-coverage.md: what each hypercall and sub-operation of the Xen 4.17 ABI answers here.

Nothing is typed in by hand that the sources say: hypercalls come from hypercalls.def and the public
xen.h, sub-operations from the public headers, and what they do from the switch in the file that
dispatches them. An operation has a case that does something, or a case that returns an error, or
falls to the default and its error.

usage: coverage.py [--check FILE] [PUBLIC_HEADERS]      (default /usr/include/xen; prints the page)
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent

# hypercall, public header, pattern of its sub-operations, file with the switch, names that are not
# operations although they match
GROUPS = [
    ("event_channel_op", "event_channel.h", r"EVTCHNOP_(\w+)", "core/evtchn_op.c", r"reset_cont"),
    ("sched_op", "sched.h", r"SCHEDOP_(\w+)", "core/sched_op.c", ""),
    ("vcpu_op", "vcpu.h", r"VCPUOP_(\w+)", "core/vcpu_op.c", ""),
    ("xen_version", "version.h", r"XENVER_(\w+)", "core/version_op.c", ""),
    ("console_io", "xen.h", r"CONSOLEIO_(\w+)", "core/console.c", ""),
    ("memory_op", "memory.h", r"XENMEM_(\w+)", "core/memory_op.c",
     r"[A-Z].*|resource_.*|exchange_.*|access_.*|sharing_op_.*|paging_op_.*|vnuma_.*|rsrc_.*"),
    ("mmu_update", "xen.h", r"MMU_(\w+)", "pv/mmu_op.c", ""),
    ("mmuext_op", "xen.h", r"MMUEXT_(\w+)", "pv/mmuext_op.c", ""),
    ("grant_table_op", "grant_table.h", r"GNTTABOP_(\w+)", "core/grant_op.c", ""),
    ("callback_op", "callback.h", r"CALLBACKOP_(\w+)", "pv/trap_op.c", ""),
    ("nmi_op", "nmi.h", r"XENNMI_(\w+)", "pv/trap_op.c", ""),
    ("vm_assist", "xen.h", r"VMASST_CMD_(\w+)", "pv/trap_op.c", ""),
    ("physdev_op", "physdev.h", r"PHYSDEVOP_(\w+)", "core/physdev_op.c", r"[A-Z].*|pirq_eoi_gmfn"),
    ("platform_op", "platform.h", r"XENPF_(\w+)", "core/platform_op.c",
     r"INTERFACE_VERSION|ACPI_SLEEP_EXTENDED|settime"),
    ("domctl", "domctl.h", r"XEN_DOMCTL_([a-z]\w+)", "core/domctl.c", r"soft_reset_cont|vmtrace_.*"),
    ("sysctl", "sysctl.h", r"XEN_SYSCTL_([a-z]\w+)", "core/sysctl.c",
     r"cpu_featureset_.*|cpu_policy_.*|pm_op_.*"),
]
WORKS = "works"


def defines(text, pattern):
    """[(name, number)] of `#define NAME number` lines whose whole name matches, by number."""
    found = []
    for m in re.finditer(r"^\s*#\s*define\s+(\w+)\s+\(?((?:0x[0-9a-fA-F]+|\d+))[uUlL]*\)?(?:\s|$)",
                         text, re.M):
        if re.fullmatch(pattern, m.group(1)):
            found.append((m.group(1), int(m.group(2), 0)))
    return sorted(dict(found).items(), key=lambda x: x[1])


def strip_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def answers(source):
    """What each `case NAME:` of a file does, and the errors of its defaults in order."""
    body = strip_comments(source)
    result = {}
    for m in re.finditer(r"((?:case\s+\w+\s*:\s*)+)([^;{]*[;{])", body):
        error = re.fullmatch(r"\s*return\s+(-XEN_E\w+)\s*;", m.group(2))
        for name in re.findall(r"case\s+(\w+)", m.group(1)):
            if result.get(name) != WORKS:
                result[name] = error.group(1) if error else WORKS
    # So do a row of a lookup table, a comparison before the switch, and a default that names what
    # is left: "default: /* NAME */".
    for name in re.findall(r"\[(\w+)\]\s*=|\bOP\((\w+)|\bcmd\)? == (\w+)", body) + \
            re.findall(r"default: (/)\* (\w+) \*/\s*return (?!-XEN)", source):
        for n in name:
            if n:
                result.setdefault(n, WORKS)
    errors = re.findall(r"default\s*:\s*(?:\w+\s*=\s*|return\s+)(-XEN_E\w+|GNTST_\w+)", body)
    return result, errors


def show(error):
    return WORKS if error == WORKS else error.replace("XEN_", "")


def hypercall_table(headers, out):
    offered = {}
    for m in re.finditer(r"^HYPERCALL\((\d+), (\w+), (\d), (\w+)\)",
                         (HERE / "include/tenue/hypercalls.def").read_text(), re.M):
        offered[int(m.group(1))] = (m.group(2), m.group(4))
    out.append("| nr | hypercall | who | answer |\n|---|---|---|---|")
    for name, nr in defines((headers / "xen.h").read_text(), r"__HYPERVISOR_(\w+)"):
        short = name.removeprefix("__HYPERVISOR_")
        if nr in offered:
            who = "control domain, others -EPERM" if offered[nr][1] == "CONTROL" else "any"
            out.append(f"| {nr} | {short} | {who} | works |")
        else:
            out.append(f"| {nr} | {short} | - | -ENOSYS |")


def group_table(headers, group, out):
    call, header, pattern, source, skip = group
    path = HERE / source
    cases, errors = answers(path.read_text())
    fallback = errors[-1] if errors else "-XEN_ENOSYS"
    out.append(f"\n## {call}\n\nDispatched in `hypervisor/{source}`.\n")
    out.append("| nr | operation | answer |\n|---|---|---|")
    counts = [0, 0]
    for name, nr in defines((headers / header).read_text(), pattern):
        short = re.fullmatch(pattern, name).group(1)
        if skip and re.fullmatch(skip, short):
            continue
        answer = cases.get(name, fallback)
        counts[answer != WORKS] += 1
        out.append(f"| {nr} | {short} | {show(answer)} |")
    return counts


def page(headers):
    out = ["<!-- SPDX-License-Identifier: MIT; generated by hypervisor/coverage.py, do not edit -->",
           "# ABI coverage\n",
           "What a guest gets for each operation of the Xen 4.17 public ABI: *works*, or the error. "
           "Structure layouts, event channel ports (2-level) and grant entries (version 1) are the "
           "public headers'. Interface versions: domctl and sysctl 0x15, platform_op 0x03000001; "
           "others answer -EACCES.\n", "## Hypercalls\n"]
    hypercall_table(headers, out)
    totals = [0, 0]
    for group in GROUPS:
        counts = group_table(headers, group, out)
        totals = [totals[0] + counts[0], totals[1] + counts[1]]
    out.append(f"\n{totals[0]} operations work, {totals[1]} answer an error.")
    return "\n".join(out) + "\n"


def main(argv):
    check = None
    if argv[:1] == ["--help"]:
        print(__doc__)
        return 0
    if argv[:1] == ["--check"]:
        check = pathlib.Path(argv[1])
        argv = argv[2:]
    text = page(pathlib.Path(argv[0] if argv else "/usr/include/xen"))
    if check is None:
        sys.stdout.write(text)
        return 0
    if check.read_text() != text:
        print(f"{check}: out of date; run hypervisor/coverage.py > {check}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
