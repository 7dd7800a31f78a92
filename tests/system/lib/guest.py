# SPDX-License-Identifier: MIT
"""A guest as a user meets it: through its paravirtual console."""
import re

LOGIN = re.compile(rb"login: ")
PROMPT = re.compile(rb"[#$] ")
DONE = re.compile(rb"(?s)(.*?)@@(\d+)@@")


class GuestConsole:
    """Logs in and runs commands. The marker is typed with quotes in it, so that its echo never looks like the answer."""

    def __init__(self, machine, attach):
        self.command = machine.start(attach, stdin=True)

    def login(self, timeout, user="root", password=None):
        self.command.expect(LOGIN, timeout)
        self.type(user)
        if password is not None:
            self.command.expect(re.compile(rb"assword: "), timeout)
            self.type(password)
        self.command.expect(PROMPT, timeout)
        self.type("stty -echo; PS1=; echo 'ready'@@0'@@'")
        self.command.expect(DONE, timeout)

    def type(self, line):
        self.command.write(line.encode() + b"\n")

    def run(self, text, timeout=60):
        """Runs a shell command in the guest: (status, output)."""
        self.begin(text)
        return self.end(timeout)

    def begin(self, text):
        """Starts a command; end() waits for it."""
        self.type("%s; echo '@'@$?'@'@" % text)

    def end(self, timeout):
        out, status = self.command.expect(DONE, timeout)
        return int(status), out.replace("\r", "").strip("\n")

    def check(self, text, timeout=60):
        status, out = self.run(text, timeout)
        if status != 0:
            raise AssertionError("in the guest: %s: status %d\n%s" % (text, status, out[-1500:]))
        return out

    def until_login(self, timeout):
        """Waits for the next login prompt, as after a restart; does not log in."""
        self.command.expect(LOGIN, timeout)

    def detach(self):
        self.command.kill()
