# SPDX-License-Identifier: MIT
"""A machine led through steps, each a line PASS or FAIL; the first that fails ends it, as each stands on those before."""
from .agent import AgentError, CommandFailed


class Steps:
    def __init__(self):
        self.passed = self.failed = 0

    def fail(self, what):
        self.failed += 1
        print("FAIL  " + what)

    def lead(self, machine, steps, look, prefix=""):
        """Boots the machine and takes it through steps(machine), pairs of title and action. look: a shell command whose
        output helps a person when a step failed."""
        try:
            with machine as m:
                for title, action in steps(m):
                    try:
                        action()
                        self.passed += 1
                        print("PASS  %s%s" % (prefix, title))
                    except (AgentError, CommandFailed, AssertionError) as e:
                        self.fail("%s%s: %s" % (prefix, title, e))
                        if m.alive():
                            print(m.run(look)[1])
                        break
                else:
                    self.look_for_forbidden(m)
                m.reset()
        except AgentError as e:
            self.fail("%sthe machine: %s" % (prefix, e))

    def look_for_forbidden(self, m):
        """A backend that its confinement ended is replaced so soon that no guest would notice; we do. Sabotage, seen: leave TCFLSH out
        of console_ioctls[] in backends/common/sandbox.c: check-limits."""
        said = m.alive() and m.run("grep -h 'Bad system call' /var/log/tenue/*.log")[1]
        if said:
            self.fail("a program did what its confinement forbids: %s" % said.strip())

    def end(self, name):
        """The last line, and the exit status."""
        print("%s: %d passed, %d failed" % (name, self.passed, self.failed))
        return 1 if self.failed else 0
