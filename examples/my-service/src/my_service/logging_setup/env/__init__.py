"""Settings from LOG_* environment variables; imports no other room.

Read first variables.py, then parsers.py. Exports `setting`, `level_setting`, `Sink` and
`BaseSettings` to declare settings, `read` to read them, and the parsers (text of a variable -> value).
"""
