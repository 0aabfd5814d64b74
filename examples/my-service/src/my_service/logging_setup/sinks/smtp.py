"""SMTP client for alerts: TLS unless the settings say otherwise, and the meaning of the server's answers."""

import contextlib
import functools
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Final

from ..process import reports
from .alerts import SERVICE, Alert, compose
from .answers import RefusedError

_TIMEOUT: Final = 10.0  # seconds for each answer of the server
_PERMANENT: Final = 500  # SMTP reply codes from here on; lower ones ask for a retry


class SmtpClient:
    """Send mails as configured by `settings`, an EmailSink, each over a connection of its own.

    Certificates are verified; the password is not sent without TLS, except with LOG_EMAIL_SECURITY=none.
    """

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        # If a server has temporarily refused some recipients: subject and body of the mail -> recipients to retry.
        self._left: dict[tuple[str, str], tuple[str, ...]] = {}

    @property
    def implicit_tls(self) -> bool:
        """Return True if the connection begins with TLS, False if it uses STARTTLS or no TLS."""
        security, port = self._settings.security, self._settings.port
        return bool(security == "tls" or (security == "auto" and port == smtplib.SMTP_SSL_PORT))

    def send(self, batch: Sequence[Alert]) -> None:
        """Send one mail about all of `batch`. Blocks up to ten seconds for each answer of the server.

        Raises RefusedError if a retry would fail as well, OSError or SMTPException otherwise.
        """
        settings = self._settings
        subject, body = compose(batch)
        to = self._left.get((subject, body), settings.to)
        context = ssl.create_default_context(cafile=settings.ca_file or None)
        over_tls: Callable[..., smtplib.SMTP] = functools.partial(smtplib.SMTP_SSL, context=context)
        connect = over_tls if self.implicit_tls else smtplib.SMTP
        try:
            with contextlib.closing(connect(settings.host, settings.port, timeout=_TIMEOUT)) as smtp:
                if settings.security != "none" and not self.implicit_tls:
                    smtp.starttls(context=context)  # raises if the server does not offer it
                if settings.user:
                    smtp.login(settings.user, settings.password)
                refused = smtp.send_message(self._message(subject, body), to_addrs=to)
                with contextlib.suppress(OSError):  # the mail is accepted: QUIT must not cause a retry, nor block
                    smtp.putcmd("quit")
        except (ssl.SSLError, smtplib.SMTPException, UnicodeError) as error:
            if reason := _refusal(error):
                raise RefusedError(reason) from error
            raise
        later = {address: answer for address, answer in refused.items() if answer[0] < _PERMANENT}
        if len(later) < len(refused):
            reports.report("recipients", f"email: recipients refused, mail sent to the others: {refused}")
        self._left.clear()
        if later:
            self._left[subject, body] = tuple(later)
            raise smtplib.SMTPRecipientsRefused(later)

    def _message(self, subject: str, body: str) -> EmailMessage:
        """Return a mail that no server alters and no auto-responder answers."""
        settings = self._settings
        host = socket.gethostname()
        message = EmailMessage()
        message["From"] = settings.sender or (settings.user if "@" in settings.user else f"{SERVICE}@{host}")
        message["To"] = ", ".join(settings.to)
        message["Subject"] = subject
        message["Date"] = formatdate(localtime=True)
        message["Message-ID"] = make_msgid(domain=host)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834
        message.set_content(body, cte="quoted-printable")  # accepted by every server
        return message


def _refusal(error: Exception) -> object:
    """Return why a retry would fail as well, or None if it may succeed."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return error.recipients if all(code >= _PERMANENT for code, _ in error.recipients.values()) else None
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {error.smtp_error!r}" if error.smtp_code >= _PERMANENT else None
    if isinstance(error, UnicodeError):  # its text has a character of the password
        return "user name, password and addresses must be ASCII"
    if isinstance(error, ssl.SSLError) and re.search("CERTIFICATE_VERIFY|PROTOCOL|VERSION", str(error.reason)):
        return error
    final = (smtplib.SMTPNotSupportedError, smtplib.SMTPException)  # the latter: no common authentication method
    return error if type(error) in final else None
