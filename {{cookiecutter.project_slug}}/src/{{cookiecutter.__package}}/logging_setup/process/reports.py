"""Reports of logging on itself: drops, failures, recoveries.

A report is a log record like any other, sent to this process's own handlers, and to stderr if no sink takes
it. The same cause is reported at once and then at most once a minute, with the count of what came in between.
"""

import contextlib
import contextvars
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from ..records.serialize import prepare
from ..records.text import TextFormatter, escape
from ..records.values import safe_str

INTERVAL = 60.0  # seconds between two reports of one cause
COUNT = "<count>"  # in a report's text: how many

# Threads of slow handlers, by their idents: what a handler's own libraries log there stays out
# of the log, where it would make more of itself.
own_threads: set[int] = set()

_lock = threading.RLock()  # re-entrant: reporting may itself cause a report, and a signal handler log
_held: dict[str, int] = {}  # cause -> how many have come since its last report
_next: dict[str, float] = {}  # cause -> when it may be reported again, in monotonic seconds
_texts: dict[str, str] = {}
_dispatch: Callable[[logging.LogRecord], bool] | None = None
_NAME: Final = (__package__ or __name__).rpartition(".")[0]
_formatter: Final = TextFormatter()


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()  # in a forked child the old one may be held by a thread that is not there


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def connect(dispatch: Callable[[logging.LogRecord], bool] | None) -> None:
    """Send the reports of this process to `dispatch`, which returns False if no sink takes one; None: to stderr."""
    global _dispatch
    _dispatch = dispatch


def report(cause: str, text: str, count: int = 1, level: int = logging.WARNING) -> bool:
    """Log `text`, unless this `cause` was reported less than INTERVAL ago; return True if it was logged.

    What is held back is counted, and the count stands in the cause's next report: in place of
    COUNT in `text`, or after it. Never raises.
    """
    with _lock:
        held = _held[cause] = _held.get(cause, 0) + count
        _texts[cause] = text
        if time.monotonic() < _next.get(cause, 0.0):
            return False
        _next[cause] = time.monotonic() + INTERVAL
        _held[cause] = 0
    say(_counted(text, held), level)
    return True


def report_held() -> None:
    """Say what is still held back: at the end, when no later report will."""
    with _lock:
        held = {cause: count for cause, count in _held.items() if count}
        _held.clear()
    for cause, count in held.items():
        say(_counted(_texts[cause], count))


def _counted(text: str, count: int) -> str:
    if COUNT in text:
        return text.replace(COUNT, str(count))
    return text if count == 1 else f"{text} ({count} times)"


def describe(error: BaseException | None) -> str:
    """The class and text of an exception, for a report; never raises."""
    return f"{type(error).__name__}: {safe_str(error)}"


def say(text: str, level: int = logging.WARNING) -> None:
    """Log one line of logging's own; from WARNING on to stderr if no sink takes it. Never raises."""
    with contextlib.suppress(Exception):
        made = logging.LogRecord(_NAME, level, __file__, 0, text, (), None, "report")
        record = contextvars.Context().run(prepare, made)  # no log_context: it is not about a piece of work
        if _dispatch is None or (not _dispatch(record) and level >= logging.WARNING):
            show(record)


def show(record: logging.LogRecord) -> None:
    """Write a record that is ready for handlers to stderr, as a line of text. Never raises."""
    with contextlib.suppress(Exception):
        to_stderr(_formatter.format(record))


def to_stderr(*words: str) -> None:
    """Write text to stderr, whatever state that is in: None, closed, full, a broken pipe. Never raises."""
    with contextlib.suppress(Exception):
        sys.stderr.write("\n".join(map(escape, " ".join(words).split("\n"))) + "\n")
        sys.stderr.flush()
