"""SMTP client for alerts: TLS unless the settings say otherwise, and the meaning of the server's answers."""

import contextlib
import functools
import smtplib
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

from ..process import reports
from .alerts import Alert, message
from .answers import RefusedError

_SERVICE: Final = "{{ cookiecutter.project_slug }}"
_TIMEOUT: Final = 10.0  # seconds for each answer of the server
_PERMANENT: Final = 500  # SMTP's answers from there on; lower ones ask for a retry


@dataclass(frozen=True, kw_only=True)
class SmtpClient:
    """Send mails, each over a connection of its own. The fields are settings of EmailSink.

    Certificates are verified; the password is not sent without TLS, except with LOG_EMAIL_SECURITY=none.
    """

    host: str
    port: int
    security: str
    ca_file: str
    user: str
    password: str = field(repr=False)
    sender: str
    to: tuple[str, ...]

    @property
    def implicit_tls(self) -> bool:
        """Return True if the connection begins with TLS, False if STARTTLS, or nothing, follows."""
        return self.security == "tls" or (self.security == "auto" and self.port == smtplib.SMTP_SSL_PORT)

    def send(self, batch: Sequence[Alert]) -> None:
        """Send one mail about all of `batch`. Blocks up to ten seconds for each answer of the server.

        Raises RefusedError if a retry would fail as well, OSError or SMTPException otherwise.
        """
        context = ssl.create_default_context(cafile=self.ca_file or None)
        over_tls: Callable[..., smtplib.SMTP] = functools.partial(smtplib.SMTP_SSL, context=context)
        connect = over_tls if self.implicit_tls else smtplib.SMTP
        try:
            with contextlib.closing(connect(self.host, self.port, timeout=_TIMEOUT)) as smtp:
                if self.security != "none" and not self.implicit_tls:
                    smtp.starttls(context=context)  # raises if the server does not offer it
                if self.user:
                    smtp.login(self.user, self.password)
                refused = smtp.send_message(self._mail(*message(batch)))
                with contextlib.suppress(OSError):  # the mail is accepted: an error of QUIT must not cause a retry
                    smtp.quit()
        except (ssl.SSLCertVerificationError, smtplib.SMTPNotSupportedError, UnicodeError) as error:
            raise RefusedError(error) from error
        except smtplib.SMTPRecipientsRefused as error:
            if all(code >= _PERMANENT for code, _ in error.recipients.values()):
                raise RefusedError(error.recipients) from error
            raise
        except smtplib.SMTPResponseException as error:
            if error.smtp_code >= _PERMANENT:
                raise RefusedError(f"{error.smtp_code} {error.smtp_error!r}") from error
            raise
        if refused:
            reports.report("recipients", f"email: recipients refused, mail sent to the others: {refused}")

    def _mail(self, subject: str, body: str) -> EmailMessage:
        """Return a mail that no server alters and no auto-responder answers."""
        host = socket.gethostname()
        mail = EmailMessage()
        mail["From"] = self.sender or (self.user if "@" in self.user else f"{_SERVICE}@{host}")
        mail["To"] = ", ".join(self.to)
        mail["Subject"] = subject
        mail["Date"] = formatdate(localtime=True)
        mail["Message-ID"] = make_msgid(domain=host)
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834
        mail.set_content(body, cte="quoted-printable")  # accepted by every server
        return mail
