"""Alerts by e-mail: settings, and the handlers created from them (alerts.py, smtp.py)."""

import logging
from collections.abc import Iterable
from typing import Any, ClassVar

from ..env import parsers as parse
from ..env.variables import MakeFormatter, Sink, read_secret_file, setting
from ..records.format_strings import FORMATS, line_format


class EmailSink(Sink):
    """Settings of alerts by e-mail."""

    name: ClassVar[str] = "email"
    switch: ClassVar[str] = "host"
    host: str = setting("LOG_EMAIL_HOST", str, "", "SMTP server; empty: no e-mail is sent")
    port: int = setting("LOG_EMAIL_PORT", parse.whole(1, 65_535, ""), "587", "port of the SMTP server")
    security: str = setting(
        "LOG_EMAIL_SECURITY",
        parse.one_of("auto", "starttls", "tls", "none"),
        "auto",
        "auto (tls on port 465, otherwise starttls), starttls, tls or none",
    )
    ca_file: str = setting("LOG_EMAIL_CA_FILE", parse.certificates, "", "certificates to trust; empty: the system's")
    user: str = setting("LOG_EMAIL_USER", str, "", "user name; empty: no authentication")
    password: str = setting(
        "LOG_EMAIL_PASSWORD", str, "", "password; safer in a file that only the service can read", secret=True
    )
    password_file: str = setting(
        "LOG_EMAIL_PASSWORD_FILE", str, "", "file with the password, instead of LOG_EMAIL_PASSWORD", secret=True
    )
    sender: str = setting("LOG_EMAIL_FROM", str, "", "sender; empty: the user name, or a generated one")
    to: tuple[str, ...] = setting("LOG_EMAIL_TO", parse.addresses, "", "recipients, comma-separated")
    level: int = setting("LOG_EMAIL_LEVEL", parse.level, "CRITICAL", "level of e-mails, independent of LOG_LEVEL")
    format: str = setting("LOG_EMAIL_FORMAT", line_format, "text", FORMATS)
    history: int = setting(
        "LOG_EMAIL_HISTORY", parse.whole(0, 1_000, "records"), "20", "previous records to include in the e-mail"
    )
    interval: float = setting(
        "LOG_EMAIL_INTERVAL", parse.seconds(0, 86_400), "60", "seconds in which further alerts go into one digest"
    )
    per_hour: int = setting("LOG_EMAIL_PER_HOUR", parse.whole(1, 10_000, "mails"), "20", "mails per hour, at most")

    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:
        """See Sink."""
        from .alerts import AlertHandler  # here: takes long to import
        from .smtp import SmtpClient

        handler = AlertHandler(self, SmtpClient(self).send)
        handler.setFormatter(make_formatter(self.format))
        return [handler, handler.recent]

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
        for name, variable in (("user", "USER"), ("password", "PASSWORD"), ("sender", "FROM")):
            if not values.get(name, "").rpartition("<")[2].isascii():  # the address in `Name <address>`
                yield f"LOG_EMAIL_{variable}: must be ASCII, as SMTP requires"
