"""Log records: made, converted to built-in types with their secrets masked, and formatted as text.

In reading order: factory (record classes), context (log_context); values (and exceptions), redaction with
redaction_rules (the parts of a record); serialize (the whole); text (TextFormatter, escapes, time stamps), dialects
(JSON of log platforms), format_strings. Exports: log_context; LogRecord, PreparedRecord; prepare, flatten, restore;
redact; TextFormatter, escape, to_json; DIALECTS; FormatStringFormatter, line_format, time_format.
"""
