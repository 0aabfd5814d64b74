# make demo: generate the default project, install it, run it, show its log file
# make test: everything that a change must pass
.PHONY: demo test clean
PYTHON ?= python3
