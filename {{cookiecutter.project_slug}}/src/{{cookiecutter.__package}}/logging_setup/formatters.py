"""The formats of a line: JSON, which docs/log-record.schema.json describes, and text (records/text.py)."""

import logging
from typing import Any, Final

from .records.escapes import format_time, to_json
from .records.text import TextFormatter

# The names that the schema gives a meaning: a field that has one of them gets "fields." before it.
_RESERVED: Final = frozenset(
    (
        "timestamp",
        "level",
        "logger",
        "message",
        "process.pid",
        "process.name",
        "thread.id",
        "thread.name",
        "code.file.path",
        "code.line.number",
        "code.function.name",
        "code.stacktrace",
        "service.name",
        "exception.type",
        "exception.message",
        "exception.stacktrace",
        "exception.notes",
        "exception.causes",
    )
)


class JsonFormatter(logging.Formatter):
    """One strict JSON object, on one line, with OpenTelemetry's names for what they name.

    `service` becomes service.name.
    """

    def __init__(self, service: str = "") -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        data = record.__dict__
        entry: dict[str, Any] = {
            "timestamp": format_time(int(data["created"] * 1000)),
            "level": data["levelname"],
            "logger": data["name"],
            "message": record.getMessage(),
            "process.pid": data["process"],
            "process.name": data["processName"],
            "thread.id": data["thread"],
            "thread.name": data["threadName"],
            "code.file.path": data["pathname"],
            "code.line.number": data["lineno"],
            "code.function.name": data["funcName"],
            "service.name": self._service,
        }
        exception = data.get("exception")
        if exception:
            entry["exception.type"] = exception["type"]
            entry["exception.message"] = exception["message"]
            entry["exception.stacktrace"] = exception["stacktrace"]
            if exception.get("notes"):
                entry["exception.notes"] = exception["notes"]
            if exception.get("causes"):
                entry["exception.causes"] = exception["causes"]
        if data["stack_info"]:
            entry["code.stacktrace"] = data["stack_info"]
        for name, value in (data.get("fields") or {}).items():
            key = name
            while key in entry or key in _RESERVED:
                key = f"fields.{key}"
            entry[key] = value
        return to_json(entry)


def make_formatter(kind: str, *, colour: bool = False) -> logging.Formatter:
    """The formatter that `text` or `json` names; `colour` is for text."""
    if kind == "json":
        return JsonFormatter(service="{{ cookiecutter.project_slug }}")
    return TextFormatter(colour=colour)
