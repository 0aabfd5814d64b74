"""Serialize records and markers to bytes, and deserialize them.

Neither `marshal` nor `pickle` is used, since other processes may write any bytes: the first crashes on some inputs,
the second runs code. A record has a fixed header (`struct`), its origin and its message; rare attributes (task, stack,
exception, fields) are JSON; the span is last. Decoding allocates no more than a small multiple of the input.
"""

import json
import os
import struct
from typing import Any, Final

from ..records.serialize import Flat
from ..records.values import MAX_ITEMS, cut, to_builtin
from .frames import MAX_BYTES

RECORD: Final = 1
_MARKER: Final = 2
_HEAD: Final = struct.Struct("<BdHIIB")  # RECORD, time, bytes of origin, message, rest and span
_HEAD_SIZE: Final = _HEAD.size
TOKEN_SIZE: Final = 16
_MARK: Final = struct.Struct(f"<BQQ{TOKEN_SIZE}s")  # _MARKER, process, dropped records, token
_TEXT_LIMITS: Final = (16_000, 4_000, 500)  # characters of a text, tried in this order

_to_json = json.JSONEncoder(ensure_ascii=False, check_circular=False, default=to_builtin).encode
_from_json = json.JSONDecoder().raw_decode
_unpack = _HEAD.unpack_from


def encode(flat: Flat) -> bytes:
    """Serialize a record to at most MAX_BYTES. To fit, long texts are cut, and marked as cut."""
    data = _pack(flat)
    for limit in _TEXT_LIMITS:
        if len(data) <= MAX_BYTES:
            return data
        data = _pack((flat[0], *_cut(flat[1:], limit)))
    if len(data) <= MAX_BYTES:
        return data
    # Many fields, notes or causes, each of them short.
    exception = flat[5] and {**flat[5], "notes": (), "causes": ()}
    fields = flat[6] and {"fields": "[left out: too large]"}
    return _pack((flat[0], *_cut((*flat[1:5], exception, fields, flat[7]), _TEXT_LIMITS[-1])))


def _pack(flat: Flat) -> bytes:
    origin, created, task, message, stack, exception, fields, span = flat
    text = message.encode("utf-8", "surrogatepass")
    if task or stack or exception or fields:
        rest = _to_json((task, stack, exception, fields)).encode("utf-8", "surrogatepass")
    else:
        rest = b""
    return _HEAD.pack(RECORD, created, len(origin), len(text), len(rest), len(span)) + origin + text + rest + span


def decode(data: bytes) -> Flat:
    """Deserialize a record of `encode`, for `restore`. Raises struct.error, ValueError, TypeError or RecursionError."""
    kind, created, of_origin, of_text, of_rest, of_span = _unpack(data)
    text_at = _HEAD_SIZE + of_origin
    rest_at = text_at + of_text
    span_at = rest_at + of_rest
    if kind != RECORD or span_at + of_span > len(data):
        raise ValueError("not a record")
    task = stack = exception = fields = None
    if of_rest:
        rest = data[rest_at:span_at].decode("utf-8", "surrogatepass")
        task, stack, exception, fields = _from_json(rest)[0]
    text = data[text_at:rest_at].decode("utf-8", "surrogatepass")
    return data[_HEAD_SIZE:text_at], created, task, text, stack, exception, fields, data[span_at : span_at + of_span]


def encode_marker(dropped: int = 0, token: bytes = b"") -> bytes:
    """Return a marker that reports `dropped` records of this process or, if 0, requests a flush of the handlers."""
    return _MARK.pack(_MARKER, os.getpid(), dropped, token)


def decode_marker(data: bytes) -> tuple[int, int, bytes]:
    """Return process, dropped records and token of a marker. Raises ValueError or struct.error for other bytes."""
    kind, process, dropped, token = _MARK.unpack_from(data)
    if kind != _MARKER:
        raise ValueError("neither a record nor a marker")
    return process, dropped, token


def _cut(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return cut(value, limit)
    if isinstance(value, tuple | list):
        return tuple(_cut(item, limit) for item in value[:MAX_ITEMS])
    if isinstance(value, dict):
        return {_cut(key, limit): _cut(item, limit) for key, item in list(value.items())[:MAX_ITEMS]}
    return value
