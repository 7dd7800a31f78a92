# SPDX-License-Identifier: MIT
"""What the hosted suites in Python share: one line a check, waiting for something to become true, the line at the end."""
import sys
import time

results = []


def check(name, good, *more):
    """more: shown where it fails."""
    results.append(bool(good))
    print("%s %s%s" % ("PASS" if good else "FAIL", name, "" if good else " " + repr(more)), flush=True)


def measured(name, good, text):
    """A check whose figure is worth a look even when it holds."""
    check("%s: %s" % (name, text), good)


def wait_for(condition, seconds=10):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def verdict(suite):
    """Prints the suite's line; never returns."""
    passed = sum(results)
    print("%s: %d passed, %d failed" % (suite, passed, len(results) - passed))
    sys.exit(0 if results and all(results) else 1)
