"""Alerts: the first is sent at once, with the records before it; further ones in digests, with a limit per hour."""

import collections
import logging
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..records.text import escape
from ..records.values import cut
from .background import BackgroundHandler

SERVICE: Final = "my-service"
_ATTEMPTS: Final = 6  # with the pauses between them, about a minute
_PAUSE: Final = 2.0  # seconds after the first attempt
_LONGEST_TITLE: Final = 200  # characters
_LONGEST_RECORD: Final = 8_000
_LONGEST_TEXT: Final = 100_000
_HOUR: Final = 3600.0  # seconds


class RecentRecords(logging.Handler):
    """Keep the last `size` records of any level, for the next alert."""

    delivers = False

    def __init__(self, size: int) -> None:
        super().__init__()
        self.name = "recent"
        self._records: collections.deque[logging.LogRecord] = collections.deque(maxlen=size)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record; it is formatted only when there is an alert."""
        self._records.append(record)

    def lines(self, to_text: Callable[[logging.LogRecord], str]) -> list[str]:
        """Return the records as text, oldest first."""
        return [cut(to_text(record), _LONGEST_RECORD) for record in self._records.copy()]


@dataclass(frozen=True)
class Alert:
    """One record. Alerts with the same title are counted together."""

    title: str
    text: str
    history: list[str]

    def __len__(self) -> int:
        return len(self.title) + len(self.text) + sum(map(len, self.history))


class AlertHandler(BackgroundHandler[Alert]):
    """Pass alerts to `send`, at the rate of `settings`: those of a sink, with history, interval and per_hour.

    Attach `recent` too. Alerts for which `send` raises are tried six times within a minute, then dropped and
    reported; see BackgroundHandler.deliver.
    """

    keeps_level = True  # a level that is changed at run time adds no alerts

    def __init__(self, settings: Any, send: Callable[[Sequence[Alert]], None]) -> None:
        self.send, self.recent = send, RecentRecords(settings.history)
        self._interval: float = settings.interval
        self._sent: collections.deque[float] = collections.deque(maxlen=settings.per_hour)  # when, in monotonic seconds
        super().__init__(settings.name, batch=10_000, attempts=_ATTEMPTS, pause=_PAUSE)

    def payload(self, record: logging.LogRecord) -> Alert:
        """Return the record's text, with the records before it if it is the first of its message."""
        title = cut(escape(f"{record.levelname} {record.name}: {record.getMessage()}"), _LONGEST_TITLE)
        text = cut(self.format(record), _LONGEST_RECORD)
        history = [] if self._backlog else self.recent.lines(self.format)
        return Alert(title, text, history)

    def due_in(self) -> float:
        """Return the seconds until the interval is over and the hourly limit allows one more message."""
        due = self._delivered_at + self._interval
        if len(self._sent) == self._sent.maxlen:
            due = max(due, self._sent[0] + _HOUR)
        return max(0.0, due - time.monotonic())

    def deliver(self, batch: Sequence[Alert]) -> None:
        """Send one message about all of `batch`. Blocks as `send` does."""
        self.send(batch)
        self._sent.append(time.monotonic())


def compose(batch: Sequence[Alert]) -> tuple[str, str]:
    """Return a subject, and a text: the count of each alert, the first of each, and the records before them."""
    more = f" (and {len(batch) - 1} more)" if len(batch) > 1 else ""
    counts = collections.Counter(alert.title for alert in batch)
    first = {alert.title: alert.text for alert in reversed(batch)}
    history = batch[0].history
    parts = [f"{len(batch)} alert{'s' if len(batch) > 1 else ''} from {SERVICE} on {socket.gethostname()}\n"]
    if len(batch) > 1:
        parts += [f"{count:6} x {title}" for title, count in counts.items()]
        parts.append("\nThe first of each:\n")
    parts += [first[title] for title in counts]
    if history:
        parts += [f"\nThe {len(history)} records before:\n", *history]
    return f"[{SERVICE}] {batch[0].title}{more}", cut("\n".join(parts), _LONGEST_TEXT) + "\n"
