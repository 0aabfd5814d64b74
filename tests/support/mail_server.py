"""A real SMTP server on loopback that keeps its mails, and misbehaves on request."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from tests.support.network import free_port

USER, PASSWORD = "alerts@example.com", "s3cr3t-password"
CA = trustme.CA()


@dataclass
class MailServer:
    """The mails received, and the replies to give: `answers` to the first mails, and to a recipient, then 250."""

    port: int = 0
    implicit_tls: bool = False
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[tuple[bytes, bytes, bool]] = field(default_factory=list)  # user, password, over TLS
    answers: list[str] = field(default_factory=list)
    recipient_answers: dict[str, list[str]] = field(default_factory=dict)
    recipients: list[list[str]] = field(default_factory=list)  # of each mail
    hangs_at_quit: bool = False
    attempts: int = 0
    greetings: int = 0

    async def handle_EHLO(  # noqa: N802
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.greetings += 1
        return responses

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answers = self.recipient_answers.get(address)
        answer = answers.pop(0) if answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_QUIT(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
        if self.hangs_at_quit:
            await asyncio.Event().wait()
        return "221 Bye"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        self.attempts += 1
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            mail = message_from_bytes(content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.recipients.append(envelope.rcpt_tos)
        return answer

    def log_in(self, _server: Any, session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password, session.ssl is not None or self.implicit_tls))
        success = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=success, handled=False)  # False: aiosmtpd answers

    def bodies(self) -> list[str]:
        return [mail.get_content().replace("\r\n", "\n") for mail in self.mails]


@contextmanager
def mail_server(
    *,
    tls: str = "starttls",
    host: str = "localhost",
    ca: trustme.CA = CA,
    auth: bool = True,
    xoauth2: bool = False,
) -> Iterator[MailServer]:
    """Run a server with a certificate for `host`; `tls` is starttls, tls (from the start) or none.

    With `xoauth2` it has no other authentication.
    """
    server = MailServer(port=free_port(), implicit_tls=tls == "tls")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(host).configure_cert(context)
    if xoauth2:
        server.auth_XOAUTH2 = server.log_in  # type: ignore[attr-defined]
    controller = Controller(
        server,
        hostname="localhost",
        server_hostname="localhost",  # else it asks the DNS for this machine's name, in vain for 5 s now and then
        port=server.port,
        ssl_context=context if tls == "tls" else None,
        tls_context=context if tls == "starttls" else None,
        authenticator=server.log_in if auth else None,
        auth_require_tls=tls == "starttls",
        auth_exclude_mechanism=("PLAIN", "LOGIN") if xoauth2 else (),
        data_size_limit=50_000_000,
    )
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
