"""The one handler on the root logger of every process that logs through the queue."""

import itertools
import logging
import os
import threading

from ..process import reports
from ..records.serialize import prepare
from .encoding import encode, encode_marker
from .pipe import LogQueue, QueueClosedError


class QueueHandler(logging.Handler):
    """Enqueues each record; one that cannot be enqueued is dropped, and written to stderr from WARNING on.

    A call never raises, and blocks only while the queue is full: up to `LOG_QUEUE_TIMEOUT` seconds, and after such
    a drop not at all until a record is enqueued again. So a listener that does not read costs a process one wait,
    not one for each record. Dropped records are counted; the next record carries the count.
    """

    def __init__(self, queue: LogQueue) -> None:
        super().__init__()
        self.queue = queue
        self._put = queue.put
        self._timeout = queue.settings.queue_timeout
        self.start_counts()
        # For the counts of drops only: put() needs no lock. It is the handler's own, because
        # that is re-entrant (a signal handler may log) and new in a forked child.
        self._guard = self.lock or threading.RLock()

    def start_counts(self) -> None:
        """Count from zero: at first, and in a forked child, whose parent reports its own drops."""
        self.accepted = 0  # records enqueued in this process
        self.dropped = 0
        self._unreported = 0  # of these, not yet reported to the listener
        self._wait = self._timeout  # seconds that the next call waits if the queue is full
        self._count = itertools.count(1)

    def handle(self, record: logging.LogRecord) -> bool:
        """Enqueue `record`; return False if it was filtered or dropped. Never raises."""
        try:
            if self.filters and not self.filter(record):
                return False
            unreported = self._take_unreported() if self._unreported else 0
            try:
                if self._put(encode(record, unreported), self._wait):
                    self.accepted = next(self._count)
                    self._wait = self._timeout
                    return True
            except QueueClosedError:
                pass
            self._wait = 0.0
            self._drop(record, unreported)
        except Exception as error:  # noqa: BLE001 - a log call never raises into the application
            reports.say(f"queue: 1 record dropped, it cannot be serialized: {type(error).__name__}", logging.ERROR)
        return False

    def emit(self, record: logging.LogRecord) -> None:
        """Enqueue `record`: for callers that skip handle()."""
        self.handle(record)

    def _drop(self, record: logging.LogRecord, unreported: int) -> None:
        with self._guard:
            self.dropped += 1
            self._unreported += unreported + 1
        if record.levelno >= logging.WARNING:
            reports.show(prepare(record))

    def _take_unreported(self) -> int:
        with self._guard:
            unreported, self._unreported = self._unreported, 0
        return unreported

    def close(self) -> None:
        """Report the last drops, if any, to the listener; blocks as long as a log call may."""
        unreported = self._take_unreported()
        if unreported:
            try:
                self._put(encode_marker(unreported)[0], self._timeout)
            except QueueClosedError:
                reports.say(f"queue: {unreported} records dropped: no listener (process {os.getpid()})")
        super().close()


def _start_counts_in_child() -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueueHandler):
            handler.start_counts()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_counts_in_child)
