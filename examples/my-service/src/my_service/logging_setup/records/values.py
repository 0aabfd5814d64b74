"""Convert any value, and any exception, to built-in types, which JSON and every formatter can represent.

Stack traces are those of Python's `traceback`, but each stack is formatted once: finding the source lines, and the
places of the marks (^^^^) in them, is nearly all of the work, and has the same result for the same places in the
code. What differs each time (the exceptions' own lines, their causes and groups) is left to `traceback`.
"""

import sys
import traceback
from collections.abc import Callable
from types import CodeType, TracebackType
from typing import Any, Final

MAX_ITEMS: Final = 200  # members of one collection
_MAX_ALL_ITEMS: Final = 1_000  # members of all collections in one value: they may share members, and be cyclic
_MAX_DEPTH: Final = 6  # levels of nesting
_MAX_BITS: Final = 1_024  # of an int; longer ones are in hexadecimal, because Python refuses to write them in decimal
# Modules and classes. A module that nothing has imported has no values, and takes milliseconds to import.
_DATES: Final = (("datetime", "date"), ("datetime", "time"))
_AS_STR: Final = (("decimal", "Decimal"), ("pathlib", "PurePath"), ("uuid", "UUID"))
_MAX_STACKS: Final = 256  # cached
_MAX_FRAMES: Final = 100  # of a stack that is cached


def to_builtin(value: object, depth: int = _MAX_DEPTH, left: list[int] | None = None) -> Any:
    """Return `value` as built-in types: itself, a copy, its str() or its repr(). Never raises.

    `left` holds the number of members that its collections may still have in total.
    """
    kind = type(value)
    if kind in (str, float, bool, type(None)):
        return value
    try:
        if isinstance(value, int):
            number = int.__int__(value)  # not a subclass's own method
            return number if number.bit_length() <= _MAX_BITS else hex(number)
        if isinstance(value, dict | list | tuple | set | frozenset):
            return _members(value, depth, left or [_MAX_ALL_ITEMS])
        if _is_one_of(value, _DATES):
            return value.isoformat()  # type: ignore[attr-defined]
        if isinstance(value, float):
            return float.__float__(value)
        if _is_one_of(value, _AS_STR):
            return str(value)
        return str.__str__(value if isinstance(value, str) else repr(value))
    except Exception as error:  # noqa: BLE001 - any code of the application may run in repr()
        return f"<{kind.__name__}: repr() failed with {type(error).__name__}>"


def _is_one_of(value: object, classes: tuple[tuple[str, str], ...]) -> bool:
    return isinstance(value, tuple(getattr(sys.modules.get(module), name, ()) for module, name in classes))


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
    """Return the key of a dict as a str that UTF-8 can encode."""
    text = key if type(key) is str else str(to_builtin(key, 1))
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def to_scalar(value: object) -> str | int | float | None:
    """Return `value` as a built-in type that is not a collection."""
    found = to_builtin(value)
    return found if isinstance(found, str | int | float | None) else str(found)


def safe_str(value: object) -> str:
    """Return str(value), or the reason why that failed."""
    try:
        return str.__str__(str(value))
    except Exception as error:  # noqa: BLE001 - as above
        return f"<{type(value).__name__}: str() failed with {type(error).__name__}>"


def cut(text: str, limit: int) -> str:
    """Return `text`, cut to `limit` characters and marked as cut if it is longer."""
    return text if len(text) <= limit else f"{text[:limit]}... [cut, {len(text)} characters]"


def exception_fields(
    info: tuple[type[BaseException], BaseException, TracebackType | None] | None,
    text: str | None,
    mask: Callable[[str], str],
) -> dict[str, Any] | None:
    """Return the fields of `exc_info`, or else of a traceback's text, or None without either. Never raises.

    `mask` masks the secrets in a text.
    """
    if not isinstance(info, tuple) or len(info) != 3 or not isinstance(info[1], BaseException):
        return {"type": "", "message": "", "stacktrace": mask(str(text))} if text else None
    error = info[1]
    found: dict[str, Any] = {"type": "<unnamed class>", "message": mask(safe_str(error)), "notes": [], "causes": []}
    try:
        found["type"] = _name(type(error))
        text, causes = format_exception(error, info[2])
        found["causes"] = [{"type": _name(type(e)), "message": mask(safe_str(e))} for e in causes[:MAX_ITEMS]]
        notes = getattr(error, "__notes__", None)
        found["notes"] = [mask(safe_str(note)) for note in notes[:MAX_ITEMS]] if isinstance(notes, list) else []
    except Exception as failure:  # noqa: BLE001 - the exception's own class may fail
        text = f"{found['type']}: {found['message']} [not in full: {type(failure).__name__}]"
    found["stacktrace"] = mask(text.rstrip("\n"))
    return found


def _name(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


class _Stack(traceback.StackSummary):
    """A stack that has been formatted already."""

    lines: list[str]

    def format(self, **_: Any) -> list[str]:
        return self.lines


# Places in the code -> the stack, and its code objects: as long as these are kept, no other object has their ids.
_remembered: dict[tuple[int | None, ...], tuple[_Stack, list[CodeType]]] = {}


def format_exception(error: BaseException, stack: TracebackType | None) -> tuple[str, list[BaseException]]:
    """Return traceback.format_exception(type(error), error, stack) as one text. Raises what that raises.

    Also return the exceptions that led to `error`, nearest first; those of a group come after its causes.
    """
    # With causes and groups, but without their stacks, which are added below.
    shown = traceback.TracebackException(type(error), error, stack, limit=0, compact=True)
    waiting = [(shown, error, stack)]
    for each, origin, own in waiting:
        each.stack = _formatted_stack(own)
        inner = [(each.__cause__, origin.__cause__), (each.__context__, origin.__context__)]
        if isinstance(origin, BaseExceptionGroup):
            inner += zip(each.exceptions or (), origin.exceptions, strict=False)
        waiting += [(copy, one, one.__traceback__) for copy, one in inner if copy is not None and one is not None]
    return "".join(shown.format()), list({id(origin): origin for _, origin, _ in waiting[1:]}.values())


def _formatted_stack(first: TracebackType | None) -> _Stack:
    codes: list[CodeType] = []
    key: list[int | None] = [getattr(sys, "tracebacklimit", None)]
    entry = first
    while entry is not None:
        code = entry.tb_frame.f_code
        codes.append(code)
        key += (id(code), entry.tb_lasti)
        entry = entry.tb_next
    places = tuple(key)
    if known := _remembered.get(places):
        return known[0]
    frames = traceback.extract_tb(first)
    stack = _Stack(frames[:1])  # `traceback` only checks that it is not empty
    stack.lines = frames.format()
    # Not cached without its source, which may be readable the next time, or where compiled code has a line and no
    # instruction (-1).
    if len(codes) <= _MAX_FRAMES and -1 not in key and all(frame.line for frame in frames):
        if len(_remembered) >= _MAX_STACKS:
            _remembered.clear()
        _remembered[places] = stack, codes
    return stack
