"""A flattened record as bytes, and back: by `marshal`, as fast as pickle, and reading runs no code."""

import logging
import marshal
from typing import Any, Final

from .origin import MARSHAL_VERSION
from .plain import plain
from .records import flatten

MAX_BYTES: Final = 64 * 1024  # one record on its way; longer ones are cut
_TEXT_LIMITS: Final = (16_000, 4_000, 500)  # characters a text, tried in this order
_ITEMS: Final = 200  # members of one collection, when a record must be cut


def encode(record: logging.LogRecord, dropped: int = 0) -> bytes:
    """`flatten` as bytes, at most MAX_BYTES of them: texts that are too long are cut, and say so."""
    flat: tuple[Any, ...] = flatten(record, dropped)
    try:
        data = marshal.dumps(flat, MARSHAL_VERSION)
    except ValueError:  # a subclass of str or float in the record itself
        flat = flat[0], *plain(flat[1:])
        data = marshal.dumps(flat, MARSHAL_VERSION)
    if len(data) <= MAX_BYTES:
        return data
    for limit in _TEXT_LIMITS:
        data = marshal.dumps(_cut(flat, limit), MARSHAL_VERSION)
        if len(data) <= MAX_BYTES:
            return data
    # Many fields, each of them short.
    return marshal.dumps(_cut((*flat[:6], {"fields": "[left out: too large]"}, flat[7]), 500), MARSHAL_VERSION)


# What `encode` made, as a tuple for `restore`; raises ValueError, EOFError or TypeError. Only our
# own processes hold the other end.
decode = marshal.loads


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str) and len(value) > limit:
        return f"{value[:limit]}... [cut, {len(value)} characters]"
    if isinstance(value, tuple | list):
        return tuple(_cut(item, limit) for item in value[:_ITEMS])
    if isinstance(value, dict):
        return {_cut(key, limit): _cut(item, limit) for key, item in list(value.items())[:_ITEMS]}
    return value
