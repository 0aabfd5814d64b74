"""What travels: a LogRecord made into one flat tuple of plain values, and back into a record.

`flatten` runs in the process, thread and task that made the record, because only there do
its arguments, its exception and its context exist. What it returns holds nothing but str,
int, float, bool, None, bytes, tuples, lists and dicts: see wire.py.
"""

import logging
from collections.abc import Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final

from .context import current_context
from .exceptions import exception_fields
from .factory import BLANK, START, LogRecord
from .origin import deserialize_origin, serialize_origin, to_scalar
from .redaction import redact
from .values import builtin_key, to_builtin

Flat = tuple[bytes, float, str | None, str, str | None, dict[str, Any] | None, dict[str, Any] | None, int]

PREPARED: Final = "(ready for handlers)"  # see direct.py; no name that an `extra=` would have

# What every record has; all else in a record's __dict__ came in by `extra=`. taskName is
# there from 3.12 on; message, asctime and exc_text are left behind by other formatters.
_OWN: Final = frozenset(BLANK) | {"message", "asctime", "taskName", PREPARED}
_PLAIN_LENGTH: Final = len(BLANK)
_origin_values = itemgetter(  # in the order of serialize_origin
    "name", "processName", "threadName", "levelno", "levelname", "pathname", "lineno", "funcName", "process", "thread",
)  # fmt: skip


class PreparedRecord(logging.LogRecord):
    """What handlers get: message and arguments merged, secrets masked, all values plain."""

    fields: Mapping[str, Any] = MappingProxyType({})  # context and extras
    exception: dict[str, Any] | None = None  # its type, message, stacktrace, notes, causes

    def __init__(self, data: dict[str, Any]) -> None:
        self.__dict__ = data  # which is quicker than to fill the one that it has


def flatten(record: logging.LogRecord, dropped: int = 0) -> Flat:
    """Everything there is to know of `record`, made safe to send: see `restore` for the order.

    Message and arguments are merged, the exception is formatted, context and extras are
    joined, secrets are masked. `dropped` is how many records before this one were lost.
    Never raises for what the application has put into the record.
    """
    data = record.__dict__
    context = current_context()
    fields = exception = stack = None
    if context or len(data) != _PLAIN_LENGTH:
        extra = {key: value for key, value in data.items() if key not in _OWN}
        fields = redact.fields({builtin_key(k): to_builtin(v) for k, v in {**context, **extra}.items()}) or None
    if data["exc_info"] or data["exc_text"]:
        exception = exception_fields(data["exc_info"], data["exc_text"])
    if data["stack_info"]:
        stack = redact.text(str(data["stack_info"]))
    try:
        origin = serialize_origin(redact.redactor, _origin_values(data))
    except TypeError:  # somebody has put a list there, or the like
        origin = serialize_origin(redact.redactor, tuple(map(to_scalar, _origin_values(data))))
    return (
        origin,
        data["created"],
        data.get("taskName"),
        redact.text(_message(record)),
        stack,
        exception,
        fields,
        dropped,
    )


def restore(flat: Flat) -> PreparedRecord:
    """The record again, as `flatten` found it, ready for any formatter."""
    origin, created, task, message, stack, exception, fields, _ = flat
    data = deserialize_origin(origin).copy()
    data["created"] = created
    data["msecs"] = created % 1 * 1000 // 1
    data["relativeCreated"] = (created - START) * 1000
    data["msg"] = message
    if task:
        data["taskName"] = task
    if stack:
        data["stack_info"] = stack
    if exception:
        data["exception"] = exception
        data["exc_text"] = exception["stacktrace"]
    if fields:  # which may have the names of attributes
        data = {**fields, **data, "exception": exception, "fields": fields}
    return PreparedRecord(data)


def prepare(record: logging.LogRecord) -> PreparedRecord:
    """What `restore` makes of what `flatten` makes of `record`; a shorter way for most, without a queue."""
    data = record.__dict__
    odd = data["exc_info"] or data["exc_text"] or data["stack_info"] or len(data) != _PLAIN_LENGTH
    if odd or current_context():
        return restore(flatten(record))
    data = data.copy()
    data["name"], data["processName"], data["threadName"] = redact.names(
        data["name"], data["processName"], data["threadName"]
    )
    data["msg"] = redact.text(_message(record))
    data["args"] = None
    return PreparedRecord(data)


def _message(record: logging.LogRecord) -> str:
    try:
        text: Any = record.msg
        if type(text) is str and type(record) in _USUAL:  # what getMessage() does then
            args = record.args
            return text % args if args else text
        text = record.getMessage()
    except Exception as error:  # noqa: BLE001 - wrong arguments, or an argument's own __str__
        return f"{to_builtin(record.msg)} [arguments not merged: {to_builtin(record.args)!r}: {type(error).__name__}]"
    return text if type(text) is str else str(to_builtin(text))


_USUAL: Final = (LogRecord, logging.LogRecord)
