# SPDX-License-Identifier: MIT
"""An experiment: a TOML file, checked, and the runs that follow from it.

    title = "..."                 one line
    question = "..."              what it is to tell
    workload = "fio"              or "iperf3", or "ring": a disk's ring alone, without a guest kernel and fio
    seconds = 3                   of each run
    repetitions = 5               of each combination
    seed = 1                      of the order; another seed, another order
    [fixed]                       factors that stay
    [factors]                     factors that vary: NAME = [VALUE, ...]; all combinations are run
    [plot]
    x = "guests"                  a factor
    series = "grants"             another one, a curve a value (optional)
    [quick]                       what `--quick` puts in place of the above: seconds, repetitions, levels of factors (optional)
"""
import itertools
import json
import os
import random
import tomllib

from factors import BOOT, DEFAULTS, DISK_KEYS, FACTORS, GUEST, WORKLOADS, ExperimentError, ring_complaint

TOP_KEYS = {"title": str, "question": str, "workload": str, "seconds": int, "repetitions": int, "seed": int,
            "fixed": dict, "factors": dict, "plot": dict, "quick": dict}
MOST_RUNS = 10000


def as_toml(keys):
    """Text of what an experiment may hold: texts, numbers and lists of them are written as JSON writes them."""
    plain = ["%s = %s" % (k, json.dumps(v)) for k, v in keys.items() if not isinstance(v, dict)]
    for section, values in keys.items():
        if isinstance(values, dict):
            plain += ["[%s]" % section] + ["%s = %s" % (k, json.dumps(v)) for k, v in values.items()]
    return "\n".join(plain) + "\n"


class Run:
    """One combination, once: `cell` is its number, `levels` the values of all factors."""

    def __init__(self, cell, repetition, levels):
        self.cell, self.repetition, self.levels = cell, repetition, levels

    @property
    def boot(self):
        return tuple(self.levels[name] for name in FACTORS if FACTORS[name].acts_on == BOOT)


class Experiment:
    def __init__(self, path):
        self.path, self.name = path, os.path.splitext(os.path.basename(path))[0]
        try:
            with open(path, "rb") as f:
                self.text = f.read().decode()
        except (OSError, UnicodeDecodeError) as e:
            raise ExperimentError("%s: %s" % (path, e))
        try:
            self.keys = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as e:
            raise ExperimentError("%s: not TOML: %s" % (path, e))
        self._check()

    def quicken(self):
        """This becomes what [quick] says, and its text becomes that of an experiment of its own, as an archive keeps it."""
        quick = self.keys.pop("quick", None)
        if quick is None:
            self._fail("has no [quick]; leave --quick out")
        for key, value in quick.items():
            if key in ("seconds", "repetitions"):
                self.keys[key] = value
            elif key in self.factors:
                self.factors[key] = value
            else:
                self._fail("quick: %s is neither seconds, repetitions nor one of [factors]" % key)
        self.text = as_toml(self.keys)
        self._check()

    def _fail(self, text):
        raise ExperimentError("%s: %s" % (self.path, text))

    def _check(self):
        for key, value in self.keys.items():
            if key not in TOP_KEYS:
                self._fail("%s: unknown key; known are %s" % (key, ", ".join(TOP_KEYS)))
            if not isinstance(value, TOP_KEYS[key]) or isinstance(value, bool):
                self._fail("%s: %r is no %s" % (key, value, TOP_KEYS[key].__name__))
        for key in ("title", "workload", "factors", "plot"):
            if key not in self.keys:
                self._fail("%s is missing" % key)
        self.title, self.question = self.keys["title"], self.keys.get("question", "")
        self.workload = self.keys["workload"]
        if self.workload not in WORKLOADS:
            self._fail("workload = %r: one of %s" % (self.workload, ", ".join(WORKLOADS)))
        self.seconds = self._number("seconds", 3, 1, 3600)
        self.repetitions = self._number("repetitions", 5, 2, 1000)
        self.seed = self._number("seed", 1, 0, 2 ** 31)
        self.fixed, self.factors = self.keys.get("fixed", {}), self.keys["factors"]
        for name, value in self.fixed.items():
            self._check_value("fixed", name, value)
        for name, values in self.factors.items():
            if name in self.fixed:
                self._fail("%s is in [fixed] and in [factors]" % name)
            if not isinstance(values, list) or not values:
                self._fail("factors: %s = %r: a list of values is wanted" % (name, values))
            for value in values:
                self._check_value("factors", name, value)
            if len(set(values)) != len(values):
                self._fail("factors: %s: a value stands twice" % name)
        self._check_plot()
        if len(self.cells()) * self.repetitions > MOST_RUNS:
            self._fail("%d runs are more than %d" % (len(self.cells()) * self.repetitions, MOST_RUNS))
        for levels in self.cells():
            self._check_cell(levels)

    def _number(self, key, default, least, most):
        value = self.keys.get(key, default)
        if not least <= value <= most:
            self._fail("%s = %d: from %d to %d" % (key, value, least, most))
        return value

    def _check_value(self, where, name, value):
        if name not in FACTORS:
            self._fail("%s: unknown factor %s; known are %s" % (where, name, ", ".join(FACTORS)))
        factor = FACTORS[name]
        if factor.acts_on not in (BOOT, GUEST) + WORKLOADS[self.workload]:
            self._fail("%s: %s does nothing to %s" % (where, name, self.workload))
        wrong = factor.complaint(value)
        if wrong:
            self._fail("%s: %s = %r: %s %s" % (where, name, value, name, wrong))

    def _check_plot(self):
        plot = self.keys["plot"]
        for key, value in plot.items():
            if key not in ("x", "series"):
                self._fail("plot: unknown key %s; known are x, series" % key)
            if value not in self.factors:
                self._fail("plot: %s = %r is none of [factors]" % (key, value))
        if "x" not in plot:
            self._fail("plot: x is missing")
        self.x, self.series = plot["x"], plot.get("series")

    def _check_cell(self, levels):
        wrong = self.workload == "ring" and ring_complaint(levels)
        if wrong:
            self._fail(wrong)
        if levels["backend"] == "kernel":
            for name in DISK_KEYS:
                if name in levels:
                    self._fail("%s: the kernel's backend has no such key; leave it out or say backend = 'ours'" % name)

    def cells(self):
        """All combinations, as {factor: value}, in the file's order."""
        return [dict(DEFAULTS, **self.fixed, **dict(zip(self.factors, values)))
                for values in itertools.product(*self.factors.values())]

    def runs(self):
        """Every repetition has all combinations, in an order that the seed decides; those of one boot follow one another, and the
        boots' order differs from one repetition to the next."""
        dice, ordered = random.Random(self.seed), []
        cells = list(enumerate(self.cells()))
        for repetition in range(self.repetitions):
            dice.shuffle(cells)
            runs = [Run(i, repetition, levels) for i, levels in cells]
            boots = list(dict.fromkeys(run.boot for run in runs))
            ordered += sorted(runs, key=lambda run: boots.index(run.boot))
        return ordered
