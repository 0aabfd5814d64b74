"""What logging has to say about itself: drops, failures, recoveries.

A report is a log record like any other, sent to this process's own handlers. The same cause
is reported at once and then at most once a minute, with the count of what came in between.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable

INTERVAL = 60.0  # seconds between two reports of one cause
COUNT = "<count>"  # in a report's text: how many

# Threads of slow handlers, by their idents: what a handler's own libraries log there stays out
# of the log, where it would make more of itself.
own_threads: set[int] = set()

_lock = threading.RLock()  # re-entrant: reporting may itself cause a report, and a signal handler log
_held: dict[str, int] = {}  # cause -> how many have come since its last report
_next: dict[str, float] = {}  # cause -> when it may be reported again, in monotonic seconds
_texts: dict[str, str] = {}
_dispatch: Callable[[logging.LogRecord], object] | None = None


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()  # in a forked child the old one may be held by a thread that is not there


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def connect(dispatch: Callable[[logging.LogRecord], object] | None) -> None:
    """Send the reports of this process to `dispatch`; None: to stderr, as before `connect`."""
    global _dispatch
    _dispatch = dispatch


def report(cause: str, text: str, count: int = 1, level: int = logging.WARNING) -> None:
    """Say `text` in the log, unless this `cause` was reported less than INTERVAL ago.

    What is held back is counted, and the count stands in the cause's next report: in place of
    COUNT in `text`, or after it. Never raises.
    """
    with _lock:
        held = _held[cause] = _held.get(cause, 0) + count
        _texts[cause] = text
        if time.monotonic() < _next.get(cause, 0.0):
            return
        _next[cause] = time.monotonic() + INTERVAL
        _held[cause] = 0
    say(_counted(text, held), level)


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


def say(text: str, level: int = logging.WARNING) -> None:
    """Put one line of logging's own into the log, or on stderr if there is no other place."""
    record = logging.LogRecord(__package__ or __name__, level, __file__, 0, text, (), None, "report")
    try:
        if _dispatch is None:
            to_stderr(record.levelname, text)
        else:
            _dispatch(record)
    except Exception:  # noqa: BLE001 - a report is the last resort: nobody is left to tell
        to_stderr(record.levelname, text)


def to_stderr(levelname: str, text: str) -> None:
    """Write one line to stderr, whatever state it is in: None, closed, full, a broken pipe."""
    try:
        sys.stderr.write(f"{levelname} {text}\n")
        sys.stderr.flush()
    except Exception:  # noqa: BLE001, S110 - see above
        pass
