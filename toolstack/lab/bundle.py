# SPDX-License-Identifier: MIT
"""What an experiment leaves: one .tar.gz that stands alone.

    experiment.toml     as it was run
    provenance.json     versions, commit, host, when
    commands.json       guest files and command lines of every combination
    raw.csv             every sample: run, cell, repetition, guest, index, value
    results.json        per combination: mean, interval, repetitions, samples given up as warm-up
    NAME.svg            the plot
"""
import csv
import io
import json
import os
import tarfile
import tempfile
import time

from experiment import Experiment
from factors import ExperimentError
from stats import Interval, steady


class Results:
    """Samples as they come, and what they amount to."""

    def __init__(self, experiment):
        self.experiment = experiment
        self.rows = []          # (cell, repetition, guest, samples)
        self.failures = []      # (cell, repetition, why)
        self.interrupted = False

    def add(self, run, per_guest):
        for guest, samples in enumerate(per_guest):
            self.rows.append((run.cell, run.repetition, guest, samples))

    def fail(self, run, why):
        self.failures.append((run.cell, run.repetition, why))

    def figures(self, cell):
        """A figure a repetition: the sum over its guests of their steady means."""
        by_repetition = {}
        for c, repetition, _, samples in self.rows:
            if c == cell:
                by_repetition.setdefault(repetition, []).append(steady(samples)[0])
        return [sum(v) for _, v in sorted(by_repetition.items())]

    def table(self):
        """A row a combination, as results.json has it; one without figures says so by n = 0."""
        out = []
        for cell, levels in enumerate(self.experiment.cells()):
            values = self.figures(cell)
            row = {"levels": {k: levels[k] for k in self.experiment.factors}, "n": len(values)}
            if len(values) >= 2:
                i = Interval(values)
                row.update(mean=i.mean, low=i.low, high=i.high)
            row["given up"] = [steady(s)[1] for c, _, _, s in self.rows if c == cell]
            out.append(row)
        return out


def raw_csv(results):
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("cell", "repetition", "guest", "index", "value"))
    for cell, repetition, guest, samples in results.rows:
        for i, value in enumerate(samples):
            writer.writerow((cell, repetition, guest, i, repr(value)))
    return out.getvalue()


def save(path, results, parts):
    """parts: {name: text} besides what follows from the results. Whole or not at all: a rename ends it."""
    name = results.experiment.name
    parts = dict(parts, **{"experiment.toml": results.experiment.text, "raw.csv": raw_csv(results),
                           "results.json": json.dumps({"unit": unit(results.experiment), "cells": results.table(),
                                                       "failures": results.failures}, indent=1)})
    with tarfile.open(path + ".part", "w:gz") as tar:
        for part, text in sorted(parts.items()):
            info = tarfile.TarInfo("%s/%s" % (name, part))
            info.size, info.mtime, info.mode = len(text.encode()), int(time.time()), 0o644
            tar.addfile(info, io.BytesIO(text.encode()))
    os.rename(path + ".part", path)


def unit(experiment):
    return "Mbit a second" if experiment.workload == "iperf3" else "requests a second"


def load(path):
    """The results of an archive, recomputed from its raw samples."""
    try:
        with tarfile.open(path) as tar:
            texts = {os.path.basename(m.name): tar.extractfile(m).read().decode() for m in tar if m.isfile()}
            folder = tar.getnames()[0].split("/")[0]
    except (OSError, tarfile.TarError, UnicodeDecodeError, IndexError) as e:
        raise ExperimentError("%s: no archive of an experiment: %s" % (path, e))
    for part in ("experiment.toml", "raw.csv"):
        if part not in texts:
            raise ExperimentError("%s: has no %s" % (path, part))
    with tempfile.TemporaryDirectory() as scratch:
        file = os.path.join(scratch, os.path.basename(folder) + ".toml")
        with open(file, "w") as f:
            f.write(texts["experiment.toml"])
        results = Results(Experiment(file))
    rows = {}
    try:
        for line in csv.DictReader(io.StringIO(texts["raw.csv"])):
            key = tuple(int(line[k]) for k in ("cell", "repetition", "guest"))
            rows.setdefault(key, []).append(float(line["value"]))
    except (KeyError, TypeError, ValueError) as e:
        raise ExperimentError("%s: raw.csv is damaged: %s" % (path, e))
    results.rows = [key + (samples,) for key, samples in rows.items()]
    return results


def compare(one, other):
    """[(levels, interval, interval, overlap)] of two archives of the same experiment."""
    if one.experiment.cells() != other.experiment.cells():
        raise ExperimentError("%s and %s vary different factors" % (one.experiment.title, other.experiment.title))
    out = []
    for cell, levels in enumerate(one.experiment.cells()):
        pair = [r.figures(cell) for r in (one, other)]
        if min(map(len, pair)) < 2:
            raise ExperimentError("combination %d was not measured twice in both" % cell)
        a, b = map(Interval, pair)
        out.append(({k: levels[k] for k in one.experiment.factors}, a, b, a.overlaps(b)))
    return out
