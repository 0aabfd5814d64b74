"""The doctor: examine how logging is set up. Started by __main__.py, which has its options and prints its report.

Read checks.py (settings, loggers, faults), then probe.py, then level.py, the command that changes levels in the running
service. Exports `checks.settings_now`, `checks.loggers`, `checks.faults`, `probe.probe`, `level.main`, `level.shown`.
"""
