"""Benchmarks of the generated project and of the alternatives. `make bench` runs them.

peers.py      the set-up of each alternative, according to its documentation
measure.py    one run, in a process of its own: logs numbered records, checks the lines, prints figures
project.py    the projects under test, generated from the working tree
runs.py       starts runs, and kills those that exceed the deadline
startup.py    the cost of start-up, and of a disabled log call
scenarios.py  the scenarios (a) to (j)
claims.py     the wanted ratios, compared with the measured ones
report.py     docs/benchmarks.md and .json;  plot.py  docs/benchmarks.svg
"""
