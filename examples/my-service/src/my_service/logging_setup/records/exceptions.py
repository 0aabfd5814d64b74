"""Convert an exception to built-in types, its secrets masked: type, message, stack trace, notes and causes.

The stack trace is that of Python's `traceback`, but each stack is formatted once: finding the source lines, and the
places of the marks (^^^^) in them, is nearly all of the work, and has the same result for the same places in the
code. What differs each time, the exceptions' own lines, their causes and groups, is left to `traceback`.
"""

import sys
import traceback
from collections.abc import Callable
from types import CodeType, TracebackType
from typing import Any, Final

from .values import MAX_ITEMS, safe_str

_MAX_STACKS: Final = 256  # remembered
_MAX_FRAMES: Final = 100  # of a stack that is remembered


def exception_fields(
    info: tuple[type[BaseException], BaseException, TracebackType | None] | None,
    text: str | None,
    mask: Callable[[str], str],
) -> dict[str, Any] | None:
    """Return the fields of `exc_info`, or else of a traceback's text, or None without both; never raises.

    `mask` masks the secrets of a text.
    """
    if not isinstance(info, tuple) or len(info) != 3 or not isinstance(info[1], BaseException):
        return {"type": "", "message": "", "stacktrace": mask(str(text))} if text else None
    error = info[1]
    found = _type_and_message(error, mask)
    found["notes"], found["causes"] = [], []
    try:
        text = format_exception(error, info[2])
        notes = getattr(error, "__notes__", None)
        found["notes"] = [mask(safe_str(note)) for note in notes] if isinstance(notes, list) else []
        found["causes"] = _causes(error, mask)
    except Exception as failure:  # noqa: BLE001 - an exception's own class may be what fails
        text = f"{found['type']}: {found['message']} [not in full: {type(failure).__name__}]"
    found["stacktrace"] = mask(text.rstrip("\n"))
    return found


def _causes(error: BaseException, mask: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return the exceptions that led to `error`, nearest first; those of a group after its causes."""
    causes: list[dict[str, Any]] = []
    seen = {id(error)}
    waiting = [error]
    while waiting and len(causes) < MAX_ITEMS:
        current = waiting.pop(0)
        cause = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        members = current.exceptions if isinstance(current, BaseExceptionGroup) else ()
        for found in (cause, *members):
            if found is not None and id(found) not in seen:
                seen.add(id(found))
                waiting.append(found)
                causes.append(_type_and_message(found, mask))
    return causes


def _type_and_message(error: BaseException, mask: Callable[[str], str]) -> dict[str, Any]:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return {"type": name, "message": mask(safe_str(error))}


class _Stack(traceback.StackSummary):
    """A stack that has been formatted already."""

    lines: list[str]

    def format(self, **_: Any) -> list[str]:
        return self.lines


# Places in the code -> the stack, and its code objects: as long as these are kept, no other object has their ids.
_remembered: dict[tuple[int | None, ...], tuple[_Stack, list[CodeType]]] = {}


def format_exception(error: BaseException, stack: TracebackType | None) -> str:
    """Return traceback.format_exception(type(error), error, stack) as one text; raises what that raises."""
    # With causes and groups, but all without their stacks, which follow.
    shown = traceback.TracebackException(type(error), error, stack, limit=0, compact=True)
    waiting = [(shown, error, stack)]
    for each, origin, own in waiting:
        each.stack = _formatted_stack(own)
        inner = [(each.__cause__, origin.__cause__), (each.__context__, origin.__context__)]
        if isinstance(origin, BaseExceptionGroup):
            inner += zip(each.exceptions or (), origin.exceptions, strict=False)
        waiting += [(copy, one, one.__traceback__) for copy, one in inner if copy is not None and one is not None]
    return "".join(shown.format())


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
    stack = _Stack(frames[:1])  # `traceback` only asks whether it has any
    stack.lines = frames.format()
    # Not without its source, which may be readable the next time; nor where compiled code has a line and no
    # instruction (-1).
    if len(codes) <= _MAX_FRAMES and -1 not in key and all(frame.line for frame in frames):
        if len(_remembered) >= _MAX_STACKS:
            _remembered.clear()
        _remembered[places] = stack, codes
    return stack
