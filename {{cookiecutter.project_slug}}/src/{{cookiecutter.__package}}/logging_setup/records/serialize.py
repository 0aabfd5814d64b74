"""Prepare log records for handlers: message and arguments merged, secrets masked, all values of built-in types.

This happens in the process, thread and task that made the record, because only there do its arguments, its exception
and its context exist. For the queue it is serialized to a flat tuple, which queue/encoding.py turns into bytes.
"""

# {% if cookiecutter.multiprocessing %}
import json
# {% endif %}
import logging
import time
from collections.abc import Callable
# {% if cookiecutter.multiprocessing %}
from contextlib import suppress
# {% endif %}
from functools import lru_cache
# {% if cookiecutter.multiprocessing %}
from operator import itemgetter
# {% endif %}
from typing import Any, Final

from .context import current_context
# {% if cookiecutter.multiprocessing %}
from .factory import BLANK, START, LogRecord, PreparedRecord, file_and_module
# {% endif %}
# {% if not cookiecutter.multiprocessing %}
from .factory import BLANK, LogRecord, PreparedRecord
# {% endif %}
from .redaction import redact
from .values import exception_fields, to_builtin, to_key, to_scalar

# {% if cookiecutter.multiprocessing %}
# Origin, time, task, message, details.
Flat = tuple[bytes, float, str | None, str, str | None, dict[str, Any] | None, dict[str, Any] | None]

# The origin: attributes that the records of one line of code, in one thread, have in common. It is masked and
# serialized once, and deserialized once: the same bytes come again and again, and are a look-up.
_ORIGIN: Final = (
    "name", "processName", "threadName", "levelno", "levelname", "pathname", "lineno", "funcName", "process", "thread",
)  # fmt: skip
_MAX_ORIGINS: Final = 2048  # remembered
_origin_values = itemgetter(*_ORIGIN)
# {% endif %}
# {% if not cookiecutter.multiprocessing %}
_NAMES: Final = ("name", "processName", "threadName")
_ATTRIBUTES: Final = frozenset(BLANK) | {"taskName"}
# {% endif %}
# Others are of an `extra=`. taskName is there from Python 3.12 on; formatters of other code set message and asctime.
_STANDARD: Final = frozenset(BLANK) | {"message", "asctime", "taskName"}
_STANDARD_LENGTH: Final = len(BLANK)
_STANDARD_CLASSES: Final = (LogRecord, logging.LogRecord)
_LATEST: Final = 2.0**34  # seconds since the epoch: some sinks cannot send later times, nor negative ones


# {% if cookiecutter.multiprocessing %}
def prepare(record: logging.LogRecord) -> PreparedRecord:
    """Return the record that handlers get, without the queue between."""
    return restore(flatten(record))


def flatten(record: logging.LogRecord) -> Flat:
    """Serialize `record`. Never raises for what the application has put into it."""
    data = record.__dict__
    stack = exception = fields = None
    if len(data) != _STANDARD_LENGTH or data["exc_info"] or data["exc_text"] or data["stack_info"] or current_context():
        stack, exception, fields = _details(data)
    try:
        origin = _serialize_origin(redact.text, _origin_values(data))
    except TypeError:  # one is not hashable
        origin = _serialize_origin(redact.text, tuple(map(to_scalar, _origin_values(data))))
    message = redact.text(_message(record))
    return origin, _usable_time(data["created"]), data.get("taskName"), message, stack, exception, fields


def restore(flat: Flat) -> PreparedRecord:
    """Restore the record from what `flatten` has returned. Raises ValueError or TypeError for another origin."""
    origin, created, task, message, stack, exception, fields = flat
    data = _deserialize_origin(origin).copy()
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


