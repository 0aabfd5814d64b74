"""Formats of log lines: JSON (docs/log-record.schema.json) is here, the others are in records/.

Text is in text.py, the JSON of log platforms in dialects.py, and format strings in format_strings.py.
"""

import logging
import os
from typing import Any, Final

from .records.format_strings import DIALECTS, FormatStringFormatter
from .records.text import TextFormatter, add_fields, format_time, to_json


def standard_fields(record: logging.LogRecord, service: str) -> dict[str, Any]:
    """Return the fields of every JSON line, in order, with OpenTelemetry's names where it defines them.

    To add a field, add a line here and to the schema.
    """
    return {
        "timestamp": format_time(int(record.created * 1000)),
        "level": record.levelname,
        "logger": record.name,
        "message": record.getMessage(),
        "process.pid": record.process,
        "process.name": record.processName,
        "thread.id": record.thread,
        "thread.name": record.threadName,
        "code.file.path": record.pathname,
        "code.line.number": record.lineno,
        "code.function.name": record.funcName,
        "service.name": service,
    }


def optional_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that only some lines have; the caller omits those that are None."""
    exception = getattr(record, "exception", None) or {}
    return {
        "exception.type": exception.get("type"),
        "exception.message": exception.get("message"),
        "exception.stacktrace": exception.get("stacktrace"),
        "exception.notes": exception.get("notes") or None,
        "exception.causes": exception.get("causes") or None,
        "code.stacktrace": record.stack_info or None,
    }


_BLANK: Final = logging.makeLogRecord({})
_RESERVED: Final = standard_fields(_BLANK, "").keys() | optional_fields(_BLANK).keys()


class JsonFormatter(logging.Formatter):
    """Format a record as one strict JSON object, on one line; `service` becomes its service.name.

    Context and extras are added to the standard fields; a name that a standard field has gets the prefix "fields.".
    With `dialect`, the JSON is that of a log platform (records/dialects.py).
    """

    def __init__(self, service: str = "", dialect: str = "") -> None:
        super().__init__()
        self._service, self._dialect, self._reserved = service, None, _RESERVED
        if dialect:
            from .records.dialects import TABLE  # here: rarely needed

            self._dialect = TABLE[dialect]
            self._reserved = _RESERVED | self._dialect.reserved

    def format(self, record: logging.LogRecord) -> str:
        entry = standard_fields(record, self._service)
        data = record.__dict__
        if data.get("exception") or data["stack_info"]:
            entry |= {name: value for name, value in optional_fields(record).items() if value is not None}
        if fields := data.get("fields"):
            add_fields(entry, fields, self._reserved)
        return to_json(self._dialect.translate(record, entry) if self._dialect else entry)


def make_formatter(kind: str, *, colour: bool = False, date_format: str = "") -> logging.Formatter:
    """Return the formatter of LOG_*_FORMAT=kind; `colour` is for text, `date_format` for a format string.

    Raises ValueError for text that is neither a name nor a format string.
    """
    if kind == "text":
        return TextFormatter(colour=colour)
    if kind == "json" or kind in DIALECTS:
        return JsonFormatter(service_name(), dialect="" if kind == "json" else kind)
    return FormatStringFormatter(kind, date_format)


def service_name() -> str:
    """Return service.name from OpenTelemetry's environment variables, or the project's name if they do not set it."""
    found = {"service.name": "my-service"}
    if attributes := os.environ.get("OTEL_RESOURCE_ATTRIBUTES"):
        from urllib.parse import unquote  # here: rarely needed

        pairs = (each.partition("=") for each in attributes.split(","))
        found |= {key.strip(): unquote(value.strip()) for key, _, value in pairs if value.strip()}
    return os.environ.get("OTEL_SERVICE_NAME", "").strip() or found["service.name"]
