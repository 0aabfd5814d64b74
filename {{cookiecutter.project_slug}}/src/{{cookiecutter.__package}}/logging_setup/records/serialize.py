"""Prepare log records for handlers: message and arguments merged, secrets masked, all values of built-in types.

This happens in the process, thread and task that made the record, because only there do its arguments, its exception
and its context exist. For the queue it is serialized to a flat tuple, which queue/encoding.py turns into bytes.
"""

# {% if cookiecutter.multiprocessing %}
import json
# {% endif %}
import logging
# {% if cookiecutter.multiprocessing %}
from functools import lru_cache
from operator import itemgetter
# {% endif %}
from typing import Any, Final

from .context import current_context
# {% if cookiecutter.multiprocessing %}
from .factory import BLANK, START, LogRecord, PreparedRecord, file_and_module
from .redaction import Redactor, redact
# {% endif %}
# {% if not cookiecutter.multiprocessing %}
from .factory import BLANK, LogRecord, PreparedRecord
from .redaction import redact
# {% endif %}
from .values import exception_fields, to_builtin, to_key, to_scalar

Details = tuple[str | None, dict[str, Any] | None, dict[str, Any] | None]  # stack, exception, fields
# {% if cookiecutter.multiprocessing %}
# Origin, time, task, message, details.
Flat = tuple[bytes, float, str | None, str, str | None, dict[str, Any] | None, dict[str, Any] | None]

# The origin: attributes that the records of one line of code, in one thread, have in common. It is masked and
# serialized once, and deserialized once: the same bytes come again and again, and are a look-up.
_ORIGIN: Final = (
    "name", "processName", "threadName", "levelno", "levelname", "pathname", "lineno", "funcName", "process", "thread",
)  # fmt: skip
_MAX_ORIGINS: Final = 2048  # remembered
_MAX_LENGTH: Final = 500  # characters of one value of an origin
_origin_values = itemgetter(*_ORIGIN)
# {% endif %}

# {% if not cookiecutter.multiprocessing %}
_NAMES: Final = ("name", "processName", "threadName")
# {% endif %}
# Others are of an `extra=`. taskName is there from Python 3.12 on; formatters of other code set message and asctime.
_STANDARD: Final = frozenset(BLANK) | {"message", "asctime", "taskName"}
_STANDARD_LENGTH: Final = len(BLANK)
_STANDARD_CLASSES: Final = (LogRecord, logging.LogRecord)


# {% if cookiecutter.multiprocessing %}
def prepare(record: logging.LogRecord) -> PreparedRecord:
    """Return the record that handlers get, without the queue between."""
    return restore(flatten(record))


def flatten(record: logging.LogRecord) -> Flat:
    """Serialize `record`. Never raises for what the application has put into it."""
    data = record.__dict__
    stack = exception = fields = extra = None
    if len(data) != _STANDARD_LENGTH:
        extra = {key: value for key, value in data.items() if key not in _STANDARD}
    if extra or data["exc_info"] or data["exc_text"] or data["stack_info"] or current_context():
        stack, exception, fields = _details(data, extra)
    try:
        origin = _serialize_origin(redact.redactor, _origin_values(data))
    except TypeError:  # one is not hashable
        origin = _serialize_origin(redact.redactor, tuple(map(to_scalar, _origin_values(data))))
    message = redact.text(_message(record))
    return origin, data["created"], data.get("taskName"), message, stack, exception, fields


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
def _serialize_origin(redactor: Redactor, values: tuple[Any, ...]) -> bytes:
    name, process, thread, _, *others = map(to_scalar, values)
    names = redactor.names(*(each if each is None else str(each) for each in (name, process, thread)))
    whole = (*names, _number(values[3]), *others)
    short = [each[:_MAX_LENGTH] if isinstance(each, str) else each for each in whole]
    return json.dumps(short, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _number(level: Any) -> int:
    """Return a level's number as an int: a Decimal, for example, could not be compared in every handler."""
    try:
        return int(level)
    except (TypeError, ValueError, OverflowError):
        return logging.WARNING


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
    data, extra = found.copy(), None
    if len(found) != _STANDARD_LENGTH:
        extra = {key: value for key, value in found.items() if key not in _STANDARD}
        for key in (*extra, "message", "asctime"):
            data.pop(key, None)
    try:
        data["name"], data["processName"], data["threadName"] = redact.names(
            data["name"], data["processName"], data["threadName"]
        )
    except TypeError:  # one is no str
        texts = (each if each is None else str(to_scalar(each)) for each in map(data.get, _NAMES))
        data |= zip(_NAMES, redact.names(*texts), strict=True)
    data["msg"] = redact.text(_message(record))
    data["args"] = None
    if extra or found["exc_info"] or found["exc_text"] or found["stack_info"] or current_context():
        data["stack_info"], exception, fields = _details(found, extra)
        data["exception"] = exception
        data["exc_info"], data["exc_text"] = None, exception and exception["stacktrace"]
        if fields:  # which may have the names of attributes
            data = {**fields, **data, "fields": fields}
    return PreparedRecord(data)


# {% endif %}
def _details(data: dict[str, Any], extra: dict[str, Any] | None) -> Details:
    """Return the stack, the exception, and the context with `extra`, of a record with these attributes."""
    stack = exception = fields = None
    context = current_context()
    if context or extra:
        found = {**context, **(extra or {})}
        fields = redact.fields({to_key(key): to_builtin(value) for key, value in found.items()}) or None
    if data["exc_info"] or data["exc_text"]:
        exception = exception_fields(data["exc_info"], data["exc_text"], redact.text)
    if data["stack_info"]:
        stack = redact.text(str(data["stack_info"]))
    return stack, exception, fields


def _message(record: logging.LogRecord) -> str:
    try:
        text: Any = record.msg
        if type(text) is str and type(record) in _STANDARD_CLASSES:  # as their getMessage() does
            args = record.args
            return text % args if args else text
        text = record.getMessage()
    except Exception as error:  # noqa: BLE001 - wrong arguments, or an argument's own __str__
        return f"{to_builtin(record.msg)} [arguments not merged: {to_builtin(record.args)!r}: {type(error).__name__}]"
    return text if type(text) is str else str(to_builtin(text))
