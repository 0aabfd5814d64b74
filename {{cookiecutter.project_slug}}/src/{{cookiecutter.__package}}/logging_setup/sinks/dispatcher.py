"""Records to every handler, each on its own: its own level, its own failures, its own count."""

import logging
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ..process import reports

CLOSE_WITHIN: Final = 5.0  # seconds


class GuardedHandler:
    """A handler, called so that no failure of it reaches the caller or another handler.

    A handler that may lose a record without raising counts it in `lost`, and is `failing` from then until
    a record is delivered. One that is no sink has `delivers = False`.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self.handler = handler
        self._handle = handler.handle
        self._emit = handler.emit
        self.close, self.flush, self._owner = handler.close, handler.flush, os.getpid()
        # What Handler.handle does, without three calls; unless this handler does it otherwise.
        usual = (logging.Handler.handle, logging.Filterer.filter)
        self._lock = handler.lock if (type(handler).handle, type(handler).filter) == usual else None
        # Only of a class that has both: who has changed emit() alone wants to see each record.
        emits = next(each for each in type(handler).__mro__ if "emit" in vars(each))
        self._emit_all = getattr(handler, "emit_all", None) if "emit_all" in vars(emits) else None
        self.takes_all = self._emit_all is not None
        self.name = handler.name or type(handler).__name__
        self.called = self.failed = 0
        # Python's own handlers report their failures here, and print a traceback for each.
        handler.handleError = self._failed  # type: ignore[method-assign, assignment]

    def closed_by_others(self) -> None:
        """Flush only: logging.config closes every handler that exists. A forked child has no other end, and closes."""
        (self.flush if os.getpid() == self._owner else self.close)()

    def handle_all(self, records: Sequence[logging.LogRecord]) -> None:
        """Call the handler for each of `records` that its level lets through, once for all if it can. Never raises."""
        level = self.handler.level
        wanted = [record for record in records if record.levelno >= level]
        if len(wanted) > 1 and self._all_at_once(wanted):
            self.called += len(wanted)
        else:
            for record in wanted:
                self.handle(record)

    def _all_at_once(self, records: Sequence[logging.LogRecord]) -> bool:
        """Whether the handler has taken them all; otherwise it has taken none."""
        if not self._emit_all or not self._lock or self.handler.filters:
            return False
        try:
            with self._lock:
                return bool(self._emit_all(records))
        except Exception:  # noqa: BLE001 - as in handle(), which finds the record that is to blame
            return False

    def handle(self, record: logging.LogRecord) -> None:
        """Call the handler. Never raises."""
        self.called += 1
        try:
            if self._lock and not self.handler.filters:
                with self._lock:
                    self._emit(record)
            else:
                self._handle(record)
        except Exception:  # noqa: BLE001 - a handler, and its filters, may be anybody's code
            self._failed(record)

    def _failed(self, _record: logging.LogRecord) -> None:
        self.failed += 1
        reports.report(f"{self.name} failed", f"{self.name} failed: {reports.describe(sys.exc_info()[1])}")

    def take_report(self, record: logging.LogRecord) -> bool:
        """Call the handler for a report of logging itself; return True if its sink can be expected to get it."""
        handler, before = self.handler, self.count()["failed"]
        if record.levelno < handler.level:
            return False
        self.handle(record)
        able = getattr(handler, "delivers", True) and not getattr(handler, "failing", False)
        return able and self.count()["failed"] == before

    def count(self) -> dict[str, int]:
        """How many records it has handled, those in a backlog included, and how many failed or were lost."""
        failed = self.failed + getattr(self.handler, "lost", 0)
        return {"handled": self.called - failed, "failed": failed}


class Dispatcher:
    """Calls each of `handlers` for the records that its level lets through."""

    def __init__(self, handlers: Iterable[logging.Handler]) -> None:
        self.handlers = [GuardedHandler(handler) for handler in handlers]
        for guarded in self.handlers:
            guarded.handler.close = guarded.closed_by_others  # type: ignore[method-assign]
        self._at_once = [guarded for guarded in self.handlers if guarded.takes_all]
        self._by_one = [guarded for guarded in self.handlers if not guarded.takes_all]
        self._open = self.handlers  # those that can take a report
        reports.connect(self._report)

    def dispatch(self, records: Sequence[logging.LogRecord]) -> None:
        """Hand `records` to the handlers, in this order. Never raises."""
        for guarded in self._at_once:
            guarded.handle_all(records)
        if self._by_one:
            for record in records:
                for guarded in self._by_one:
                    if record.levelno >= guarded.handler.level:
                        guarded.handle(record)

    def _report(self, record: logging.LogRecord) -> bool:
        return sum(guarded.take_report(record) for guarded in self._open) > 0  # each of them is called

    def flush(self) -> None:
        """Have every handler write what it still holds; blocks as long as the slowest does."""
        self._each("flush", self.handlers)

    def close(self, within: float = CLOSE_WITHIN) -> None:
        """Close every handler, the slow ones first and all within so many seconds.

        What these have to report, and what has been held back, still reaches the others.
        """
        self.flush()
        deadline = time.monotonic() + within
        slow = [guarded for guarded in self.handlers if hasattr(guarded.handler, "finish_by")]
        for guarded in slow:
            guarded.handler.finish_by(deadline)  # type: ignore[attr-defined]
        self._open = [guarded for guarded in self.handlers if guarded not in slow]
        self._each("close", slow)
        reports.report_held()
        self._each("close", self._open)
        reports.connect(None)

    def counts(self) -> dict[str, Any]:
        """Handler name -> how many records it has handled, and how many it failed on."""
        return {guarded.name: guarded.count() for guarded in self.handlers}

    @staticmethod
    def _each(method: str, handlers: Iterable[GuardedHandler]) -> None:
        for guarded in handlers:
            try:
                getattr(guarded, method)()
            except Exception as error:  # noqa: BLE001 - see GuardedHandler
                reports.report(f"{guarded.name} {method}", f"{guarded.name} {method} failed: {reports.describe(error)}")
