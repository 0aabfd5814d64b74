"""What travels: a LogRecord made into one flat tuple of plain values, and back into a record.

`flatten` runs in the process, thread and task that made the record, because only there do
its arguments, its exception and its context exist. What it returns holds nothing but str,
int, float, bool, None, tuples, lists and dicts, so that `marshal` can carry it: as fast as
pickle, and reading it never imports or runs anything.
"""

import logging
import marshal
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from .context import current_context
from .exceptions import exception_fields
from .plain import plain, plain_key
from .redact import redact

Flat = tuple[Any, ...]

MAX_BYTES: Final = 64 * 1024  # one record on its way; longer ones are cut
_TEXT_LIMITS: Final = (16_000, 4_000, 500)  # characters a text, tried in this order
_ITEMS: Final = 200  # members of one collection, when a record must be cut
READY: Final = "(ready for handlers)"  # see direct.py; no name that an `extra=` would have

# What every record has; all else in a record's __dict__ came in by `extra=`. taskName is
# there from 3.12 on; message, asctime and exc_text are left behind by other formatters.
_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", READY}
_PLAIN_LENGTH: Final = len(logging.makeLogRecord({}).__dict__)
_NOTHING: Final[Mapping[str, object]] = {}
_VERSION: Final = 2  # of marshal's format: the later ones look for values that come twice, which takes longer
_new_record = logging.LogRecord.__new__


def flatten(record: logging.LogRecord, dropped: int = 0) -> Flat:
    """Everything there is to know of `record`, made safe to send: see `restore` for the order.

    Message and arguments are merged, the exception is formatted, context and extras are
    joined, secrets are masked. `dropped` is how many records before this one were lost.
    Never raises for what the application has put into the record.
    """
    data = record.__dict__
    context = current_context()
    fields = None
    if context or len(data) != _PLAIN_LENGTH:
        extra = {key: value for key, value in data.items() if key not in _OWN}
        fields = redact.fields({plain_key(k): plain(v) for k, v in {**context, **extra}.items()}) or None
    exception = None
    if data["exc_info"] or data["exc_text"]:
        exception = exception_fields(data["exc_info"], data["exc_text"])
    stack = data["stack_info"]
    name, process, thread = redact.names(data["name"], data["processName"], data["threadName"])
    return (
        name,
        data["levelno"],
        data["levelname"],
        data["pathname"],
        data["lineno"],
        data["funcName"],
        data["created"],
        data["process"],
        process,
        data["thread"],
        thread,
        data.get("taskName"),
        redact.text(_message(record)),
        redact.text(str(stack)) if stack else None,
        exception,
        fields,
        dropped,
    )


def restore(flat: Flat) -> logging.LogRecord:
    """The record again, as `flatten` found it, ready for any formatter.

    Beside the standard attributes it has `fields` (context and extras, a dict) and
    `exception` (a dict of type, message, stacktrace, notes, causes; or None).
    """
    (
        name, levelno, levelname, pathname, lineno, function, created, process, process_name,
        thread, thread_name, task, message, stack, exception, fields, _,
    ) = flat  # fmt: skip
    filename, module = _names(pathname)
    data = {
        "name": name,
        "levelno": levelno,
        "levelname": levelname,
        "pathname": pathname,
        "filename": filename,
        "module": module,
        "lineno": lineno,
        "funcName": function,
        "created": created,
        "msecs": created % 1 * 1000,
        "relativeCreated": (created - _START) * 1000,
        "process": process,
        "processName": process_name,
        "thread": thread,
        "threadName": thread_name,
        "taskName": task,
        "msg": message,
        "args": None,
        "stack_info": stack,
        "exc_info": None,
        "exc_text": exception["stacktrace"] if exception else None,
        "exception": exception,
        "fields": fields or _NOTHING,
    }
    record = _new_record(logging.LogRecord)
    record.__dict__ = {**fields, **data} if fields else data  # half the time of filling the one it has
    return record


def completed(record: logging.LogRecord) -> logging.LogRecord:
    """What `restore` makes of what `flatten` makes of `record`; a shorter way for most, without a queue."""
    data = record.__dict__
    odd = data["exc_info"] or data["exc_text"] or data["stack_info"] or len(data) != _PLAIN_LENGTH
    if odd or current_context():
        return restore(flatten(record))
    name, process, thread = redact.names(data["name"], data["processName"], data["threadName"])
    ready = _new_record(logging.LogRecord)
    ready.__dict__ = {
        **data,
        "name": name,
        "processName": process,
        "threadName": thread,
        "msg": redact.text(_message(record)),
        "args": None,
        "exception": None,
        "fields": _NOTHING,
    }
    return ready


def encode(record: logging.LogRecord, dropped: int = 0) -> bytes:
    """`flatten` as bytes, at most MAX_BYTES of them: texts that are too long are cut, and say so."""
    flat = flatten(record, dropped)
    try:
        data = marshal.dumps(flat, _VERSION)
    except ValueError:  # a subclass of str or int in the record itself
        flat = plain(flat)
        data = marshal.dumps(flat, _VERSION)
    for limit in _TEXT_LIMITS:
        if len(data) <= MAX_BYTES:
            return data
        data = marshal.dumps(_cut(flat, limit), _VERSION)
    if len(data) > MAX_BYTES:  # many fields, each of them short
        data = marshal.dumps(_cut((*flat[:15], {"fields": "[left out: too large]"}, flat[16]), 500), _VERSION)
    return data


def decode(data: bytes | memoryview) -> Any:
    """What `encode` made, as a tuple for `restore`. Raises ValueError, EOFError or TypeError."""
    return marshal.loads(data)  # noqa: S302 - only our own processes hold the other end


def _message(record: logging.LogRecord) -> str:
    try:
        if type(record) is logging.LogRecord and type(record.msg) is str:  # what getMessage() does then
            return record.msg % record.args if record.args else record.msg
        text: Any = record.getMessage()
    except Exception as error:  # noqa: BLE001 - wrong arguments, or an argument's own __str__
        args = plain(record.args)
        return f"{plain(record.msg)} [arguments not merged: {args!r}: {type(error).__name__}]"
    return text if type(text) is str else str(plain(text))


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str) and len(value) > limit:
        return f"{value[:limit]}... [cut, {len(value)} characters]"
    if isinstance(value, tuple | list):
        return tuple(_cut(item, limit) for item in value[:_ITEMS])
    if isinstance(value, dict):
        return {_cut(key, limit): _cut(item, limit) for key, item in list(value.items())[:_ITEMS]}
    return value


@lru_cache(maxsize=4096)
def _names(pathname: str) -> tuple[str, str]:
    filename = os.path.basename(pathname)  # noqa: PTH119 - half the time of a Path
    return filename, os.path.splitext(filename)[0]  # noqa: PTH122


_START: Final = logging.makeLogRecord({}).created  # as good as logging's own start, for %(relativeCreated)d
