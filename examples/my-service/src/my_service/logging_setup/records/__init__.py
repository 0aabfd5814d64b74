"""Log records: made, converted to built-in types with their secrets masked, and formatted as text.

In reading order: factory (record classes), context (log_context); values, exceptions, redaction with redaction_rules
(the parts of a record); serialize (the whole: flatten, restore, prepare); text (TextFormatter, escapes, time stamps).
Exports: log_context; LogRecord, PreparedRecord; flatten, restore, prepare; redact; TextFormatter, escape, to_json.
"""
