"""The doctor: examine how logging is set up. Started by __main__.py, which passes settings and handlers in.

Read command.py (options, report, probe), then checks.py (settings, loggers, faults). Exports
`command.main` and `checks.unknown_variables`.
"""
