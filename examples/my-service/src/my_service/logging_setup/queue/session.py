"""The application's side of the log queue: the root logger's handler, and the base class of the sessions."""

import itertools
import json
import logging
import os
import queue
import threading
import time
from abc import abstractmethod
from typing import Any

from ..process import reports
from ..process.flood import flood_control
from ..process.global_state import forked_handlers, spare_loggers
from ..process.session import LoggingSession
from ..records.serialize import Flat, flatten, flatten_call, restore
from .encoding import TOKEN_SIZE, encode, encode_marker
from .pipe import LogQueue


class QueueHandler(logging.Handler):
    """Enqueue each record, or drop it if that fails; dropped records from WARNING on are written to stderr.

    A call never raises, and blocks only while the queue is full: up to `LOG_QUEUE_TIMEOUT` seconds, and after such
    a drop not at all until a record is enqueued again. So a listener that does not read makes a process wait
    once, not for each record. Dropped records are counted; the count is sent before the next record.
    """

    def __init__(self, log_queue: LogQueue) -> None:
        super().__init__()
        self.queue = log_queue
        self._put = log_queue.put
        self._timeout = log_queue.settings.queue_timeout
        self.reset_in_child()
        forked_handlers.add(self)
        # For the counts of drops only: put() needs no lock. The handler's own lock is used, because it is re-entrant (a
        # signal handler may log) and new in a forked child.
        self._guard = self.lock or threading.RLock()

    def reset_in_child(self) -> None:
        """Count from zero: initially, and in a forked child, because the parent reports its own drops."""
        self.accepted = 0  # records enqueued in this process
        self.dropped = 0
        self._unreported = 0  # of these, not yet reported to the listener
        self._wait = self._timeout  # seconds that the next call waits if the queue is full
        self._count = itertools.count(1)

    def handle(self, record: logging.LogRecord) -> bool:
        """Enqueue `record`; return False if it was filtered or dropped. Never raises."""
        try:
            return bool(self.filter(record)) and self._enqueue(flatten(record), record.levelno)
        except Exception as error:  # noqa: BLE001 - a log call never raises into the application
            _say_unserializable(error)
        return False

    emit = handle  # type: ignore[assignment] # for callers that skip handle()

    def deliver(self, origin: bytes, msg: object, args: Any, level: int) -> bool:
        """Enqueue the record of a log call, as handle() does."""
        try:
            return level >= self.level and self._enqueue(flatten_call(origin, msg, args), level)
        except Exception as error:  # noqa: BLE001 - as above
            _say_unserializable(error)
        return False

    def _enqueue(self, flat: Flat, level: int) -> bool:
        if reports.own_threads and threading.get_ident() in reports.own_threads:
            return False  # what a handler's library logs about its delivery would cause further records
        if (not self._unreported or self._report_drops(self._wait)) and self._put(encode(flat), self._wait):
            self.accepted = next(self._count)
            self._wait = self._timeout
            return True
        self._wait = 0.0
        with self._guard:
            self.dropped += 1
            self._unreported += 1
        if level >= logging.WARNING:
            reports.show(restore(flat))
        return False

    def _report_drops(self, timeout: float) -> bool:
        """Send the listener the number of drops since the last report; return False if that fails too."""
        with self._guard:
            unreported, self._unreported = self._unreported, 0
        if not unreported or self._put(encode_marker(unreported), timeout):
            return True
        with self._guard:
            self._unreported += unreported
        return False

    def close(self) -> None:
        """Report the last drops, if any, to the listener; blocks as long as a log call may."""
        spare_loggers()
        if not self._report_drops(self._timeout):
            text = f"queue: {self._unreported} records dropped: no listener reads the queue (process {os.getpid()})"
            reports.to_stderr("WARNING", text)  # not through a handler, which may be what blocks a listener thread
        super().close()


def _say_unserializable(error: Exception) -> None:
    reports.say(f"queue: serialization failed, 1 record dropped: {type(error).__name__}", logging.ERROR)


class QueueSession(LoggingSession):
    """A session that sends records through `queue`, which other processes pass to setup_proc_logging."""

    def __init__(self, log_queue: LogQueue) -> None:
        self.queue = log_queue
        self._handler = QueueHandler(log_queue)
        self.deliver = self._handler.deliver
        super().__init__([self._handler])
        # Token of a marker -> True once it is acknowledged, False after each restart of the listener. No lock is held:
        # a signal handler may call flush() while the same thread is in flush().
        self._flushing: dict[bytes, queue.SimpleQueue[bool]] = {}
        self._counts: dict[str, Any] = {}

    def flush(self, timeout: float = 5.0) -> bool:
        """See LoggingSession. After a restart of the listener the marker is sent again."""
        if not self.is_owner:
            return False
        flood_control.report(now=False)
        until = time.monotonic() + timeout
        token = os.urandom(TOKEN_SIZE)  # which no other process can guess
        answers = self._flushing[token] = queue.SimpleQueue()
        try:
            while self.queue.put(encode_marker(token=token), until - time.monotonic()):
                if answers.get(timeout=max(0.0, until - time.monotonic())):
                    return True
        except queue.Empty:
            pass
        finally:
            del self._flushing[token]
        return False

    def counts(self) -> dict[str, Any]:
        """See LoggingSession. Blocks as flush() does."""
        self.flush()
        return {"accepted": self._handler.accepted, "dropped": self._handler.dropped, "handlers": dict(self._counts)}

    def _stop(self, within: float) -> None:
        until = time.monotonic() + within
        self._handler.close()
        self.flush(within)
        self._end_listener(until)

    @abstractmethod
    def _end_listener(self, until: float) -> None:
        """Close the queue in this process, and wait for the listener's end; `until` is in monotonic seconds."""

    def _acknowledge(self, answer: bytes) -> None:
        """Store the listener's answer to a marker: its token, and the counts of the handlers."""
        self._counts = json.loads(answer[TOKEN_SIZE:])
        if (answers := self._flushing.get(answer[:TOKEN_SIZE])) is not None:
            answers.put(True)
