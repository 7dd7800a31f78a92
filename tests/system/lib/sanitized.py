# SPDX-License-Identifier: MIT
"""What the sanitizers said in a control domain whose programs were built with them (tests/sanitize).

Every report there is looked for, not only where it should be: in the file that the programs are linked to write, in the
logs, on the console.
"""
import os
import re
import subprocess

from lib.machine import SANITIZED, TOP

REPORTS = "/var/log/tenue/sanitizer.report"
REPORT = r"ERROR: AddressSanitizer|AddressSanitizer:DEADLYSIGNAL|LeakSanitizer|runtime error:"
WHERE = "build/sanitize"


def no_reports(machine):
    """Fails with the reports, their addresses as lines of the sources; nothing to ask of an ordinary build."""
    if not SANITIZED:
        return "not asked: an ordinary build"
    status, text, _ = machine.run("cat " + REPORTS)
    assert status == 0, "no program has opened %s: were they built with sanitizers?" % REPORTS
    elsewhere = machine.run("grep -E '%s' /var/log/tenue/*.log*" % REPORT)[1]
    elsewhere += "\n".join(line for line in machine.console().splitlines() if re.search(REPORT, line))
    assert not text and not elsewhere, "sanitizers reported:\n%s%s" % (with_lines(text), elsewhere)
    return "nothing in %s, the logs and the console" % os.path.basename(REPORTS)


def with_lines(text):
    """Each report ends with its program's name; its first calls are looked up there."""
    out = []
    for report in re.split(r"(?<=\n)(?===== reported by)", text):
        name = re.match(r"==== reported by (\S+)\n", report)
        out.append(report)
        if name and len(out) > 1:
            out[-2] = out[-2] + calls(out[-2], name.group(1))
    return "".join(out)


def calls(report, name):
    addresses = re.findall(r"^ +#\d+ 0x([0-9a-f]+)", report, re.M)[:24]
    programs = [os.path.join(d, name) for d, _, files in os.walk(os.path.join(TOP, WHERE)) if name in files]
    if not addresses or not programs:
        return ""
    lines = subprocess.run(["addr2line", "-fpse", programs[0]] + addresses, stdout=subprocess.PIPE, universal_newlines=True)
    return "".join("    " + line + "\n" for line in lines.stdout.splitlines() if "??" not in line)
