# SPDX-License-Identifier: MIT
"""From samples to a figure with an interval.

Warm-up: MSER (White 1997): of all starting points, the one that makes the standard error of what remains least; at most half of
a run is given up. Interval: Student's t over the repetitions, 95 %.
"""
import math
import statistics

# Two-sided 95 % points of Student's t for 1 to 30 degrees of freedom (NIST handbook, table 1.3.6.7.2); beyond, the normal's.
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110,
       2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)


def warm_up(samples):
    """How many of the first samples are warm-up."""
    best, cut = None, 0
    for start in range(len(samples) // 2 + 1):
        rest = samples[start:]
        if len(rest) < 2:
            break
        mean = sum(rest) / len(rest)
        error = sum((x - mean) ** 2 for x in rest) / len(rest) ** 2
        if best is None or error < best:
            best, cut = error, start
    return cut


def steady(samples):
    """(mean of a run after its warm-up, samples given up)."""
    cut = warm_up(samples)
    return statistics.fmean(samples[cut:]), cut


class Interval:
    """Mean of several repetitions, with what it may be off by."""

    def __init__(self, values):
        self.n, self.mean = len(values), statistics.fmean(values)
        degrees = self.n - 1
        point = 1.960 if degrees > len(T95) else T95[degrees - 1] if degrees else math.inf
        self.half = point * statistics.stdev(values) / math.sqrt(self.n) if degrees else math.inf
        self.low, self.high = self.mean - self.half, self.mean + self.half

    def overlaps(self, other):
        return self.low <= other.high and other.low <= self.high
