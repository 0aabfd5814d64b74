"""Prepare log records for handlers: merge message and arguments, mask secrets, convert values to built-in types.

This happens in the process, thread and task that made the record, because only there do its arguments, its exception
and its context exist. For the queue, it is serialized to a flat tuple, which queue/encoding.py turns into bytes.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from .context import active_span, current_context, span_fields
from .record import BLANK, START, PreparedRecord
from .redaction import redact
from .values import exception_fields, to_builtin, to_key, to_scalar

# Origin, time, task, message; stack, exception and fields, if there are any; span (see context.py).
Flat = tuple[bytes, float, str | None, str, str | None, dict[str, Any] | None, dict[str, Any] | None, bytes]
Deliver = Callable[[bytes, object, Any, int], object]  # takes origin, message, arguments and level

# The origin: attributes that the records of one line of code, in one thread, have in common. It is masked,
# serialized and deserialized once: the same bytes recur, and are looked up.
_ORIGIN: Final = (
    "name", "processName", "threadName", "levelno", "levelname", "pathname", "lineno", "funcName", "process", "thread",
)  # fmt: skip
_MAX_ORIGINS: Final = 2048  # cached
origin_values = itemgetter(*_ORIGIN)
ADMITTED: Final = "(admitted)"  # set by flood control; not a name that an `extra=` has
# Others come from an `extra=`. taskName exists from Python 3.12 on; formatters of other code set message and asctime.
_STANDARD: Final = frozenset(BLANK) | {"message", "asctime", "taskName", ADMITTED}
_STANDARD_LENGTH: Final = len(BLANK)
_HAVE_TASKS: Final = "taskName" in BLANK  # from Python 3.12 on
# First part of a logger's name -> the extra that is left out: a library adds it for its own use.
_OWN_USE: Final = {"uvicorn": "color_message", "celery": "data", "django": "request"}
_LATEST: Final = 2.0**34  # seconds since the epoch: some sinks cannot send later times, or negative ones


def prepare(record: logging.LogRecord) -> PreparedRecord:
    """Return the record that handlers get when there is no queue."""
    return restore(flatten(record))


def flatten(record: logging.LogRecord) -> Flat:
    """Serialize `record`. Never raises for what the application has put into it."""
    data = record.__dict__
    stack = exception = fields = None
    if len(data) != _STANDARD_LENGTH or data["exc_info"] or data["exc_text"] or data["stack_info"] or current_context():
        stack, exception, fields = _details(data)
    try:
        origin = serialize_origin(redact.text, origin_values(data))
    except TypeError:  # a value is not hashable
        origin = serialize_origin(redact.text, tuple(map(to_scalar, origin_values(data))))
    message = redact.text(_message(record))
    return origin, _usable_time(data["created"]), data.get("taskName"), message, stack, exception, fields, active_span()


def flatten_call(origin: bytes, msg: object, args: Any) -> Flat:
    """Serialize the record of a log call without an exception or extras."""
    task = _task_name() if _HAVE_TASKS else None
    return origin, time.time(), task, redact.text(_merge(msg, args)), None, None, _context_fields(), active_span()


def restore(flat: Flat) -> PreparedRecord:
    """Restore the record from the result of `flatten`. Raises ValueError or TypeError for an invalid origin."""
    origin, created, task, message, stack, exception, fields, span = flat
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
    if span and (ids := span_fields(span)).keys().isdisjoint(fields or ()):  # otherwise the application has its own ids
        fields = {**(fields or {}), **ids}
    if fields:  # their names may be those of attributes
        data = {**fields, **data, "exception": exception, "fields": fields}
    return PreparedRecord(data)


@lru_cache(_MAX_ORIGINS)
def serialize_origin(mask: Callable[[str], str], values: tuple[Any, ...]) -> bytes:
    """Serialize the attributes of _ORIGIN, in that order, with `mask` for the names."""
    name, process, thread, _, *others = map(to_scalar, values)
    names = (each if each is None else mask(str(each)) for each in (name, process, thread))
    level = logging.WARNING
    with suppress(TypeError, ValueError, OverflowError):
        level = int(values[3])  # not every handler could compare a Decimal, for example
    short = [each[:500] if isinstance(each, str) else each for each in (*names, level, *others)]  # characters
    return json.dumps(short, ensure_ascii=False).encode("utf-8", "surrogatepass")


@lru_cache(_MAX_ORIGINS)
def deserialize_origin(origin: bytes) -> dict[str, Any]:
    values = dict(zip(_ORIGIN, json.loads(origin.decode("utf-8", "surrogatepass")), strict=True))
    scalars = all(isinstance(each, str | int | float | None) for each in values.values())
    if type(values["levelno"]) is not int or not scalars:
        raise ValueError("not the origin of a record")
    file = os.path.basename(str(values["pathname"]))
    return {**BLANK, **values, "filename": file, "module": os.path.splitext(file)[0], "args": None}


def _details(data: dict[str, Any]) -> tuple[str | None, dict[str, Any] | None, dict[str, Any] | None]:
    """Return the stack, the exception, and the context with the extras, of a record with these attributes."""
    extras = None
    if len(data) != _STANDARD_LENGTH:
        own_use = _OWN_USE.get(str(data["name"]).partition(".")[0])
        extras = {key: value for key, value in data.items() if key not in _STANDARD and key != own_use}
    fields = _context_fields(extras)
    info, text = data["exc_info"], data["exc_text"]
    exception = exception_fields(info, text, redact.text) if info or text else None
    stack = redact.text(str(data["stack_info"])) if data["stack_info"] else None
    return stack, exception, fields


def _context_fields(extras: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the fields of log_context and the extras, masked; None if there are none."""
    context = current_context()
    if not (context or extras):
        return None
    found = {**context, **(extras or {})}
    return redact.fields({to_key(key): to_builtin(value) for key, value in found.items()})


def _task_name() -> str | None:
    library = sys.modules.get("asyncio")
    try:
        # current_task() would raise where no loop runs, which takes longer than everything else here.
        task = library.current_task() if library and library._get_running_loop() else None  # noqa: SLF001
        return task.get_name() if task else None
    except Exception:  # noqa: BLE001 - the class of a task may be the application's
        return None


def _usable_time(created: Any) -> float:
    """Return the time of a record, or the current time if it is not a number, or not valid for calendars or sinks."""
    is_usable = type(created) in (float, int) and 0 <= created < _LATEST
    return float(created) if is_usable else time.time()


def _message(record: logging.LogRecord) -> str:
    try:
        return str(to_builtin(record.getMessage()))
    except Exception as error:  # noqa: BLE001 - wrong arguments, or an argument's own __str__
        return _not_merged(record.msg, record.args, error)


def _merge(msg: object, args: Any) -> str:
    """Return the message of a log call, as logging.LogRecord.getMessage() does. Never raises."""
    try:
        if args and len(args) == 1 and type(args) is tuple and isinstance(args[0], Mapping) and args[0]:
            args = args[0]  # for %(name)s
        text = msg if type(msg) is str else str(msg)
        if args:
            text = text % args
    except Exception as error:  # noqa: BLE001 - as above
        return _not_merged(msg, args, error)
    return text if type(text) is str else str(to_builtin(text))


def _not_merged(msg: object, args: object, error: Exception) -> str:
    return f"{to_builtin(msg)} [arguments not merged: {to_builtin(args)!r}: {type(error).__name__}]"
