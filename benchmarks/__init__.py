"""Side by side: the generated project, and what people would use instead. `make bench` runs it.

peers.py      how each of them is set up, as its own documentation says
measure.py    one run, in a process of its own: numbered records in, lines on disk, figures out
project.py    the projects under test, generated from the working tree
runs.py       starts runs, and gives up on those that hang
startup.py    the cost of starting, and of a log call that is switched off
scenarios.py  what is run: (a) to (h)
claims.py     what is wanted, and whether it holds
report.py     docs/benchmarks.md and .json;  plot.py  docs/benchmarks.svg
"""
