"""Convert any value to built-in types, which JSON and every formatter can carry. Nothing here raises."""

import datetime
import decimal
import pathlib
import uuid
from typing import Any, Final

MAX_ITEMS: Final = 200  # members of one collection
_MAX_ALL_ITEMS: Final = 1_000  # members of all collections in one value: they may share members, and be cyclic
_MAX_DEPTH: Final = 6  # levels of nesting
_MAX_BITS: Final = 1_024  # of an int; longer ones in hexadecimal, for Python refuses to write them in decimal
_AS_STR: Final = (decimal.Decimal, pathlib.PurePath, uuid.UUID)


def to_builtin(value: object, depth: int = _MAX_DEPTH, left: list[int] | None = None) -> Any:
    """Return `value` as built-in types: itself, a copy, its str() or its repr().

    `left` is a counter: how many members its collections may still have, all together.
    """
    kind = type(value)
    if kind in (str, float, bool, type(None)):
        return value
    try:
        if isinstance(value, int):
            number = int.__int__(value)  # not a subclass's own
            return number if number.bit_length() <= _MAX_BITS else hex(number)
        if isinstance(value, dict | list | tuple | set | frozenset):
            return _members(value, depth, left or [_MAX_ALL_ITEMS])
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


def _members(value: Any, depth: int, left: list[int]) -> Any:
    if not depth or left[0] <= 0:
        return f"<{type(value).__name__} of {len(value)}>"
    members = list(value.items() if isinstance(value, dict) else value)
    some = members[: min(MAX_ITEMS, left[0])]
    left[0] -= len(some)
    more = len(members) - len(some)
    if isinstance(value, dict):
        pairs = {to_key(key): to_builtin(item, depth - 1, left) for key, item in some}
        return {**pairs, "...": f"[cut, {more} more]"} if more else pairs
    items = tuple(to_builtin(item, depth - 1, left) for item in some)
    return (*items, f"[cut, {more} more]") if more else items


def to_key(key: object) -> str:
    """Return the key of a dict as a str."""
    return key if type(key) is str else str(to_builtin(key, 1))


def to_scalar(value: object) -> str | int | float | None:
    """Return `value` as a built-in type that is no collection."""
    found = to_builtin(value)
    return found if isinstance(found, str | int | float | None) else str(found)


def safe_str(value: object) -> str:
    """Return str(value), or the reason why there is none."""
    try:
        return str.__str__(str(value))
    except Exception as error:  # noqa: BLE001 - as above
        return f"<{type(value).__name__}: str() failed with {type(error).__name__}>"


def cut(text: str, limit: int) -> str:
    """Return `text`, cut to `limit` characters and marked as cut if it is longer."""
    return text if len(text) <= limit else f"{text[:limit]}... [cut, {len(text)} characters]"
