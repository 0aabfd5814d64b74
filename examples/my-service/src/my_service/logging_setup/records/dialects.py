"""The JSON of log platforms: Google Cloud Logging, Elastic Common Schema, Datadog. docs/ has a schema of each."""

import logging
import os
from collections.abc import Callable
from typing import Any, Final

Entry = dict[str, Any]

# The names of each field per platform; "-": omitted. Trace fields belong to the context, if there are any.
_NAMES: Final = """
json                    ecs                     datadog              gcp
timestamp               @timestamp              timestamp            time
level                   log.level               status               severity
logger                  log.logger              logger.name          logger
message                 message                 message              message
process.pid             process.pid             process.pid          process.pid
process.name            process.name            process.name         process.name
thread.id               process.thread.id       -                    thread.id
thread.name             process.thread.name     logger.thread_name   thread.name
code.file.path          log.origin.file.name    code.file.path       -
code.line.number        log.origin.file.line    code.line.number     -
code.function.name      log.origin.function     logger.method_name   -
service.name            service.name            service              serviceContext
exception.type          error.type              error.kind           exception.type
exception.message       error.message           error.message        exception.message
exception.stacktrace    error.stack_trace       error.stack          stack_trace
exception.notes         -                       -                    -
exception.causes        -                       -                    -
code.stacktrace         code.stacktrace         code.stacktrace      code.stacktrace
trace_id                trace.id                dd.trace_id          logging.googleapis.com/trace
span_id                 span.id                 dd.span_id           logging.googleapis.com/spanId
trace_flags             trace_flags             trace_flags          logging.googleapis.com/trace_sampled
"""
_SEVERITIES: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_PROJECT: Final = os.environ.get("GOOGLE_CLOUD_PROJECT", "")
_ODD: Final = tuple("13579bdf")  # hexadecimal digits whose lowest bit is set


class Dialect:
    """One platform's JSON: the column `name` of _NAMES, and `convert`, which changes values and adds fields."""

    def __init__(self, name: str, convert: Callable[[logging.LogRecord, Entry], Entry], *added: str) -> None:
        head, *rows = (line.split() for line in _NAMES.split("\n") if line)
        self._names = {row[0]: row[head.index(name)] for row in rows}
        self._convert = convert
        names = {*added, *(new for old, new in self._names.items() if new != old)}
        # With `error.type`, which is a member of an object `error`, no field may be called `error`.
        self.reserved = names | {each.partition(".")[0] for each in (*self._names.values(), *added) if "." in each}

    def translate(self, record: logging.LogRecord, entry: Entry) -> Entry:
        """Convert an entry of JsonFormatter to one of the platform."""
        entry = self._convert(record, entry)
        return {new: value for name, value in entry.items() if (new := self._names.get(name, name)) != "-"}


def _gcp(record: logging.LogRecord, entry: Entry) -> Entry:
    """See docs.cloud.google.com/logging/docs/structured-logging."""
    if _PROJECT and "trace_id" in entry:
        entry["trace_id"] = f"projects/{_PROJECT}/traces/{entry['trace_id']}"
    if "trace_flags" in entry:
        entry["trace_flags"] = str(entry["trace_flags"]).endswith(_ODD)
    entry |= {"level": _severity(record), "service.name": {"service": entry["service.name"]}}
    place = {"file": record.pathname, "line": str(record.lineno), "function": record.funcName}
    return {**entry, "logging.googleapis.com/sourceLocation": place}


def _ecs(record: logging.LogRecord, entry: Entry) -> Entry:
    """See elastic.co/docs/reference/ecs; in the order of the ecs-logging libraries, with dots in the names."""
    first = {"timestamp": "", "level": "", "message": "", "ecs.version": "8.11.0"}
    return first | entry | {"level": record.levelname.lower(), "code.file.path": record.filename}


def _datadog(record: logging.LogRecord, entry: Entry) -> Entry:
    """See docs.datadoghq.com/standard-attributes; ids are the low 64 bits, in decimal."""
    for name in {"trace_id", "span_id"} & entry.keys():
        try:
            entry[name] = str(int(entry[name], 16) & 0xFFFF_FFFF_FFFF_FFFF)
        except (TypeError, ValueError):  # an id of the application's own
            entry[f"fields.{name}"] = entry.pop(name)
    return entry | {"level": _severity(record).lower()}


def _severity(record: logging.LogRecord) -> str:
    """Return the standard level at or below the record's, whatever the application names its own levels."""
    return _SEVERITIES[min(max(record.levelno // 10, 1), 5) - 1]


TABLE: Final = {
    "gcp": Dialect("gcp", _gcp, "logging.googleapis.com/sourceLocation"),
    "ecs": Dialect("ecs", _ecs, "ecs.version"),
    "datadog": Dialect("datadog", _datadog),
}
