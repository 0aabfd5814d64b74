"""What set-up changes in this process, put back when logging stops."""

import contextlib
from collections.abc import Callable
from typing import Any, Final

undo: Final = contextlib.ExitStack()  # what stop() calls at its end, the last one first


def change(get: Callable[[], Any], put: Callable[[Any], object], value: Any) -> Any:
    """Put `value` in place, and return what was found there; stop() puts that back if `value` is still there."""
    found = get()
    put(value)
    undo.callback(lambda: put(found) if get() == value else None)
    return found
