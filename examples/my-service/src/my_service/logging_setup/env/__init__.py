"""Settings from LOG_* environment variables. Imports no other subpackage.

Read variables.py first, then parsers.py. Exports `setting`, `level_setting`, `Sink` and
`BaseSettings` to declare settings, `read` to read them, and the parsers (text of a variable -> value).
"""
