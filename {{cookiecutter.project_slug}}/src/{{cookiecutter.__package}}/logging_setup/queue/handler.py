"""The one handler on the root logger of every process that logs through the queue."""

import itertools
import logging
import os
import threading

from ..process import reports
from ..records.serialize import flatten, restore
from .encoding import encode, encode_drops
from .pipe import LogQueue, QueueClosedError, ThreadQueue


class QueueHandler(logging.Handler):
    """Puts each record into the log queue; when that cannot be, WARNING and above go to stderr.

    A call returns at once while the queue has room, waits up to `LOG_QUEUE_TIMEOUT` seconds
    while it is full, and never raises. After one wait in vain the following calls do not wait
    again until a record gets through, so a stuck listener costs a process one wait, not one
    a record. What is lost is counted, and the count travels with the next record.
    """

    def __init__(self, queue: LogQueue | ThreadQueue) -> None:
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
        self.accepted = 0  # records that the queue has taken, in this process
        self.dropped = 0  # records that it has not
        self._untold = 0  # of these, not yet told to the listener
        self._patience = self._timeout
        self._count = itertools.count(1)

    def handle(self, record: logging.LogRecord) -> bool:
        """Send `record`; whatever goes wrong stays in here."""
        try:
            if self.filters and not self.filter(record):
                return False
            untold = self._take_untold() if self._untold else 0
            try:
                if self._put(encode(record, untold), self._patience):
                    self.accepted = next(self._count)
                    self._patience = self._timeout
                    return True
            except QueueClosedError:
                pass
            self._patience = 0.0
            self._drop(record, untold)
        except Exception as error:  # noqa: BLE001 - a log call never raises into the application
            reports.say(f"a record could not be logged: {type(error).__name__}", logging.ERROR)
        return False

    def emit(self, record: logging.LogRecord) -> None:
        """As handle(): for callers that skip it."""
        self.handle(record)

    def _drop(self, record: logging.LogRecord, untold: int) -> None:
        with self._guard:
            self.dropped += 1
            self._untold += untold + 1
        if record.levelno >= logging.WARNING:
            reports.show(restore(flatten(record)))

    def _take_untold(self) -> int:
        with self._guard:
            untold, self._untold = self._untold, 0
        return untold

    def close(self) -> None:
        """Tell the listener of the last drops, if any; waits no longer than any log call."""
        untold = self._take_untold()
        if untold:
            try:
                self._put(encode_drops(untold), self._timeout)
            except QueueClosedError:
                reports.say(f"{untold} records dropped: the log listener is gone")
        super().close()


def _start_counts_in_child() -> None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, QueueHandler):
            handler.start_counts()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_counts_in_child)
