"""What slow sinks have in common: a bounded backlog, a thread of their own, patience, an end.

A log call only puts its record into the backlog. The thread delivers; while that fails it
tries again after growing pauses, and when the backlog is full the oldest records give way.
What is lost is counted and reported.
"""

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence, Sized
from typing import Final, Generic, TypeVar

from .. import reports

CLOSE_WITHIN: Final = 5.0  # seconds for what is left, when nothing else is said
MAX_RECORDS: Final = 10_000
MAX_SIZE: Final = 8 * 1024 * 1024  # of all payloads in the backlog together, as len() counts them
_LONGEST_PAUSE: Final = 30.0  # seconds

Payload = TypeVar("Payload", bound=Sized)


class RefusedError(Exception):
    """The other side has said no to this batch, and would say no again: it is given up."""


class BackgroundHandler(logging.Handler, ABC, Generic[Payload]):
    """Base of the handlers whose sink may be slow, far away or down.

    `batch` is how many records go into one delivery at most. A delivery that fails is tried
    again after `pause` seconds, then after twice as many, and so on up to half a minute:
    `attempts` times, or without end if that is 0.
    """

    def __init__(self, name: str, *, batch: int = 1, attempts: int = 0, pause: float = 0.5) -> None:
        super().__init__()
        self.name = name
        self._batch = batch
        self._attempts = attempts
        self._first_pause = pause
        self._backlog: deque[Payload] = deque()
        self._size = 0  # of the backlog
        self._on_its_way = 0  # records in the delivery now under way
        self._failing = False
        self._delivered_at = float("-inf")  # when the last delivery ended, in monotonic seconds
        self._deadline = float("inf")  # for the last delivery, in monotonic seconds
        self._closing = threading.Event()
        self._start()

    @abstractmethod
    def payload(self, record: logging.LogRecord) -> Payload:
        """What is kept of a record until it is delivered. Called by the log call, so be quick."""

    @abstractmethod
    def deliver(self, batch: Sequence[Payload]) -> None:
        """Send some payloads, oldest first; may block for some seconds.

        Called in the handler's own thread. Raises RefusedError to have the batch given up, and
        anything else to have it tried again.
        """

    def due_in(self) -> float:
        """Seconds until the next delivery may begin; what comes meanwhile goes with it."""
        return 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Put the record into the backlog. Never blocks."""
        payload = self.payload(record)
        dropped = 0
        with self._filled:
            self._backlog.append(payload)
            self._size += len(payload)
            while len(self._backlog) > MAX_RECORDS or self._size > MAX_SIZE:
                self._size -= len(self._backlog.popleft())
                dropped += 1
            if not self._thread.is_alive() and not self._closing.is_set():
                self._start()  # in a forked child: threads do not come along
            self._filled.notify()
        if dropped:
            self._lost(dropped, "the backlog is full")

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
        left = len(self._backlog) + self._on_its_way
        if left and self._thread.is_alive():
            self._lost(left, "there was no time left to deliver them")
        super().close()

    def _start(self) -> None:
        # The handler's own lock, because logging makes that one anew in a forked child.
        self._filled = threading.Condition(self.lock)
        self._thread = threading.Thread(target=self._run, name=f"log-{self.name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while batch := self._take():
            self._deliver_patiently(batch)
            self._delivered_at = time.monotonic()
            self._on_its_way = 0

    def _take(self) -> list[Payload]:
        """Wait for the next batch; empty when this is the end."""
        with self._filled:
            self._filled.wait_for(lambda: self._backlog or self._closing.is_set())
        self._closing.wait(self.due_in())
        with self._filled:
            batch = [self._backlog.popleft() for _ in range(min(self._batch, len(self._backlog)))]
            self._size -= sum(map(len, batch))
            self._on_its_way = len(batch)
        return batch

    def _deliver_patiently(self, batch: Sequence[Payload]) -> None:
        pause, attempt = self._first_pause, 1
        while True:
            try:
                self.deliver(batch)
            except RefusedError as error:
                self._lost(len(batch), f"refused: {error}")
                return
            except Exception as error:  # noqa: BLE001 - any library's, for any reason
                reason = f"{type(error).__name__}: {error}"
                last = attempt == self._attempts or time.monotonic() >= self._deadline
                if last:
                    self._lost(len(batch), f"given up after {attempt} attempts: {reason}")
                    return
                self._failing = True
                reports.report(f"{self.name} failing", f"{self.name}: {reason}; will be tried again")
                self._closing.wait(pause)
                if self._closing.is_set():
                    time.sleep(min(0.1, pause))  # against the end's own hurry
                pause, attempt = min(2 * pause, _LONGEST_PAUSE), attempt + 1
            else:
                if self._failing:
                    self._failing = False
                    reports.say(f"{self.name} works again", logging.INFO)
                return

    def _lost(self, count: int, why: str) -> None:
        reports.report(f"{self.name} lost", f"{self.name}: {reports.COUNT} records were not delivered: {why}", count)
