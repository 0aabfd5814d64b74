"""The formats of a line: JSON, which docs/log-record.schema.json describes, and text (records/text.py)."""

import logging
import os
from typing import Any, Final

from .records.text import TextFormatter, add_fields, format_time, to_json


def standard_fields(record: logging.LogRecord, service: str) -> dict[str, Any]:
    """Return the fields of every JSON line, in their order, with OpenTelemetry's names for what it names.

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
    """Return the fields that only some lines have; those that are None are left out."""
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

    Context and extras are fields beside the standard ones; one that has the name of a standard one gets "fields."
    before it.
    """

    def __init__(self, service: str = "") -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        entry = standard_fields(record, self._service)
        data = record.__dict__
        if data.get("exception") or data["stack_info"]:
            entry |= {name: value for name, value in optional_fields(record).items() if value is not None}
        add_fields(entry, data.get("fields") or {}, _RESERVED)
        return to_json(entry)


def make_formatter(kind: str, *, colour: bool = False) -> logging.Formatter:
    """Return the formatter that `text` or `json` names; `colour` is for text."""
    if kind == "json":
        return JsonFormatter(service=service_name())
    return TextFormatter(colour=colour)


def service_name() -> str:
    """Return the service.name of OpenTelemetry's environment variables, or the project's name if they have none."""
    name = os.environ.get("OTEL_SERVICE_NAME", "").strip()
    attributes = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if not name and "service.name" in attributes:
        from urllib.parse import unquote  # here: rarely needed

        pairs = (each.partition("=") for each in attributes.split(","))
        name = {key.strip(): unquote(value.strip()) for key, _, value in pairs}.get("service.name", "")
    return name or "{{ cookiecutter.project_slug }}"
