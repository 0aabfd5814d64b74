"""Any value made into plain ones, which every format and marshal can carry. Never raises."""

import datetime
import decimal
import pathlib
import uuid
from typing import Any, Final

_DEPTH: Final = 6  # levels of nesting
_ITEMS: Final = 200  # members of one collection
_ALL_ITEMS: Final = 1_000  # members of all collections in one value: they may share members, and be cyclic
_BITS: Final = 1_024  # of an int; longer ones in hexadecimal, for Python refuses to write them in decimal
_AS_STR: Final = (decimal.Decimal, pathlib.PurePath, uuid.UUID)


def to_builtin(value: object, depth: int = _DEPTH, room: list[int] | None = None) -> Any:
    """`value` out of plain types only: itself, its text, or its repr; never raises.

    `room` is how many members its collections may still have, all together.
    """
    kind = type(value)
    if kind in (str, float, bool, type(None)):
        return value
    try:
        if isinstance(value, int):
            number = int.__int__(value)  # not a subclass's own
            return number if number.bit_length() <= _BITS else hex(number)
        if isinstance(value, dict | list | tuple | set | frozenset):
            return _members(value, depth, room or [_ALL_ITEMS])
        if isinstance(value, datetime.date | datetime.time):
            return value.isoformat()
        if isinstance(value, _AS_STR):
            return str(value)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, float):
            return float.__float__(value)
        return str.__str__(repr(value))
    except Exception as error:  # noqa: BLE001 - any code of the application may run in repr()
        return f"<{kind.__name__}: repr() failed with {type(error).__name__}>"


def _members(value: Any, depth: int, room: list[int]) -> Any:
    if not depth or room[0] <= 0:
        return f"<{type(value).__name__} of {len(value)}>"
    members = list(value.items() if isinstance(value, dict) else value)
    some = members[: min(_ITEMS, room[0])]
    room[0] -= len(some)
    left = len(members) - len(some)
    if isinstance(value, dict):
        pairs = {builtin_key(key): to_builtin(item, depth - 1, room) for key, item in some}
        return {**pairs, "...": f"[cut, {left} more]"} if left else pairs
    items = tuple(to_builtin(item, depth - 1, room) for item in some)
    return (*items, f"[cut, {left} more]") if left else items


def builtin_key(key: object) -> str:
    return key if type(key) is str else str(to_builtin(key, 1))


def safe_str(value: object) -> str:
    """str(value), or what kept it from being."""
    try:
        return str.__str__(str(value))
    except Exception as error:  # noqa: BLE001 - as above
        return f"<{type(value).__name__}: str() failed with {type(error).__name__}>"
