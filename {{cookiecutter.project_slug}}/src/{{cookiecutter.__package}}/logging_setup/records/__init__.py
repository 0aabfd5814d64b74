"""Log records: made, turned into built-in types with their secrets masked, and formatted as text.

In reading order: factory (makes records), context (log_context), values, exceptions, redaction with redaction_rules
(the parts of a record), serialize (flatten, restore, prepare: the whole), text (escapes, time stamps, TextFormatter).
Exports: log_context; flatten, restore and prepare; redact; TextFormatter, to_json and escape.
"""
