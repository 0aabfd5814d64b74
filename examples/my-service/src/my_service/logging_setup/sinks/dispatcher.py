"""Call every handler for every record, each with its own level, failures and counts."""

import logging
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ..process import reports
from ..process.global_state import spare_loggers

CLOSE_WITHIN: Final = 5.0  # seconds
_AT_LEAST: Final = 0.2  # seconds for the console, whatever time the others have taken


class GuardedHandler:
    """A handler whose exceptions are counted and reported, and reach neither the caller nor other handlers.

    A handler may have these attributes: `lost`, the number of records it lost without an exception;
    `failing`, True from a failed delivery until a successful one; `delivers`, False if it is not a sink; `keeps_level`,
    True if its level stays when levels are changed at run time;
    `buffers`, True if its emit() fills a buffer without a lock, flush() writes that, and handle() does both.
    """

    def __init__(self, handler: logging.Handler) -> None:
        self.handler = handler
        self.name = handler.name or type(handler).__name__
        self.called = self.failed = 0
        self.buffers = getattr(handler, "buffers", False)
        self.close, self.flush, self._handle, self._owner = handler.close, handler.flush, handler.handle, os.getpid()
        self.report_lost = getattr(handler, "report_lost", bool)  # bool() does nothing
        # Python's own handlers call this for their failures, and would print a traceback for each.
        handler.handleError = self._failed  # type: ignore[method-assign, assignment]

    def flush_only(self) -> None:
        """Flush, in place of close(): logging.config closes every handler that exists. In a forked child, close."""
        spare_loggers()
        (self.flush if os.getpid() == self._owner else self.close)()

    def handle(self, *records: logging.LogRecord) -> None:
        """Call the handler for each record, and flush it if it buffers. Never raises."""
        self.called += len(records)
        call = self.handler.emit if self.buffers and not self.handler.filters else self._handle
        for record in records:
            try:
                call(record)
            except Exception:  # noqa: BLE001 - a handler, or a filter, may raise anything
                self._failed(record)
        if self.buffers:
            try:
                self.flush()
            except Exception:  # noqa: BLE001 - as above
                self._failed()

    def _failed(self, _record: logging.LogRecord | None = None) -> None:
        self.failed += 1
        error = reports.describe(sys.exc_info()[1])
        reports.report(f"{self.name} failed", f"{self.name}: handler failed, {reports.COUNT} records dropped: {error}")

    def take_report(self, record: logging.LogRecord) -> bool:
        """Call the handler for one of logging's reports; return True if its sink can be expected to get it."""
        before = self.count()["handled"]
        self.handle(record)
        able = getattr(self.handler, "delivers", True) and not getattr(self.handler, "failing", False)
        return able and self.count()["handled"] > before

    def count(self) -> dict[str, int]:
        """Return how many records were handled, those in a backlog included, and how many failed or were lost."""
        failed = self.failed + getattr(self.handler, "lost", 0)
        return {"handled": self.called - failed, "failed": failed}


class Dispatcher:
    """Call each of `handlers` for the records that its level lets through, and for the reports of this process."""

    def __init__(self, handlers: Iterable[logging.Handler]) -> None:
        self.handlers = [GuardedHandler(handler) for handler in handlers]
        for guarded in self.handlers:
            guarded.handler.close = guarded.flush_only  # type: ignore[method-assign]
        self._buffering = [guarded for guarded in self.handlers if guarded.buffers]
        self._others = [guarded for guarded in self.handlers if not guarded.buffers]
        self._open = self.handlers  # those that can take a report
        reports.connect(self._report)

    def dispatch(self, records: Sequence[logging.LogRecord]) -> None:
        """Call the handlers for `records`: those that buffer for all of them, the others one by one. Never raises."""
        for guarded in self._buffering:
            level = guarded.handler.level
            guarded.handle(*[record for record in records if record.levelno >= level])
        for record in records:
            for guarded in self._others:
                if record.levelno >= guarded.handler.level:
                    guarded.handle(record)

    def _report(self, record: logging.LogRecord) -> bool:
        able = [each for each in self._open if record.levelno >= each.handler.level]
        return sum(guarded.take_report(record) for guarded in able) > 0  # each of them is called

    def flush(self) -> None:
        """Flush every handler; blocks as long as the slowest does."""
        self._each("flush", self.handlers)

    def close(self, within: float = CLOSE_WITHIN) -> None:
        """Close every handler, the slow ones first and all of them in at most `within` seconds.

        What a handler reports when it is closed reaches those still open. The console is the last of the slow ones.
        """
        self.flush()
        self._each("report_lost", self.handlers)
        deadline = time.monotonic() + within
        slow = [guarded for guarded in self.handlers if hasattr(guarded.handler, "finish_by")]
        for last in (False, True):
            group = [guarded for guarded in slow if getattr(guarded.handler, "closes_last", False) is last]
            for guarded in group:
                guarded.handler.finish_by(max(deadline, time.monotonic() + _AT_LEAST))  # type: ignore[attr-defined]
            self._open = [guarded for guarded in self._open if guarded not in group]
            self._each("close", group)
        reports.report_held()
        self._each("close", self._open)
        reports.connect(None)

    def counts(self) -> dict[str, Any]:
        """Return, per handler name, how many records the handler has handled, and how many it failed on."""
        return {guarded.name: guarded.count() for guarded in self.handlers}

    @staticmethod
    def _each(method: str, handlers: Iterable[GuardedHandler]) -> None:
        for guarded in handlers:
            try:
                getattr(guarded, method)()
            except Exception as error:  # noqa: BLE001 - as in GuardedHandler
                text = f"{guarded.name}: {method}() failed: {reports.describe(error)}"
                reports.report(f"{guarded.name} {method}", text)
