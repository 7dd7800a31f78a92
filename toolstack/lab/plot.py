# SPDX-License-Identifier: MIT
"""The plot of an experiment, as SVG by gnuplot: a curve a series, the mean with its interval at each x.

Where factors other than x and series vary, each of their combinations is a curve too.
"""
import subprocess

from bundle import unit
from factors import ExperimentError


def curves(results):
    """{label: [(x, mean, low, high)]}, in the file's order."""
    e, out = results.experiment, {}
    for row in results.table():
        if "mean" in row:
            rest = ["%s %s" % (k, v) for k, v in row["levels"].items() if k != e.x]
            out.setdefault(", ".join(rest) or e.title, []).append((row["levels"][e.x], row["mean"], row["low"], row["high"]))
    return out


def quoted(text):
    return "'%s'" % str(text).replace("'", "''").replace("\n", " ")


def script(results):
    """gnuplot's commands with their data."""
    e, lines, all_curves = results.experiment, [], curves(results)
    if not all_curves:
        raise ExperimentError("%s: nothing to plot: no combination was measured twice" % e.path)
    places = {x: i for i, x in enumerate(e.factors[e.x])}     # x values are names: 4k, persistent, 8
    for i, points in enumerate(all_curves.values()):
        lines += ["$c%d << END" % i] + ["%d %r %r %r" % ((places[p[0]],) + p[1:]) for p in points] + ["END"]
    lines += ["set terminal svg size 720,440 font 'sans,12'", "set title %s noenhanced" % quoted(e.title),
              "set xlabel %s noenhanced" % quoted(e.x), "set ylabel %s" % quoted(unit(e)), "set yrange [0:*]", "set grid ytics",
              "set xrange [-0.5:%g]" % (len(places) - 0.5), "set key outside below noenhanced", "set xtics (%s)"
              % ", ".join("%s %d" % (quoted(x), i) for x, i in places.items()),
              "plot " + ", ".join("$c%d with yerrorlines title %s" % (i, quoted(label)) for i, label in enumerate(all_curves))]
    return "\n".join(lines) + "\n"


def svg(results):
    try:
        done = subprocess.run(["gnuplot"], input=script(results), capture_output=True, text=True)
    except FileNotFoundError:
        raise ExperimentError("gnuplot is not installed (package gnuplot-nox)")
    if done.returncode != 0:
        raise ExperimentError("gnuplot: %s" % done.stderr.strip()[-300:])
    return done.stdout
