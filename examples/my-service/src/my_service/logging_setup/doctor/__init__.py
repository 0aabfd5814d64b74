"""The doctor: examine how logging is set up. Started by __main__.py, which parses its options and prints its report.

Read checks.py (settings, loggers, faults), then probe.py.
Exports `checks.settings_now`, `checks.loggers`, `checks.faults`, `probe.probe`.
"""