@lru_cache(_MAX_ORIGINS)
def _serialize_origin(mask: Callable[[str], str], values: tuple[Any, ...]) -> bytes:
    name, process, thread, _, *others = map(to_scalar, values)
    names = (each if each is None else mask(str(each)) for each in (name, process, thread))
    level = logging.WARNING
    with suppress(TypeError, ValueError, OverflowError):
        level = int(values[3])  # not every handler could compare a Decimal, for example
    short = [each[:500] if isinstance(each, str) else each for each in (*names, level, *others)]  # characters
    return json.dumps(short, ensure_ascii=False).encode("utf-8", "surrogatepass")


@lru_cache(_MAX_ORIGINS)
def _deserialize_origin(origin: bytes) -> dict[str, Any]:
    values = dict(zip(_ORIGIN, json.loads(origin.decode("utf-8", "surrogatepass")), strict=True))
    scalars = all(isinstance(each, str | int | float | None) for each in values.values())
    if type(values["levelno"]) is not int or not scalars:
        raise ValueError("no origin of a record")
    filename, module = file_and_module(str(values["pathname"]))
    return {**BLANK, **values, "filename": filename, "module": module, "args": None}


# {% endif %}
# {% if not cookiecutter.multiprocessing %}
def prepare(record: logging.LogRecord) -> PreparedRecord:
    """Return the record that handlers get. Never raises for what the application has put into `record`."""
    found = record.__dict__
    data = found.copy()
    if len(data) != _STANDARD_LENGTH:
        for key in data.keys() - _ATTRIBUTES:
            del data[key]
    try:
        data["name"], data["processName"], data["threadName"] = _mask_names(
            redact.text, data["name"], data["processName"], data["threadName"]
        )
    except TypeError:  # one is not hashable
        texts = map(to_scalar, map(data.get, _NAMES))
        data |= zip(_NAMES, _mask_names(redact.text, *texts), strict=True)
    data["msg"] = redact.text(_message(record))
    data["args"] = None
    data["created"] = _usable_time(data["created"])
    if len(found) != len(data) or data["exc_info"] or data["exc_text"] or data["stack_info"] or current_context():
        data["stack_info"], exception, fields = _details(found)
        data["exception"] = exception
        data["exc_info"], data["exc_text"] = None, exception and exception["stacktrace"]
        if fields:  # which may have the names of attributes
            data = {**fields, **data, "fields": fields}
    return PreparedRecord(data)


@lru_cache(4096)  # nearly all records have the same few
def _mask_names(mask: Callable[[str], str], *names: object) -> tuple[Any, ...]:
    return tuple(name if name is None else mask(str(to_scalar(name))) for name in names)


# {% endif %}
def _details(data: dict[str, Any]) -> tuple[str | None, dict[str, Any] | None, dict[str, Any] | None]:
    """Return the stack, the exception, and the context with the extras, of a record with these attributes."""
    found = dict(current_context())
    if len(data) != _STANDARD_LENGTH:
        found |= {key: value for key, value in data.items() if key not in _STANDARD}
    fields = redact.fields({to_key(key): to_builtin(value) for key, value in found.items()}) or None
    info, text = data["exc_info"], data["exc_text"]
    exception = exception_fields(info, text, redact.text) if info or text else None
    stack = redact.text(str(data["stack_info"])) if data["stack_info"] else None
    return stack, exception, fields


def _usable_time(created: Any) -> float:
    """Return the time of a record, or the present one if it is no number, or one that a calendar or a sink lacks."""
    is_usable = type(created) in (float, int) and 0 <= created < _LATEST
    return float(created) if is_usable else time.time()


def _message(record: logging.LogRecord) -> str:
    try:
        text: Any = record.msg
        if type(text) is str and type(record) in _STANDARD_CLASSES:  # as their getMessage() does
            return text % record.args if record.args else text
        text = record.getMessage()
    except Exception as error:  # noqa: BLE001 - wrong arguments, or an argument's own __str__
        return f"{to_builtin(record.msg)} [arguments not merged: {to_builtin(record.args)!r}: {type(error).__name__}]"
    return text if type(text) is str else str(to_builtin(text))
