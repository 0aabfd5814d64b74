"""Alerts by e-mail: the first at once, with the records before it; further ones in one digest."""

import collections
import logging
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final

from ..env import parsers as parse
from ..env.variables import MakeFormatter, Sink, read_secret_file, setting
from ..records.format_strings import line_format
from ..records.text import escape
from ..records.values import cut
from .background import BackgroundHandler

_SERVICE: Final = "{{ cookiecutter.project_slug }}"
_ATTEMPTS: Final = 6  # with the pauses between them, about a minute
_PAUSE: Final = 2.0  # seconds after the first of them
_LONGEST_TITLE: Final = 200  # characters
_LONGEST_RECORD: Final = 8_000
_LONGEST_TEXT: Final = 100_000
_HOUR: Final = 3600.0  # seconds


@dataclass(frozen=True, kw_only=True)
class EmailSink(Sink):
    """Settings of alerts by e-mail."""

    name: ClassVar[str] = "email"
    switch: ClassVar[str] = "host"
    host: str = setting("LOG_EMAIL_HOST", str, "", "SMTP server; no e-mail is sent while this is empty")
    port: int = setting("LOG_EMAIL_PORT", parse.whole(1, 65_535, ""), "587", "its port")
    security: str = setting(
        "LOG_EMAIL_SECURITY",
        parse.one_of("auto", "starttls", "tls", "none"),
        "auto",
        "auto (tls on port 465, else starttls), starttls, tls or none",
    )
    ca_file: str = setting("LOG_EMAIL_CA_FILE", parse.certificates, "", "certificates to trust; empty: the system's")
    user: str = setting("LOG_EMAIL_USER", str, "", "user name; empty: no authentication")
    password: str = setting(
        "LOG_EMAIL_PASSWORD", str, "", "password; better a file that only the service can read", secret=True
    )
    password_file: str = setting(
        "LOG_EMAIL_PASSWORD_FILE", str, "", "file that contains the password, instead of LOG_EMAIL_PASSWORD"
    )
    sender: str = setting("LOG_EMAIL_FROM", str, "", "sender; empty: the user name, or a generated one")
    to: tuple[str, ...] = setting("LOG_EMAIL_TO", parse.addresses, "", "recipients, comma-separated")
    level: int = setting("LOG_EMAIL_LEVEL", parse.level, "CRITICAL", "level of e-mails, whatever LOG_LEVEL is")
    format: str = setting("LOG_EMAIL_FORMAT", line_format, "text", "text, json, gcp, ecs, datadog, or a format string")
    history: int = setting(
        "LOG_EMAIL_HISTORY", parse.whole(0, 1_000, "records"), "20", "records before the alert to put in the mail"
    )
    interval: float = setting(
        "LOG_EMAIL_INTERVAL", parse.seconds(0, 86_400), "60", "seconds in which further alerts go into one digest"
    )
    per_hour: int = setting("LOG_EMAIL_PER_HOUR", parse.whole(1, 10_000, "mails"), "20", "mails an hour, at most")

    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:
        """See Sink."""
        from .smtp import SmtpClient  # here: takes long to import

        client = SmtpClient(**{each.name: getattr(self, each.name) for each in fields(SmtpClient)})
        recent = RecentRecords(self.history)
        handler = AlertHandler(self.name, client.send, recent, interval=self.interval, per_hour=self.per_hour)
        handlers = [handler, recent]
        for each in handlers:
            each.setFormatter(make_formatter(self.format))
        return handlers

    @classmethod
    def problems(cls, values: dict[str, Any]) -> Iterable[str]:
        """See Sink."""
        if not values.get("host"):
            return
        unread = read_secret_file(values, "password", "LOG_EMAIL_PASSWORD", str)
        yield from unread
        if not values.get("to"):
            yield "LOG_EMAIL_TO: required when LOG_EMAIL_HOST is set"
        if values.get("user") and not unread and not values.get("password"):
            yield "LOG_EMAIL_USER: LOG_EMAIL_PASSWORD or LOG_EMAIL_PASSWORD_FILE is required with it"


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

    def lines(self) -> list[str]:
        """Return the records as text, oldest first."""
        return [cut(self.format(record), _LONGEST_RECORD) for record in self._records.copy()]


@dataclass(frozen=True)
class Alert:
    """One record. Alerts with the same title are counted together."""

    title: str
    text: str
    history: list[str]

    def __len__(self) -> int:
        return len(self.title) + len(self.text) + sum(map(len, self.history))


class AlertHandler(BackgroundHandler[Alert]):
    """Pass title and text of a message to `send`, at most once in `interval` seconds and `per_hour` times an hour.

    A message for which `send` raises is tried six times within a minute, then dropped and reported; see
    BackgroundHandler.deliver.
    """

    def __init__(
        self, name: str, send: Callable[[str, str], None], recent: RecentRecords, *, interval: float, per_hour: int
    ) -> None:
        self.send = send
        self._recent, self._interval = recent, interval
        self._sent: collections.deque[float] = collections.deque(maxlen=per_hour)  # when, in monotonic seconds
        super().__init__(name, batch=10_000, attempts=_ATTEMPTS, pause=_PAUSE)

    def payload(self, record: logging.LogRecord) -> Alert:
        """Return the record's text, with the records before it if it is the first of its message."""
        title = f"{record.levelname} {record.name}: {record.getMessage()}"
        history = [] if self._backlog else self._recent.lines()
        return Alert(cut(escape(title), _LONGEST_TITLE), cut(self.format(record), _LONGEST_RECORD), history)

    def due_in(self) -> float:
        """Return the seconds until the interval is over and the hour has room for one more message."""
        due = self._delivered_at + self._interval
        if len(self._sent) == self._sent.maxlen:
            due = max(due, self._sent[0] + _HOUR)
        return max(0.0, due - time.monotonic())

    def deliver(self, batch: Sequence[Alert]) -> None:
        """Send one message about all of `batch`. Blocks as `send` does."""
        more = f" (and {len(batch) - 1} more)" if len(batch) > 1 else ""
        self.send(f"[{_SERVICE}] {batch[0].title}{more}", _digest(batch))
        self._sent.append(time.monotonic())


def _digest(batch: Sequence[Alert]) -> str:
    """Return the count of each alert, the text of the first of each, and the records before them."""
    counts = collections.Counter(alert.title for alert in batch)
    first = {alert.title: alert.text for alert in reversed(batch)}
    history = batch[0].history
    parts = [f"{len(batch)} alert{'s' if len(batch) > 1 else ''} from {_SERVICE} on {socket.gethostname()}\n"]
    if len(batch) > 1:
        parts += [f"{count:6} x {title}" for title, count in counts.items()]
        parts.append("\nThe first of each:\n")
    parts += [first[title] for title in counts]
    if history:
        parts += [f"\nThe {len(history)} records before:\n", *history]
    return cut("\n".join(parts), _LONGEST_TEXT) + "\n"
