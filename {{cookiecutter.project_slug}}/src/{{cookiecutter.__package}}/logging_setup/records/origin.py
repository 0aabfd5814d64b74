"""What all records of one line of code, in one thread, have in common: it is masked and packed once.

That spares the sender packing ten values a record, and the listener unpacking them: the
same bytes come again and again, and are a look-up.
"""

import json
import logging
from functools import lru_cache
from typing import Any, Final

from .factory import BLANK, file_and_module
from .redaction import Redactor
from .values import to_builtin

_MOST: Final = 2048  # origins that are remembered
_LONGEST: Final = 500  # characters of one value


@lru_cache(_MOST)
def serialize_origin(redactor: Redactor, values: tuple[Any, ...]) -> bytes:
    """Serialize the names of logger, process and thread, masked, and the other `values`: see `deserialize_origin`."""
    name, process, thread, levelno, *others = values
    packed = (*redactor.names(name, process, thread), _number(levelno), *others)
    return json.dumps(tuple(map(_short, packed)), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _number(level: Any) -> int:
    """Return a level's number as an int: a Decimal, say, could not be compared in every handler."""
    try:
        return int(level)
    except (TypeError, ValueError, OverflowError):
        return logging.WARNING


def to_scalar(value: object) -> str | int | float | None:
    """`value` as what can be packed and remembered: itself, or its text."""
    found = to_builtin(value)
    return found if isinstance(found, str | int | float | None) else str(found)


def _short(value: object) -> str | int | float | None:
    found = to_scalar(value)
    return found[:_LONGEST] if isinstance(found, str) else found


@lru_cache(_MOST)
def deserialize_origin(origin: bytes) -> dict[str, Any]:
    """Return the attributes of such a record, to be copied. Raises ValueError or TypeError for other bytes."""
    values = json.loads(origin.decode("utf-8", "surrogatepass"))
    name, process_name, thread_name, levelno, levelname, pathname, lineno, function, process, thread = values
    if type(levelno) is not int or not all(isinstance(value, str | int | float | None) for value in values):
        raise ValueError("no origin of a record")
    filename, module = file_and_module(str(pathname))
    return {
        **BLANK,
        "name": name,
        "levelno": levelno,
        "levelname": levelname,
        "pathname": pathname,
        "filename": filename,
        "module": module,
        "lineno": lineno,
        "funcName": function,
        "process": process,
        "processName": process_name,
        "thread": thread,
        "threadName": thread_name,
        "args": None,
    }
