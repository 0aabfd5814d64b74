"""The sinks: a file each, with its LOG_* variables beside its handler. A handler gets PreparedRecords only.

Reading order: dispatcher.py (calls every handler); console.py; the log file: rotating_file.py, then timed_file.py or
size_file.py, locked_file.py, backups.py; slow sinks: background.py (a thread and a backlog), then those that use it.
Exports Dispatcher, and the class of settings of each sink, named in get_handlers.py.
"""
