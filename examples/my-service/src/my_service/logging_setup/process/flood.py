"""Flood control (LOG_REPEAT): limit the records of one line of code per period, and log how many were dropped.

The counts are logged with the first record after the period, from any line, by flush(), and at the end of the
process, so that no thread is needed.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import Context
from functools import partial
from typing import Any, Final

from ..records.redaction import redact
from ..records.serialize import ADMITTED, Deliver, deserialize_origin, origin_values, serialize_origin
from ..records.values import safe_str, to_scalar
from . import reports
from .global_state import forked_handlers


class _FloodControl:
    """Count the records of this process by line of code, in consecutive windows."""

    _deliver: Deliver
    _rate, _most, _seconds = "", 0, 0

    def __init__(self) -> None:
        self._lock = threading.RLock()  # re-entrant: a signal handler may log
        self._lines: dict[Any, tuple[int, tuple[int, bytes]]] = {}  # records, and the highest level with its origin
        self._end = 0.0  # of the current window, in monotonic seconds
        self._has_dropped = False

    reset_in_child = __init__  # the parent reports what it has counted

    def limit(self, rate: str, handlers: Iterable[logging.Handler], deliver: Deliver) -> Deliver:
        """Limit what `handlers` get to a rate such as 10/60s, and return `deliver` with that limit; "": no limit."""
        if not rate:
            return deliver
        self._rate, self._deliver = rate, deliver
        self._most, self._seconds = map(int, rate.rstrip("s").split("/"))
        for handler in handlers:
            handler.handle = partial(self._handle, handler.handle)  # type: ignore[method-assign]
        return lambda origin, msg, *rest: self._admits(origin, msg) and deliver(origin, msg, *rest)

    def _handle(self, handle: Callable[[logging.LogRecord], bool], record: logging.LogRecord) -> bool:
        data = record.__dict__
        if ADMITTED not in data:  # otherwise another handler has already got this record
            data[ADMITTED] = True
            with contextlib.suppress(Exception):  # the application may put anything into a record
                origin = serialize_origin(redact.text, tuple(map(to_scalar, origin_values(data))))
                data[ADMITTED] = self._admits(origin, data["msg"])
        return data[ADMITTED] and handle(record)

    def _admits(self, origin: bytes, template: object) -> bool:
        """Count a record; return False if it is beyond the limit."""
        place = deserialize_origin(origin)
        if place["levelno"] >= logging.CRITICAL or threading.get_ident() in reports.own_threads:
            return True
        self.report(now=False)
        line = place["pathname"], place["lineno"] or (place["name"], safe_str(template))
        with self._lock:
            count, highest = self._lines.get(line, (0, (0, b"")))
            self._lines[line] = count + 1, max(highest, (place["levelno"], origin))
            if count == self._most and not self._has_dropped:
                self._has_dropped = True
                from multiprocessing import util  # here: rarely needed

                util.Finalize(None, self.report, exitpriority=0)  # runs in workers too, unlike atexit
        return count < self._most

    def report(self, *, now: bool = True) -> None:
        """Log how many records of each line were dropped: `now`, or if the window is over. Blocks as a log call may."""
        with self._lock:
            if not now and time.monotonic() < self._end and len(self._lines) < 2048:
                return
            self._end = time.monotonic() + self._seconds
            lines, self._lines = self._lines, {}
        for count, (level, origin) in lines.values():
            if count > self._most:
                place = deserialize_origin(origin)
                line = f"{place['filename']}:{place['lineno']}" if place["lineno"] else place["name"]
                text = f"flood control: {line} repeated {count - self._most} times, not logged: LOG_REPEAT={self._rate}"
                Context().run(self._deliver, origin, text, None, level)  # not in the context of an unrelated log call


flood_control: Final = _FloodControl()
forked_handlers.add(flood_control)
