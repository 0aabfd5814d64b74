"""Tracebacks as Python's `traceback` writes them, but each stack is worked out only once.

To look up the source lines, and where in them the marks (^^^^) go, is nearly all of the work,
and gives the same for the same places in the code: a service in trouble logs the same few
stacks over and over. So these are remembered. What differs each time, the exceptions' own
lines, their causes and groups, is left to `traceback`.
"""

import sys
import traceback
from types import CodeType, TracebackType
from typing import Any, Final

_MOST: Final = 256  # stacks that are remembered
_DEEPEST: Final = 100  # frames of one


class _Stack(traceback.StackSummary):
    """A stack that has been formatted already."""

    lines: list[str]

    def format(self, **_: Any) -> list[str]:
        return self.lines


# Where in the code -> the stack, and its code objects: as long as they are kept, nothing else has their ids.
_remembered: dict[tuple[int | None, ...], tuple[_Stack, list[CodeType]]] = {}


def format_exception(error: BaseException, stack: TracebackType | None) -> str:
    """What traceback.format_exception(type(error), error, stack) gives, as one text; raises what that raises."""
    # With causes and groups, but all without their stacks, which follow.
    shown = traceback.TracebackException(type(error), error, stack, limit=0, compact=True)
    waiting = [(shown, error, stack)]
    for each, origin, own in waiting:
        each.stack = _stack(own)
        inner = [(each.__cause__, origin.__cause__), (each.__context__, origin.__context__)]
        if isinstance(origin, BaseExceptionGroup):
            inner += zip(each.exceptions or (), origin.exceptions, strict=False)
        waiting += [(copy, one, one.__traceback__) for copy, one in inner if copy is not None and one is not None]
    return "".join(shown.format())


def _stack(first: TracebackType | None) -> _Stack:
    codes: list[CodeType] = []
    key: list[int | None] = [getattr(sys, "tracebacklimit", None)]
    entry = first
    while entry is not None:
        code = entry.tb_frame.f_code
        codes.append(code)
        key += (id(code), entry.tb_lasti)
        entry = entry.tb_next
    place = tuple(key)
    if known := _remembered.get(place):
        return known[0]
    frames = traceback.extract_tb(first)
    stack = _Stack(frames[:1])  # all that is asked of it is whether it has any
    stack.lines = frames.format()
    # Not without its source, which may be readable the next time; nor where compiled code gives a line
    # and no instruction (-1).
    if len(codes) <= _DEEPEST and -1 not in key and all(frame.line for frame in frames):
        if len(_remembered) >= _MOST:
            _remembered.clear()
        _remembered[place] = stack, codes
    return stack
