"""What all records of one line of code, in one thread, have in common: it is masked and packed once.

That spares the sender packing ten values a record, and the listener unpacking them: the
same bytes come again and again, and are a look-up.
"""

import marshal
from functools import lru_cache
from typing import Any, Final

from .log_record import BLANK, file_and_module
from .plain import plain
from .redact import Redactor

MARSHAL_VERSION: Final = 2  # the later ones look for values that come twice, which takes longer
_MOST: Final = 2048  # origins that are remembered
_LONGEST: Final = 1_000  # characters of one value


@lru_cache(_MOST)
def pack_origin(redactor: Redactor, values: tuple[Any, ...]) -> bytes:
    """The names of logger, process and thread, masked, and the other `values`: see `unpack_origin`."""
    return marshal.dumps(tuple(map(_short, (*redactor.names(*values[:3]), *values[3:]))), MARSHAL_VERSION)


def simple(value: object) -> str | int | float | None:
    """`value` as what can be packed and remembered: itself, or its text."""
    found = plain(value)
    return found if isinstance(found, str | int | float | None) else str(found)


def _short(value: object) -> str | int | float | None:
    found = simple(value)
    return found[:_LONGEST] if isinstance(found, str) else found


@lru_cache(_MOST)
def unpack_origin(origin: bytes) -> dict[str, Any]:
    """The attributes of such a record, those of one alone being None; not to be changed, but copied."""
    values = marshal.loads(origin)  # noqa: S302 - only our own processes hold the other end
    name, process_name, thread_name, levelno, levelname, pathname, lineno, function, process, thread = values
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
