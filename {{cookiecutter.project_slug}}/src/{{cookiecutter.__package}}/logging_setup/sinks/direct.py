"""Logging in one process, without a queue: the handlers are attached to the root logger."""

import logging
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from ..process import reports
from ..process.flood import flood_control
from ..process.session import LoggingSession
from ..records.record import PreparedRecord
from ..records.serialize import flatten_call, prepare, restore
from .dispatcher import CLOSE_WITHIN, Dispatcher, GuardedHandler

_PREPARED = "(prepared for handlers)"  # attribute of a record for its PreparedRecord
# Maximum depth of nested handler calls, which signal handlers that log cause, and libraries of handlers
# that log about each record.
_DEEPEST = 3
_ANY_LEVEL = sys.maxsize  # of a record that is above the handler's level
_nested = threading.local()


class DirectSession(LoggingSession):
    """A session whose log calls run the handlers, in the calling thread."""

    def __init__(self, handlers: list[logging.Handler]) -> None:
        # Without a sink nothing is written, as with the queue; logging.lastResort would write what is not masked.
        super().__init__(handlers or [logging.NullHandler()])
        self._dispatcher = Dispatcher(handlers)
        self.sinks = self._dispatcher.handlers
        for guarded in self.sinks:
            # For records that no fast logger has made: prepared once for all handlers.
            guarded.handler.handle = partial(_call, (guarded,), _ANY_LEVEL, _prepare_once)  # type: ignore[method-assign]

    def flush(self, timeout: float = 5.0) -> bool:  # noqa: ARG002 - as with a listener
        """Flush every handler. A record has reached them when its log call returns."""
        flood_control.report(now=False)
        self._dispatcher.flush()
        return True

    def counts(self) -> dict[str, Any]:
        """See LoggingSession; here every record is accepted."""
        counts = self._dispatcher.counts()
        accepted = max((count["handled"] + count["failed"] for count in counts.values()), default=0)
        return {"accepted": accepted, "dropped": 0, "handlers": counts}

    def deliver(self, origin: bytes, msg: object, args: Any, level: int) -> None:
        """Call the handlers for the record of a log call. Never raises."""
        _call(self._dispatcher.handlers, level, _prepare_call, (origin, msg, args))

    def _stop(self, within: float) -> None:
        self._dispatcher.close(min(within, CLOSE_WITHIN))


def _drop(guarded: GuardedHandler) -> None:
    guarded.called += 1
    guarded.failed += 1
    text = f"{guarded.name}: {reports.COUNT} records dropped: logged inside {_DEEPEST} unfinished log calls"
    reports.report(f"{guarded.name} nested", text)


def _prepare_once(record: logging.LogRecord) -> logging.LogRecord:
    prepared = record.__dict__.get(_PREPARED)
    if not isinstance(prepared, PreparedRecord):  # there is none, or a field of an `extra=` has that name
        prepared = record.__dict__[_PREPARED] = prepare(record)
    return prepared


def _prepare_call(call: tuple[bytes, object, Any]) -> logging.LogRecord:
    return restore(flatten_call(*call))


def _call(handlers: Iterable[GuardedHandler], level: int, make: Callable[[Any], logging.LogRecord], data: Any) -> bool:
    """Call the handlers for the record that `make` makes from `data`; return True unless dropped. Never raises."""
    depth = getattr(_nested, "depth", 0)
    if depth == _DEEPEST:
        for guarded in handlers:
            if level >= guarded.handler.level:
                _drop(guarded)
        return False
    _nested.depth = depth + 1
    try:
        if reports.own_threads and threading.get_ident() in reports.own_threads:
            return False  # what a handler's library logs about its delivery would cause further records
        record = make(data)
        for guarded in handlers:
            if level >= guarded.handler.level:
                guarded.handle(record)
    except Exception:  # noqa: BLE001 - a log call never raises into the application
        return False
    finally:
        _nested.depth = depth
    return True
