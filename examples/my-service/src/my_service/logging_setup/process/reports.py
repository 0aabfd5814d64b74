"""Logging's reports on itself: drops, failures, recoveries.

A report is a log record like any other, passed to this process's own handlers, or to stderr if no sink accepts it.
The first report of a cause is logged at once; later ones at most once a minute, with the count since the last report.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from ..records.context import constant_fields
from ..records.record import PreparedRecord
from ..records.redaction import redact
from ..records.text import TextFormatter, escape
from ..records.values import safe_str

INTERVAL = 60.0  # seconds between two reports of one cause
COUNT: Final = "<count>"  # in a report's text: replaced with the count

# Idents of the threads of slow handlers: what their libraries log there is discarded, because each of these records
# would cause further ones.
own_threads: set[int] = set()

_lock = threading.RLock()  # re-entrant: reporting may itself cause a report, and a signal handler may log
_held: dict[str, tuple[int, str]] = {}  # cause -> count since its last report, and text
_next: dict[str, float] = {}  # cause -> when it may be reported again, in monotonic seconds
_dispatch: Callable[[logging.LogRecord], bool] | None = None
_NAME: Final = (__package__ or __name__).rpartition(".")[0]
_formatter: Final = TextFormatter()


def _reset_in_child() -> None:
    global _lock
    _lock = threading.RLock()  # a forked child inherits the lock, but not the thread that may hold it
    own_threads.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)


def connect(dispatch: Callable[[logging.LogRecord], bool] | None) -> None:
    """Pass the reports of this process to `dispatch`, which returns False if no sink accepts one; None: use stderr."""
    global _dispatch
    _dispatch = dispatch


def report(cause: str, text: str, count: int = 1, level: int = logging.WARNING) -> bool:
    """Log `text`, unless this `cause` was reported less than INTERVAL ago; return True if it was logged.

    Otherwise `count` is added to that of the cause's next report, which shows the sum in place of COUNT in `text`, or
    after it; with a count of 0, the text is discarded, as it may be out of date by then. Never raises.
    """
    with _lock:
        count += _held.pop(cause, (0, ""))[0]
        if time.monotonic() < _next.get(cause, 0.0):
            if count:
                _held[cause] = count, text
            return False
        _next[cause] = time.monotonic() + INTERVAL
    say(_counted(text, count), level)
    return True


def report_held() -> None:
    """Log the counts that are still held back. Called at the end, when no later report can include them."""
    with _lock:
        held = list(_held.values())
        _held.clear()
    for count, text in held:
        say(_counted(text, count))


def _counted(text: str, count: int) -> str:
    if COUNT in text:
        return text.replace(COUNT, str(count))
    return text if count <= 1 else f"{text} ({count} times)"


def describe(error: BaseException | None) -> str:
    """Return the class and text of an exception, for a report; never raises."""
    return f"{type(error).__name__}: {safe_str(error)}"


def say(text: str, level: int = logging.WARNING) -> None:
    """Log one report at once, or write it to stderr if no sink accepts it and it is at least WARNING. Never raises."""
    with contextlib.suppress(Exception):
        made = logging.LogRecord(_NAME, level, __file__, 0, redact.text(text), None, None, "report")
        made.processName, made.threadName = redact.text(f"{made.processName}"), redact.text(f"{made.threadName}")
        # Without log_context, which belongs to the code that met the failure.
        record = PreparedRecord({**vars(made), "fields": redact.fields(dict(constant_fields))})
        if _dispatch is None or (not _dispatch(record) and level >= logging.WARNING):
            show(record)


def show(record: logging.LogRecord) -> None:
    """Write a prepared record to stderr, as a line of text. Never raises."""
    with contextlib.suppress(Exception):
        to_stderr(_formatter.format(record))


def to_stderr(*words: str) -> None:
    """Write text to stderr, with control characters escaped. Never raises: stderr may be None, closed, full, broken."""
    with contextlib.suppress(Exception):
        sys.stderr.write("\n".join(map(escape, " ".join(words).split("\n"))) + "\n")
        sys.stderr.flush()
