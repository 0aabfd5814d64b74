"""Base class of handlers whose sink may be slow, remote or down: a bounded backlog, a thread, retry with backoff.

A log call only appends its record to the backlog; the thread delivers it. When the backlog is full, the oldest records
are dropped, counted and reported. `flush()` does not wait; only `close()` does, up to a deadline.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence, Sized
from typing import Any, Final, Generic, TypeVar

from ..process import reports
from ..process.global_state import forked_handlers
from .answers import RefusedError, RetryLaterError

MAX_RECORDS: Final = 10_000  # in the backlog
MAX_SIZE: Final = 8 * 1024 * 1024  # sum of len() of all payloads in it
LONGEST_PAUSE = 30.0  # seconds between two attempts; tests lower it
_LONGEST_WAIT: Final = 120.0  # seconds, for RetryLaterError
_PAUSE_AT_CLOSE: Final = 0.2
_CLOSE_WITHIN: Final = 5.0  # seconds, unless finish_by() has set a deadline

Payload = TypeVar("Payload", bound=Sized)


class BackgroundHandler(logging.Handler, ABC, Generic[Payload]):
    """Handler that delivers in a thread of its own; a subclass defines `payload` and `deliver`.

    `batch` limits the records of one delivery, `batch_size` the sum of their payloads' len(). A failed delivery is
    retried after `pause` seconds, doubled each time up to LONGEST_PAUSE, in at most `attempts` attempts (0: no limit).
    """

    def __init__(
        self, name: str, *, batch: int = 1, batch_size: int = MAX_SIZE, attempts: int = 0, pause: float = 0.5
    ) -> None:
        super().__init__()
        self.name = name
        self.lost = 0  # records that were not delivered and will not be
        self._batch, self._batch_size = batch, batch_size
        self._attempts, self._first_pause = attempts, pause
        self._deadline = float("inf")  # for the last delivery, in monotonic seconds
        self._reset()
        self._start()
        forked_handlers.add(self)  # the parent delivers its own backlog

    def reset_in_child(self) -> None:
        """Start empty in a forked child, without the connections that it shares with its parent."""
        self._reset()
        self.forget()

    def _reset(self) -> None:
        self.failing = self._failure_reported = False  # the last delivery has failed; this was reported
        self._lost_before = self.lost  # the value of `lost` when the last recovery was reported
        self._delivered_at = float("-inf")  # when the last delivery ended, in monotonic seconds
        # Its lock is not the handler's: see handle(). It is re-entrant, for a signal handler that logs.
        self._changed = threading.Condition(threading.RLock())
        self._closing = threading.Event()
        self._backlog: deque[Payload] = deque()
        self._size = 0  # of the backlog
        self._closed = self._due = False  # due: the backlog has a payload that starts a delivery
        self._in_delivery = 0

    @abstractmethod
    def payload(self, record: logging.LogRecord) -> Payload:
        """Return what to keep of a record until it is delivered. Runs in the log call: must be fast."""

    @abstractmethod
    def deliver(self, batch: Sequence[Payload]) -> None:
        """Send some payloads, oldest first. Runs in the handler's thread; may block for some seconds.

        RefusedError drops the batch; after any other exception, all of it is retried, so a handler that
        sends records one by one should use batch=1.
        """

    def due_in(self) -> float:
        """Return the seconds until the next delivery may start; records logged meanwhile are part of it."""
        return 0.0

    def end(self) -> None:
        """Close the connection after the last delivery. Runs in the handler's thread."""

    def forget(self) -> None:
        """Close, in a forked child, the connections that it shares with its parent."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Append the record to the backlog. Does not block.

        Does not take the handler's lock: reports made here go to other handlers, whose locks other threads may hold.
        """
        passed: Any = self.filter(record)  # from 3.12 on, maybe another record
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """See `handle`; ValueError after close()."""
        dropped = 0
        with self._changed:
            if self._closed:
                raise ValueError("handler is closed")
            if not self._thread.is_alive() and not self._closing.is_set():
                self._start()  # in a forked child, which has none of its parent's threads
            payload = self.payload(record)
            self._backlog.append(payload)
            self._size += len(payload)
            while len(self._backlog) > MAX_RECORDS or (self._size > MAX_SIZE and len(self._backlog) > 1):
                self._size -= len(self._backlog.popleft())
                dropped += 1
            # A report on this sink starts no delivery, which might cause another report; it waits for the next one.
            self._due = self._due or threading.get_ident() != self._thread.ident
            self._changed.notify()
        if dropped:
            self._drop(dropped, "backlog is full")

    def finish_by(self, deadline: float) -> None:
        """Deliver the backlog without further pauses, until `deadline` (monotonic seconds). Does not block."""
        self._deadline = deadline
        with self._changed:
            self._closing.set()
            self._changed.notify()

    def close(self) -> None:
        """Block until the backlog is delivered or the deadline has passed; then drop the rest."""
        if not self._closing.is_set():
            self.finish_by(time.monotonic() + _CLOSE_WITHIN)
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        with self._changed:
            left, self._in_delivery = len(self._backlog) + self._in_delivery, 0
            self._backlog.clear()
            self._closed = True
        if left:
            self._drop(left, "not delivered before the deadline")
        super().close()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"log-{self.name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        reports.own_threads.add(threading.get_ident())
        try:
            while (batch := self._take()) and self._deliver_with_retries(batch):
                self._delivered_at = time.monotonic()
            self.end()
        finally:
            reports.own_threads.discard(threading.get_ident())

    def _take(self) -> list[Payload]:
        """Block until a batch is due, and return it; it is empty if the backlog is empty at the end."""
        with self._changed:
            self._in_delivery = 0
            self._changed.wait_for(lambda: self._due or self._closing.is_set())
        self._closing.wait(self.due_in())
        with self._changed:
            batch: list[Payload] = []
            room = self._batch_size
            while self._backlog and len(batch) < self._batch and (room >= len(self._backlog[0]) or not batch):
                batch.append(self._backlog.popleft())
                room -= len(batch[-1])
            self._size -= self._batch_size - room
            self._due = bool(self._backlog)
            self._in_delivery = len(batch)
        return batch

    def _deliver_with_retries(self, batch: Sequence[Payload]) -> bool:
        """Deliver or drop the batch; return False if the deadline has passed, and close() has to drop it."""
        pause, attempt = self._first_pause, 1
        while True:
            try:
                self.deliver(batch)
            except Exception as error:  # noqa: BLE001 - any library may raise anything
                self.failing = True
                reason, refused = reports.describe(error), isinstance(error, RefusedError)
                if refused or attempt == self._attempts:
                    self._drop(len(batch), f"refused: {error}" if refused else f"{attempt} attempts failed: {reason}")
                    return True
                failure = f"{self.name}: delivery failed, will be retried: {reason}"
                self._failure_reported |= reports.report(f"{self.name} failing", failure, 0)
                wait = min(error.seconds, _LONGEST_WAIT) if isinstance(error, RetryLaterError) else 0.0
                if self._closing.wait(max(pause, wait)):
                    time.sleep(_PAUSE_AT_CLOSE)
                if time.monotonic() >= self._deadline:
                    return False
                pause, attempt = min(2 * pause, LONGEST_PAUSE), attempt + 1
            else:
                self.failing = False
                if self._failure_reported:
                    self._failure_reported = False
                    dropped, self._lost_before = self.lost - self._lost_before, self.lost
                    text = f"{self.name}: delivery restored, {dropped} records dropped meanwhile"
                    reports.say(text, logging.WARNING if dropped else logging.INFO)
                return True

    def _drop(self, count: int, cause: str) -> None:
        self.lost += count
        reports.report(f"{self.name} lost", f"{self.name}: {reports.COUNT} records dropped: {cause}", count)
