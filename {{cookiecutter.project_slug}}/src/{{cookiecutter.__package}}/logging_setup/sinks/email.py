"""Alerts by e-mail: the first at once, with what led up to it; what follows, in one digest."""

import collections
import contextlib
import logging
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

from ..process import reports
from ..records.text import TextFormatter, escape
from ..settings import Settings
from .background import BackgroundHandler, RefusedError

_TIMEOUT: Final = 10.0  # seconds for each answer of the server
_ATTEMPTS: Final = 6  # with the pauses between them, about a minute
_LONGEST_TITLE: Final = 200  # characters
_LONGEST_RECORD: Final = 8_000
_LONGEST_BODY: Final = 100_000
_FOR_GOOD: Final = 500  # SMTP's answers from there on; lower ones ask to try again later
_HOUR: Final = 3600.0  # seconds
_SERVICE: Final = "{{ cookiecutter.project_slug }}"


class RecentRecords(logging.Handler):
    """Remembers the last `size` records, whatever their level, for the mail that needs them."""

    delivers = False

    def __init__(self, size: int) -> None:
        super().__init__()
        self.name = "recent"
        self.setFormatter(TextFormatter())
        self._records: collections.deque[logging.LogRecord] = collections.deque(maxlen=size)

    def emit(self, record: logging.LogRecord) -> None:
        """Remember one record; it is made text only when a mail is written."""
        self._records.append(record)

    def lines(self) -> list[str]:
        """The remembered records as text, oldest first."""
        return [_cut(self.format(record), _LONGEST_RECORD) for record in self._records.copy()]


@dataclass(frozen=True)
class Alert:
    """What a mail says of one record. Alerts with one title are counted together."""

    title: str
    text: str
    history: list[str]

    def __len__(self) -> int:
        return len(self.title) + len(self.text) + sum(map(len, self.history))


class EmailHandler(BackgroundHandler[Alert]):
    """Mails alerts, at most one mail in `email_interval` seconds and `email_per_hour` an hour.

    The connection is TLS with a verified certificate, or there is none; the password is sent
    over nothing else, unless LOG_EMAIL_SECURITY=none asks for that. A mail that cannot be sent
    is tried six times within a minute, then given up with a line in the log.
    """

    def __init__(self, settings: Settings, recent: RecentRecords, *, pause: float = 2.0) -> None:
        self._settings = settings
        self._recent = recent
        self._sent: collections.deque[float] = collections.deque(maxlen=settings.email_per_hour)
        self._implicit_tls = settings.email_security == "tls" or (
            settings.email_security == "auto" and settings.email_port == smtplib.SMTP_SSL_PORT
        )
        super().__init__("email", batch=10_000, attempts=_ATTEMPTS, pause=pause)

    def payload(self, record: logging.LogRecord) -> Alert:
        """The record's text, and what came before it if it is the first of its mail."""
        title = f"{record.levelname} {record.name}: {record.getMessage()}"
        history = [] if self._backlog else self._recent.lines()
        return Alert(_cut(escape(title), _LONGEST_TITLE), _cut(self.format(record), _LONGEST_RECORD), history)

    def due_in(self) -> float:
        """Seconds until the interval is over and the hour has room for one more mail."""
        now = time.monotonic()
        due = self._delivered_at + self._settings.email_interval
        if len(self._sent) == self._sent.maxlen:
            due = max(due, self._sent[0] + _HOUR)
        return max(0.0, due - now)

    def deliver(self, batch: Sequence[Alert]) -> None:
        """Send one mail about all of `batch`. Blocks up to ten seconds for each of the server's answers."""
        message = self._message(batch)
        try:
            with contextlib.closing(self._connect()) as smtp:
                if self._settings.email_user:
                    smtp.login(self._settings.email_user, self._settings.email_password)
                refused = smtp.send_message(message)
                self._sent.append(time.monotonic())
                with contextlib.suppress(OSError):  # the mail is theirs: no answer to QUIT sends it again
                    smtp.quit()
        except (ssl.SSLCertVerificationError, smtplib.SMTPNotSupportedError, UnicodeError) as error:
            raise RefusedError(error) from error
        except smtplib.SMTPRecipientsRefused as error:
            if all(code >= _FOR_GOOD for code, _ in error.recipients.values()):
                raise RefusedError(error.recipients) from error
            raise
        except smtplib.SMTPResponseException as error:
            if error.smtp_code >= _FOR_GOOD:
                raise RefusedError(f"{error.smtp_code} {error.smtp_error!r}") from error
            raise
        if refused:
            reports.report("recipients", f"email: the server has refused some recipients: {refused}")

    def _connect(self) -> smtplib.SMTP:
        host, port = self._settings.email_host, self._settings.email_port
        context = ssl.create_default_context(cafile=self._settings.email_ca_file or None)
        if self._implicit_tls:
            return smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT, context=context)
        smtp = smtplib.SMTP(host, port, timeout=_TIMEOUT)
        try:
            if self._settings.email_security != "none":
                smtp.starttls(context=context)  # raises if the server offers none
        except Exception:
            smtp.close()
            raise
        return smtp

    def _message(self, batch: Sequence[Alert]) -> EmailMessage:
        host = socket.gethostname()
        user = self._settings.email_user
        message = EmailMessage()
        message["From"] = self._settings.email_from or (user if "@" in user else f"{_SERVICE}@{host}")
        message["To"] = ", ".join(self._settings.email_to)
        more = f" (and {len(batch) - 1} more)" if len(batch) > 1 else ""
        message["Subject"] = f"[{_SERVICE}] {batch[0].title}{more}"
        message["Date"] = formatdate(localtime=True)
        message["Message-ID"] = make_msgid(domain=host)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation replies, please
        message.set_content(_body(batch, host), cte="quoted-printable")  # which any server takes
        return message


def _body(batch: Sequence[Alert], host: str) -> str:
    """How often each alert came, the text of the first of each, and what led up to them."""
    counts = collections.Counter(alert.title for alert in batch)
    first = {alert.title: alert.text for alert in reversed(batch)}
    history = batch[0].history
    parts = [f"{len(batch)} alert{'s' if len(batch) > 1 else ''} from {_SERVICE} on {host}\n"]
    if len(batch) > 1:
        parts += [f"{count:6} x {title}" for title, count in counts.items()]
        parts.append("\nThe first of each:\n")
    parts += [first[title] for title in counts]
    if history:
        parts += [f"\nThe {len(history)} records before:\n", *history]
    return _cut("\n".join(parts), _LONGEST_BODY) + "\n"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... [cut, {len(text)} characters]"
