"""Base of handlers whose sink may be slow, remote or down: a bounded backlog, a thread, retry with backoff.

A log call only appends its record to the backlog (backlog.py); the thread delivers. While that fails it retries
after growing pauses. `flush()` does not wait; only `close()` does, up to a deadline.
"""

import logging
import os
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final, Generic

from ..process import reports
from .backlog import MAX_SIZE, Backlog, Payload

CLOSE_WITHIN: Final = 5.0  # seconds, unless finish_by() has set a deadline
LONGEST_PAUSE = 30.0  # seconds between two attempts; tests lower it
_LONGEST_WAIT: Final = 120.0  # seconds, for RetryLaterError
_PAUSE_AT_CLOSE: Final = 0.2


class RefusedError(Exception):
    """The server has refused this batch, and a retry would be refused as well: it is dropped."""


class RetryLaterError(Exception):
    """The server has asked for a retry, not before `seconds` have passed (Retry-After)."""

    def __init__(self, reason: object, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class BackgroundHandler(logging.Handler, ABC, Generic[Payload]):
    """Handler that delivers in a thread of its own; a subclass defines `payload` and `deliver`.

    `batch` limits the records of one delivery, `batch_size` the sum of their payloads' len(). A failed
    delivery is retried after `pause` seconds, then after twice as many, up to LONGEST_PAUSE: `attempts`
    times, or without limit if that is 0.
    """

    def __init__(
        self, name: str, *, batch: int = 1, batch_size: int = MAX_SIZE, attempts: int = 0, pause: float = 0.5
    ) -> None:
        super().__init__()
        self.name = name
        self.lost = 0  # records that were not delivered and will not be
        self._limits = batch, batch_size
        self._attempts, self._first_pause = attempts, pause
        self._deadline = float("inf")  # for the last delivery, in monotonic seconds
        self._reset()
        self._start()
        _handlers.add(self)

    def _reset(self) -> None:
        """Start empty: at first, and in a forked child, where the parent delivers its own backlog."""
        self._backlog: Backlog[Payload] = Backlog(*self._limits)
        self.failing = False  # the last attempt to deliver has failed
        self._failure_reported = False
        self._lost_before = self.lost  # when the last recovery was reported
        self._delivered_at = float("-inf")  # when the last delivery ended, in monotonic seconds

    @abstractmethod
    def payload(self, record: logging.LogRecord) -> Payload:
        """Return what to keep of a record until it is delivered. Runs in the log call: must be fast."""

    @abstractmethod
    def deliver(self, batch: Sequence[Payload]) -> None:
        """Send some payloads, oldest first. Runs in the handler's thread; may block for some seconds.

        RefusedError drops the batch; any other exception has all of it retried: a handler that sends
        records one by one should use batch=1.
        """

    def due_in(self) -> float:
        """Return the seconds until the next delivery may start; records logged meanwhile go with it."""
        return 0.0

    def end(self) -> None:
        """Close the connection after the last delivery. Runs in the handler's thread."""

    def forget(self) -> None:
        """Close, in a forked child, the connections that it shares with its parent."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Append the record to the backlog. Does not block.

        Without the handler's lock: reports made in here go to other handlers, whose locks other threads may hold.
        """
        passed: Any = self.filter(record)  # from 3.12 on, maybe another record
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """See `handle`; ValueError after close()."""
        with self._backlog.changed:
            if not self._thread.is_alive() and not self._backlog.closing.is_set():
                self._start()  # in a forked child, which has no threads of its parent
            # A report on this sink starts no delivery, which might cause the next report: it goes with one.
            starts_delivery = threading.get_ident() != self._thread.ident
            dropped = self._backlog.append(self.payload(record), starts_delivery=starts_delivery)
        if dropped:
            self._drop(dropped, "backlog is full")

    def finish_by(self, deadline: float) -> None:
        """Deliver what is left without further pauses, until `deadline` (monotonic seconds). Does not block."""
        self._deadline = deadline
        self._backlog.finish()

    def close(self) -> None:
        """Block until the backlog is delivered or the deadline has passed; then drop the rest."""
        if not self._backlog.closing.is_set():
            self.finish_by(time.monotonic() + CLOSE_WITHIN)
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        left = self._backlog.close()
        if left:
            self._drop(left, "not delivered before the deadline")
        super().close()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"log-{self.name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        reports.own_threads.add(threading.get_ident())
        try:
            while (batch := self._backlog.take(self.due_in)) and self._deliver_with_retries(batch):
                self._delivered_at = time.monotonic()
            self.end()
        finally:
            reports.own_threads.discard(threading.get_ident())

    def _deliver_with_retries(self, batch: Sequence[Payload]) -> bool:
        """Deliver or drop the batch; return False if the deadline has passed, and close() has to drop it."""
        pause, attempt = self._first_pause, 1
        while True:
            try:
                self.deliver(batch)
            except Exception as error:  # noqa: BLE001 - of any library, for any reason
                self.failing = True
                reason, refused = reports.describe(error), isinstance(error, RefusedError)
                if refused or attempt == self._attempts:
                    self._drop(len(batch), f"refused: {error}" if refused else f"{attempt} attempts failed: {reason}")
                    return True
                failure = f"{self.name}: delivery failed, will be retried: {reason}"
                self._failure_reported |= reports.report(f"{self.name} failing", failure)
                wait = min(error.seconds, _LONGEST_WAIT) if isinstance(error, RetryLaterError) else 0.0
                if self._backlog.closing.wait(max(pause, wait)):
                    time.sleep(_PAUSE_AT_CLOSE)
                if time.monotonic() >= self._deadline:
                    return False
                pause, attempt = min(2 * pause, LONGEST_PAUSE), attempt + 1
            else:
                self.failing = False
                if self._failure_reported:
                    self._failure_reported = False
                    dropped, self._lost_before = self.lost - self._lost_before, self.lost
                    level = logging.WARNING if dropped else logging.INFO
                    reports.say(f"{self.name}: delivery restored, {dropped} records dropped meanwhile", level)
                return True

    def _drop(self, count: int, cause: str) -> None:
        self.lost += count
        reports.report(f"{self.name} lost", f"{self.name}: {reports.COUNT} records dropped: {cause}", count)


_handlers: "weakref.WeakSet[BackgroundHandler[Any]]" = weakref.WeakSet()


def _reset_in_child() -> None:
    reports.own_threads.clear()
    for handler in list(_handlers):
        handler._reset()  # noqa: SLF001 - same module
        handler.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)
