"""Process-wide state: reports of logging on itself, hooks for what is not caught, start and stop.

In reading order: reports (report, say: how the other rooms report failures), open_file (the log file and those beside
it), global_state (what set-up changes and stop() restores), uncaught (exceptions, warnings, fatal signals), flood
(LOG_REPEAT), session (LoggingSession: attach, shut down, signals), live_level (levels changed at run time).
Exports: LoggingSession; live; log_once, log_exit and logged; report, say and describe.
"""
