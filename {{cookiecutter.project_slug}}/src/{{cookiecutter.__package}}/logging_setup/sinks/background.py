"""What slow sinks have in common: a bounded backlog, a thread of their own, patience, an end.

A log call only puts its record into the backlog. The thread delivers; while that fails it
tries again after growing pauses, and when the backlog is full the oldest records give way.
What is lost is counted and reported. `flush()` does not wait: nothing ever waits for a slow
sink but `close()`, and that not for long.
"""

import logging
import os
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence, Sized
from typing import Any, Final, Generic, TypeVar

from ..process import reports

CLOSE_WITHIN: Final = 5.0  # seconds for what is left, when nothing else is said
MAX_RECORDS: Final = 10_000
MAX_SIZE: Final = 8 * 1024 * 1024  # of all payloads in the backlog together, as len() counts them
LONGEST_PAUSE = 30.0  # seconds between two attempts; tests set it lower
_LONGEST_WAIT: Final = 120.0  # seconds, when the other side says how long it wants to be left alone
_PAUSE_AT_CLOSE: Final = 0.2

Payload = TypeVar("Payload", bound=Sized)


class RefusedError(Exception):
    """The other side has said no to this batch, and would say no again: it is given up."""


class RetryLaterError(Exception):
    """The other side wants to be asked again, and not before `seconds` have passed."""

    def __init__(self, reason: object, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class BackgroundHandler(logging.Handler, ABC, Generic[Payload]):
    """Base of the handlers whose sink may be slow, far away or down.

    `batch` is how many records go into one delivery at most, and `batch_size` how much of
    their payloads. A delivery that fails is tried again after `pause` seconds, then after
    twice as many, and so on up to half a minute: `attempts` times, or without end if that is 0.
    """

    def __init__(
        self, name: str, *, batch: int = 1, batch_size: int = MAX_SIZE, attempts: int = 0, pause: float = 0.5
    ) -> None:
        super().__init__()
        self.name = name
        self.lost = 0  # records that were not delivered and will not be
        self._batch = batch
        self._batch_size = batch_size
        self._attempts = attempts
        self._first_pause = pause
        self._deadline = float("inf")  # for the last delivery, in monotonic seconds
        self._renew()
        self._start()
        _handlers.add(self)

    def _renew(self) -> None:
        """Begin with nothing: at first, and in a forked child, whose parent delivers what it has."""
        # Not the handler's own lock: see handle(). Re-entrant, for a signal handler that logs.
        self._filled = threading.Condition(threading.RLock())
        self._closing = threading.Event()
        self._closed = False
        self._backlog: deque[Payload] = deque()
        self._size = 0  # of the backlog
        self._due = False  # something in the backlog asks for a delivery
        self._on_its_way = 0  # records in the delivery now under way
        self.failing = False  # the last attempt to deliver has failed
        self._told = False  # that was reported, so the recovery is to be
        self._lost_before = self.lost  # when the last delivery that succeeded began
        self._delivered_at = float("-inf")  # when the last delivery ended, in monotonic seconds

    @abstractmethod
    def payload(self, record: logging.LogRecord) -> Payload:
        """What is kept of a record until it is delivered. Called by the log call, so be quick."""

    @abstractmethod
    def deliver(self, batch: Sequence[Payload]) -> None:
        """Send some payloads, oldest first; may block for some seconds.

        Called in the handler's own thread. Raises RefusedError to have the batch given up, and
        anything else to have all of it tried again: so a handler that sends one by one, and
        could fail between two, has batches of one.
        """

    def due_in(self) -> float:
        """Seconds until the next delivery may begin; what comes meanwhile goes with it."""
        return 0.0

    def end(self) -> None:
        """All is delivered: take leave of the other side. Called in the handler's own thread."""

    def forget(self) -> None:
        """Let go of what a forked child must not share with its parent: connections."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Put the record into the backlog. Never waits for the sink.

        Without the handler's lock: what is reported from in here goes to other handlers, and
        logging.shutdown() holds that lock while it waits in close().
        """
        passed: Any = self.filter(record)  # from 3.12 on, maybe another record
        if passed:
            try:
                self.emit(passed if isinstance(passed, logging.LogRecord) else record)
            except Exception:  # noqa: BLE001 - payload() may be anybody's code
                self.handleError(record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """See `handle`; ValueError after close()."""
        dropped = 0
        with self._filled:
            if self._closed:
                raise ValueError("it is closed")
            if not self._thread.is_alive() and not self._closing.is_set():
                self._start()  # in a forked child: threads do not come along
            payload = self.payload(record)
            self._backlog.append(payload)
            self._size += len(payload)
            while len(self._backlog) > MAX_RECORDS or self._size > MAX_SIZE:
                self._size -= len(self._backlog.popleft())
                dropped += 1
            # A report on this very sink starts no delivery, which might cause the next report: it goes with one.
            self._due = self._due or threading.get_ident() != self._thread.ident
            self._filled.notify()
        if dropped:
            self._lose(dropped, "the backlog is full")

    def finish_by(self, deadline: float) -> None:
        """Deliver what is left without further pauses, until then (in monotonic seconds)."""
        self._deadline = deadline
        self._closing.set()
        with self._filled:
            self._filled.notify()

    def close(self) -> None:
        """Wait for what is left to be delivered, up to the deadline; then count it as lost."""
        if not self._closing.is_set():
            self.finish_by(time.monotonic() + CLOSE_WITHIN)
        self._thread.join(max(0.0, self._deadline - time.monotonic()))
        with self._filled:
            left = len(self._backlog) + self._on_its_way
            self._backlog.clear()
            self._on_its_way = 0
            self._closed = True
        if left:
            self._lose(left, "there was no time left to deliver them")
        super().close()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"log-{self.name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        reports.own_threads.add(threading.get_ident())
        try:
            while batch := self._take():
                if not self._deliver_patiently(batch):
                    return
                self._delivered_at = time.monotonic()
                with self._filled:
                    self._on_its_way = 0
            self.end()
        finally:
            reports.own_threads.discard(threading.get_ident())

    def _take(self) -> list[Payload]:
        """Wait for the next batch; empty when this is the end."""
        while True:
            with self._filled:
                self._filled.wait_for(lambda: self._due or self._closing.is_set())
            self._closing.wait(self.due_in())
            with self._filled:
                batch: list[Payload] = []
                room = self._batch_size
                while self._backlog and len(batch) < self._batch and (room >= len(self._backlog[0]) or not batch):
                    batch.append(self._backlog.popleft())
                    room -= len(batch[-1])
                self._size = self._size - sum(map(len, batch)) if self._backlog else 0
                self._due = bool(self._backlog)
                self._on_its_way = len(batch)
                if batch or self._closing.is_set():
                    return batch

    def _deliver_patiently(self, batch: Sequence[Payload]) -> bool:
        """Deliver or give up; False if the time ran out, and close() is to count the batch."""
        pause, attempt = self._first_pause, 1
        while True:
            try:
                self.deliver(batch)
            except RefusedError as error:
                self.failing = True
                self._lose(len(batch), f"refused: {error}")
                return True
            except Exception as error:  # noqa: BLE001 - any library's, for any reason
                self.failing = True
                reason = reports.describe(error)
                if attempt == self._attempts:
                    self._lose(len(batch), f"given up after {attempt} attempts: {reason}")
                    return True
                self._told |= reports.report(f"{self.name} failing", f"{self.name}: {reason}; will be tried again")
                asked = min(error.seconds, _LONGEST_WAIT) if isinstance(error, RetryLaterError) else 0.0
                if not self._pause(max(pause, asked)):
                    return False
                pause, attempt = min(2 * pause, LONGEST_PAUSE), attempt + 1
            else:
                self.failing = False
                if self._told:
                    self._say_recovered()
                return True

    def _pause(self, seconds: float) -> bool:
        """Wait, less long once the end has come; False if there is no time for another attempt."""
        if self._closing.wait(seconds):
            time.sleep(_PAUSE_AT_CLOSE)
        return time.monotonic() < self._deadline

    def _say_recovered(self) -> None:
        self._told = False
        lost, self._lost_before = self.lost - self._lost_before, self.lost
        what = f"{lost} records were lost meanwhile" if lost else "nothing was lost"
        reports.say(f"{self.name} works again; {what}", logging.WARNING if lost else logging.INFO)

    def _lose(self, count: int, why: str) -> None:
        self.lost += count
        reports.report(f"{self.name} lost", f"{self.name}: {reports.COUNT} records were not delivered: {why}", count)


_handlers: "weakref.WeakSet[BackgroundHandler[Any]]" = weakref.WeakSet()


def _renew_in_child() -> None:
    reports.own_threads.clear()
    for handler in list(_handlers):
        handler._renew()  # noqa: SLF001 - same module
        handler.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)
