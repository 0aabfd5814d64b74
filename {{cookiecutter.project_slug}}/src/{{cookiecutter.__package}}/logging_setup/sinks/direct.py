"""Logging in one process, without a queue: the handlers are attached to the root logger."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from ..process import reports
from ..process.session import LoggingSession
from ..records.serialize import prepare
from .dispatcher import CLOSE_WITHIN, Dispatcher, GuardedHandler

_PREPARED = "(prepared for handlers)"  # attribute of a record for its PreparedRecord: no name for an `extra=`
# How deep handler calls may be nested: by a signal handler that logs, and by libraries of handlers
# that log about each record.
_DEEPEST = 3
_nested = threading.local()


class DirectSession(LoggingSession):
    """A session whose log calls run the handlers, in the calling thread."""

    def __init__(self, handlers: list[logging.Handler]) -> None:
        super().__init__(handlers)
        self._dispatcher = Dispatcher(handlers)
        self.sinks = self._dispatcher.handlers
        for guarded in self.sinks:
            guarded.handler.handle = _prepared(guarded)  # type: ignore[method-assign, assignment]

    def flush(self, timeout: float = 5.0) -> bool:  # noqa: ARG002 - as with a listener
        """Flush every handler. A record has reached them when its log call returns."""
        self._dispatcher.flush()
        return True

    def counts(self) -> dict[str, Any]:
        """See LoggingSession; here every record is accepted."""
        counts = self._dispatcher.counts()
        accepted = max((count["handled"] + count["failed"] for count in counts.values()), default=0)
        return {"accepted": accepted, "dropped": 0, "handlers": counts}

    def _stop(self, within: float) -> None:
        self._dispatcher.close(min(within, CLOSE_WITHIN))


def _prepared(guarded: GuardedHandler) -> Callable[[logging.LogRecord], bool]:
    """Return a handle() that gives `guarded` the record as a listener would; prepared once for all handlers."""

    def handle(record: logging.LogRecord) -> bool:
        depth = getattr(_nested, "depth", 0)
        if depth == _DEEPEST:
            return False
        _nested.depth = depth + 1
        try:
            prepared = record.__dict__.get(_PREPARED)
            if prepared is None:
                # What such libraries log in a handler's own thread would cause further records.
                if record.thread in reports.own_threads:
                    return False
                prepared = record.__dict__[_PREPARED] = prepare(record)
            guarded.handle(prepared)
        except Exception:  # noqa: BLE001 - a log call never raises into the application
            return False
        finally:
            _nested.depth = depth
        return True

    return handle
