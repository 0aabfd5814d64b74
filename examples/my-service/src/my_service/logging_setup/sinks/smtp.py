"""SMTP client for alerts: TLS unless the settings say otherwise, and the meaning of the server's answers."""

import contextlib
import smtplib
import ssl
from collections.abc import Iterable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

from ..process import reports
from .background import RefusedError

_TIMEOUT: Final = 10.0  # seconds for each answer of the server
_PERMANENT: Final = 500  # SMTP's answers from there on; lower ones ask for a retry


class SmtpClient:
    """Send mails, each over a connection of its own.

    Certificates are verified; the password is not sent without TLS, except with LOG_EMAIL_SECURITY=none.
    """

    def __init__(self, host: str, port: int, *, security: str, ca_file: str, user: str, password: str) -> None:
        self._address = (host, port)
        self._starttls = security != "none"
        self.implicit_tls = security == "tls" or (security == "auto" and port == smtplib.SMTP_SSL_PORT)
        self._ca_file = ca_file
        self._user, self._password = user, password

    def send(self, message: EmailMessage) -> None:
        """Send one mail. Blocks up to ten seconds for each answer of the server.

        Raises RefusedError if a retry would fail as well, OSError or SMTPException otherwise.
        """
        try:
            with contextlib.closing(self._connect()) as smtp:
                if self._user:
                    smtp.login(self._user, self._password)
                refused = smtp.send_message(message)
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

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=self._ca_file or None)
        if self.implicit_tls:
            return smtplib.SMTP_SSL(*self._address, timeout=_TIMEOUT, context=context)
        smtp = smtplib.SMTP(*self._address, timeout=_TIMEOUT)
        try:
            if self._starttls:
                smtp.starttls(context=context)  # raises if the server does not offer it
        except Exception:
            smtp.close()
            raise
        return smtp


def make_message(sender: str, recipients: Iterable[str], subject: str, body: str, domain: str) -> EmailMessage:
    """Return a mail that no server alters and no auto-responder answers; `domain` is for its Message-ID."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = subject
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain=domain)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    message.set_content(body, cte="quoted-printable")  # accepted by every server
    return message
