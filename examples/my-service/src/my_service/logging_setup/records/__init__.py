"""Log records: create them, convert them to built-in types with secrets masked, and format them as text.

In reading order: record (PreparedRecord), context (log_context, OpenTelemetry's span); values (and exceptions),
redaction with redaction_rules (the parts of a record); serialize (the whole); logger (log calls without a LogRecord);
text (TextFormatter, escapes, time stamps), dialects (JSON of log platforms), format_strings.
Exports: log_context; PreparedRecord; prepare, flatten, restore; use_fast_loggers; redact; TextFormatter, to_json;
DIALECTS, FormatStringFormatter, line_format, time_format.
"""
