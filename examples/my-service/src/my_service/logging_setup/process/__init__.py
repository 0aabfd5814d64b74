"""Process-wide state: logging's reports on itself, hooks for uncaught exceptions, start and stop.

In reading order: reports (report, say: how other subpackages report failures), open_file (the log file and those next
to it), global_state (what setup changes and stop() restores), uncaught (exceptions, warnings, fatal signals), flood
(LOG_REPEAT), session (LoggingSession: attach, shut down, signals), live_level (levels changed at run time).
Exports: LoggingSession; live; log_once, log_exit and logged; report, say and describe.
"""
