"""Bounded queue between log calls and the thread of a background handler."""

import threading
from collections import deque
from collections.abc import Callable, Sized
from typing import Final, Generic, TypeVar

MAX_RECORDS: Final = 10_000
MAX_SIZE: Final = 8 * 1024 * 1024  # of all payloads together, as len() counts them

Payload = TypeVar("Payload", bound=Sized)


class Backlog(Generic[Payload]):
    """Payloads that wait for delivery; when it is full the oldest are dropped."""

    def __init__(self, batch: int, batch_size: int) -> None:
        # With a lock of its own: see BackgroundHandler.handle. Re-entrant, for a signal handler that logs.
        self.changed = threading.Condition(threading.RLock())
        self.closing = threading.Event()
        self._batch, self._batch_size = batch, batch_size
        self._waiting: deque[Payload] = deque()
        self._size = 0  # of what is waiting
        self._due = False  # a payload is waiting that starts a delivery
        self._in_delivery = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, payload: Payload, *, starts_delivery: bool) -> int:
        """Append a payload and return how many were dropped for it; ValueError after close(). Does not block."""
        dropped = 0
        with self.changed:
            if self._closed:
                raise ValueError("handler is closed")
            self._waiting.append(payload)
            self._size += len(payload)
            while len(self._waiting) > MAX_RECORDS or self._size > MAX_SIZE:
                self._size -= len(self._waiting.popleft())
                dropped += 1
            self._due = self._due or starts_delivery
            self.changed.notify()
        return dropped

    def take(self, due_in: Callable[[], float]) -> list[Payload]:
        """Block until a batch is due and return it; empty when the backlog is closing and nothing is left.

        The batch taken before counts as delivered.
        """
        self._in_delivery = 0
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._due or self.closing.is_set())
            self.closing.wait(due_in())
            with self.changed:
                batch: list[Payload] = []
                room = self._batch_size
                while self._waiting and len(batch) < self._batch and (room >= len(self._waiting[0]) or not batch):
                    batch.append(self._waiting.popleft())
                    room -= len(batch[-1])
                self._size -= self._batch_size - room
                self._due = bool(self._waiting)
                self._in_delivery = len(batch)
                if batch or self.closing.is_set():
                    return batch

    def finish(self) -> None:
        """Make take() return what is left without waiting."""
        with self.changed:
            self.closing.set()
            self.changed.notify()

    def close(self) -> int:
        """Drop what is left, that in delivery included, and return how many that were."""
        with self.changed:
            left, self._in_delivery = len(self._waiting) + self._in_delivery, 0
            self._waiting.clear()
            self._closed = True
        return left
